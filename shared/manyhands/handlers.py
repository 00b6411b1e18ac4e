"""Which functions of an app are handlers, and how one is called.

Handlers are the public functions of the main module, defined there or imported there from another module of the
app's directory, by their names in it; and those defined in a module given to `init_handlers`, as `module.function`.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from manyhands.app_files import is_own
from manyhands.verifiers import Verifier, original

#: The parameters that a handler may have, in any order.
KNOWN = ("state", "payload", "context", "session")
#: Ours: never an app's, wherever they lie.
OUR_PACKAGES = frozenset({"manyhands", "manyhands_gateway", "manyhands_worker"})


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that browsers can fire."""

    name: str
    function: Callable[..., Any]
    #: Those it takes, of the known ones.
    parameters: tuple[str, ...]
    #: What calling it gives is to be awaited.
    is_async: bool
    doc: str
    file: str
    line: int
    #: What is passed by position: a known parameter's name, or "" and the parameter's own default.
    positional: tuple[tuple[str, Any], ...] = ()
    #: What is passed by name.
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotExposed:
    """A public name of the app that looks like a handler and is none."""

    name: str
    reason: str
    #: Where it is defined, when known.
    file: str | None = None
    line: int | None = None


def find_handlers(
    main: ModuleType, modules: Iterable[ModuleType], directory: Path, verifiers: Iterable[Verifier] = ()
) -> tuple[dict[str, Handler], list[NotExposed]]:
    """Find the handlers of an app that was imported, by name, and what is none and why.

    `modules`: those given to `init_handlers`. `directory`: the app's. `verifiers` are neither.
    """
    left_out = {id(original(one.function)) for one in verifiers}
    examined = [_examine(name, value, None, directory) for name, value in _public(main, left_out)]
    for module in modules:
        if module is not main:
            prefix = module.__name__
            named = _public(module, left_out)
            examined += [_examine(f"{prefix}.{name}", value, module, directory) for name, value in named]
    handlers = {found.name: found for found in examined if isinstance(found, Handler)}
    return handlers, [found for found in examined if isinstance(found, NotExposed)]


def bind(
    handler: Handler, state: object, payload: object, context: object, session: object
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Give the arguments for one call, by position and by name."""
    values = {"state": state, "payload": payload, "context": context, "session": session}
    args = tuple(values[name] if name else default for name, default in handler.positional)
    return args, {name: values[name] for name in handler.keywords}


def _public(module: ModuleType, left_out: Collection[int]) -> Iterator[tuple[str, Any]]:
    named = ((name, value) for name, value in list(vars(module).items()) if not name.startswith("_"))
    return ((name, value) for name, value in named if not left_out or id(original(value)) not in left_out)


def _examine(name: str, value: Any, module: ModuleType | None, directory: Path) -> Handler | NotExposed | None:
    if not isinstance(value, FunctionType):
        reason = _why_no_function(value, directory)
        return NotExposed(name, reason) if reason else None
    # The function that a decorator has wrapped says where the handler is from and what it takes.
    origin = _unwrap(value)
    file, line = origin.__code__.co_filename, origin.__code__.co_firstlineno
    reason = _why_foreign(origin, module, directory) or _why_unfit(value, origin)
    if reason:
        if origin.__name__ not in (name.rpartition(".")[2], "<lambda>") or _is_disguised(origin):
            reason += "; if a decorator made it, the decorator should use functools.wraps"
        return NotExposed(name, reason, file, line)
    try:
        parameters = inspect.signature(value).parameters
    except (ValueError, TypeError) as error:
        return NotExposed(name, f"Python can't tell its parameters: {error}", file, line)
    if unknown := [one.name for one in parameters.values() if _is_unknown(one)]:
        return NotExposed(name, _why_unknown(unknown), file, line)
    return Handler(
        name,
        value,
        tuple(one.name for one in parameters.values() if _is_passed(one)),
        any(map(inspect.iscoroutinefunction, (value, origin))),
        inspect.getdoc(value) or "",
        file,
        line,
        _positional(parameters),
        tuple(one.name for one in parameters.values() if _is_passed(one) and one.kind is not one.POSITIONAL_ONLY),
    )


def _unwrap(function: FunctionType) -> FunctionType:
    try:
        origin = inspect.unwrap(function)
    except ValueError:  # it wraps itself
        return function
    return origin if isinstance(origin, FunctionType) else function


def _why_foreign(origin: FunctionType, module: ModuleType | None, directory: Path) -> str | None:
    if module is not None and origin.__module__ != module.__name__:
        return f"it is imported there, from {origin.__module__}; only functions defined in the module are handlers"
    if not _is_of_app(origin, directory):
        where = origin.__code__.co_filename if _is_disguised(origin) else origin.__module__
        return f"it is defined outside the app's directory, in {where}"
    return None


def _is_disguised(origin: FunctionType) -> bool:
    # Some decorators give their own function the name of the module that they decorate a function of.
    file = getattr(sys.modules.get(origin.__module__), "__file__", None)
    code = Path(origin.__code__.co_filename)
    return file is not None and code.exists() and code.resolve() != Path(file).resolve()


def _is_of_app(origin: FunctionType, directory: Path) -> bool:
    if (origin.__module__ or "").partition(".")[0] in OUR_PACKAGES:
        return False
    file: str | None = origin.__code__.co_filename
    if not os.path.exists(origin.__code__.co_filename):  # noqa: PTH110 - it may be "<string>", of generated code
        file = getattr(sys.modules.get(origin.__module__), "__file__", None)
    return file is not None and is_own(Path(file), directory)


def _why_unfit(function: FunctionType, origin: FunctionType) -> str | None:
    defined = origin.__name__
    if defined == "<lambda>":
        return "it is a lambda; write it with def"
    if defined.startswith("_"):
        return f"it is defined as {defined}, with a leading underscore"
    if any(inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one) for one in (function, origin)):
        return "it is a generator, which runs nothing when called; assign to the state instead of yielding"
    return None


def _why_no_function(value: Any, directory: Path) -> str | None:
    # Classes, constants and the objects of libraries don't look like handlers; what an author made callable does.
    kind = type(value)
    if isinstance(value, type) or not callable(value):
        return None
    if inspect.isbuiltin(value):
        return f"it is a built-in function, of {value.__module__}"
    cure = "wrap it in a function written with def"
    if inspect.ismethod(value):
        return f"it is a method of {type(value.__self__).__name__}; {cure}"
    made_by = getattr(sys.modules.get(kind.__module__), "__file__", None)
    of_app = made_by is not None and is_own(Path(made_by), directory)
    if of_app or isinstance(value, functools.partial) or isinstance(getattr(value, "__wrapped__", None), FunctionType):
        return f"it is an object of the class {kind.__name__}, not a function; {cure}"
    return None


def _why_unknown(unknown: list[str]) -> str:
    required, them = ("parameter", "it") if len(unknown) == 1 else ("parameters", "them")
    return (
        f"its {required} {', '.join(unknown)} can't be filled: a handler's parameters are {', '.join(KNOWN)}; "
        f"rename {them}, give {them} a default, or begin the function's name with an underscore"
    )


def _is_passed(parameter: Parameter) -> bool:
    return parameter.name in KNOWN and parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def _is_unknown(parameter: Parameter) -> bool:
    required = parameter.default is Parameter.empty
    return (
        required
        and parameter.name not in KNOWN
        and parameter.kind
        not in (
            Parameter.VAR_POSITIONAL,
            Parameter.VAR_KEYWORD,
        )
    )


def _positional(parameters: Mapping[str, Parameter]) -> tuple[tuple[str, Any], ...]:
    only = [one for one in parameters.values() if one.kind is Parameter.POSITIONAL_ONLY]
    # Those behind the last known one keep their defaults by themselves.
    while only and not _is_passed(only[-1]):
        only.pop()
    return tuple((one.name, None) if _is_passed(one) else ("", one.default) for one in only)
