"""Session verifiers: functions of the app that decide whether a session may begin.

Workers run them, as the handler `VERIFY_SESSION` of a session that nobody can name yet. A gateway learns from what
workers announce that there are some.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

from manyhands.errors import AppError

#: The parameters that a verifier may have, in any order.
KNOWN = ("headers", "cookies")
#: The handler by which verifiers are run. Handlers of the app have no leading underscore, unless a dot follows.
VERIFY_SESSION = "_verify_session"
#: The handlers by which the studio assigns a value and starts a session's state over; only while developing.
EDIT_STATE, RESET_STATE = "_edit_state", "_reset_state"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A function that may refuse a session by returning False."""

    name: str
    function: Callable[..., Any]
    #: Those it takes, of the known ones.
    parameters: tuple[str, ...]
    #: What calling it gives is to be awaited.
    is_async: bool
    file: str | None
    line: int | None


def is_internal(handler: str) -> bool:
    """Tell whether a handler is one of ours, which no browser may fire."""
    return handler.startswith("_") and "." not in handler


def make_verifier(function: object) -> Verifier:
    """Examine a function that was declared. Raises `AppError` for what can't be called with headers and cookies."""
    if not callable(function) or isinstance(function, type):
        raise AppError(
            f"session_verifier expected a function such as `def check(headers, cookies): …`, got {function!r}; "
            "write it as a decorator without parentheses: @mh.session_verifier"
        )
    origin = original(function)
    name = getattr(function, "__qualname__", type(function).__name__)
    code = getattr(origin, "__code__", None)
    file, line = (code.co_filename, code.co_firstlineno) if code else (None, None)
    parameters = inspect.signature(function).parameters.values()
    if unknown := [one.name for one in parameters if _is_unknown(one)]:
        where = f" ({file}, line {line})" if file else ""
        raise AppError(
            f"the session verifier {name}{where} has parameters that can't be filled: {', '.join(unknown)}; "
            f"a session verifier takes any of {' and '.join(KNOWN)}, by name; give others a default"
        )
    if any(inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one) for one in (function, origin)):
        raise AppError(f"the session verifier {name} is a generator, which runs nothing when called; return False")
    taken = tuple(one.name for one in parameters if one.name in KNOWN and not _is_variadic(one))
    is_async = any(map(inspect.iscoroutinefunction, (function, origin)))
    return Verifier(name, function, taken, is_async, file, line)


def original(function: object) -> object:
    """Give what decorators have wrapped, or the function itself."""
    try:
        return inspect.unwrap(function)  # type: ignore[arg-type]
    except ValueError:  # it wraps itself
        return function


def _is_variadic(parameter: Parameter) -> bool:
    return parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def _is_unknown(parameter: Parameter) -> bool:
    if _is_variadic(parameter) or parameter.default is not Parameter.empty:
        return False
    return parameter.name not in KNOWN or parameter.kind is Parameter.POSITIONAL_ONLY
