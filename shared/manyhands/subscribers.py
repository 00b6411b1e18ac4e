"""Subscribers: functions of the app that are called when a path of the state is assigned, deleted, or replaced."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from manyhands.errors import AppError
from manyhands.handlers import KNOWN
from manyhands.paths import Path, parse_path


@dataclass(frozen=True, slots=True)
class Subscription:
    """One path and what is called."""

    path: Path
    #: The path as the app wrote it.
    written: str
    function: Callable[..., Any]
    #: Those it takes, of the known ones.
    parameters: tuple[str, ...]
    is_async: bool

    @property
    def name(self) -> str:
        """The function's name."""
        return getattr(self.function, "__qualname__", type(self.function).__name__)

    def call(self, values: dict[str, Callable[[], Any]]) -> Any:
        """Call it with what it asks for; nothing else is made."""
        return self.function(**{name: values[name]() for name in self.parameters})


class InitialState:
    """What `init_state` gives: to subscribe to what will be assigned in every session."""

    def __init__(self, subscriptions: list[Subscription]) -> None:
        self._subscriptions = subscriptions

    def subscribe_mutation(self, path: str | Iterable[str], handler: Callable[..., Any]) -> None:
        r"""Let a function be called when a handler assigns or deletes a path, or replaces or deletes a dict above it.

        It is called within the same event, right after the assignment, with any of `state`, `payload`, `context` and
        `session`, by name: `payload` holds `previous_value` and `new_value`, `context` says which `mutation`. Paths are
        dotted; a dot within a key is written `\.`. Raises `AppError` for a path that is none, or a function with
        other parameters.
        """
        paths = [path] if isinstance(path, str) else list(path)
        made = [make_subscription(one, handler) for one in paths]
        self._subscriptions += made


def make_subscription(path: str, function: Any) -> Subscription:
    """Examine what was declared. Raises `AppError`."""
    if not callable(function) or isinstance(function, type):
        raise AppError(f"subscribe_mutation expected a function as its second argument, got {function!r}")
    parameters = inspect.signature(function).parameters.values()
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    taken = tuple(one.name for one in parameters if one.name in KNOWN and one.kind not in variadic)
    unknown = [
        one.name for one in parameters if one.kind not in variadic and one.default is one.empty
        and (one.name not in KNOWN or one.kind is one.POSITIONAL_ONLY)
    ]  # fmt: skip
    if unknown:
        raise AppError(
            f"the subscriber {getattr(function, '__qualname__', function)} to {path} has parameters that can't be "
            f"filled: {', '.join(unknown)}; a subscriber takes any of {', '.join(KNOWN)}, by name"
        )
    is_async = inspect.iscoroutinefunction(inspect.unwrap(function))
    return Subscription(parse_path(path, "subscribe_mutation"), path, function, taken, is_async)
