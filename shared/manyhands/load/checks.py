"""What a load test holds a deployment to: the kinds of problems, who is told of them, and the counter in the state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

from manyhands.wire import Key


class Problem(StrEnum):
    """A promise that was not kept; any one of them makes the load test fail."""

    #: An event was sent, and its end never came.
    LOST = "lost"
    ENDED_TWICE = "ended_twice"
    #: Updates are missing: the next one's `seq` was not due yet, or the last ones never came.
    GAP = "gap"
    #: An update came a second time.
    REPEATED = "repeated"
    #: The counter is not the number of the session's events.
    STATE = "state"
    #: The session was not known any more.
    SESSION_LOST = "session_lost"
    #: The deployment closed a socket because of what we sent, or sent what is no frame.
    PROTOCOL = "protocol"
    #: The session could not be joined again at the end, so its state is not known.
    UNVERIFIED = "unverified"


class Observer(Protocol):
    """Whoever counts what a session sees."""

    def fired(self) -> None:
        """One more event was fired."""

    def ended(self, intended: float, now: float, code: str | None) -> None:
        """An event that was due at `intended` has ended, with an error's code or well."""

    def rejected(self, code: str) -> None:
        """The gateway did not accept an event, or did not let a session begin."""

    def problem(self, kind: Problem, text: str) -> None:
        """A promise was not kept."""


def look_up(state: object, path: Sequence[str]) -> Any:
    """Read a path of nested maps; None where there is nothing."""
    for name in path:
        state = state.get(name) if isinstance(state, Mapping) else None
    return state


def value_after(value: object, key: Sequence[str], update: Mapping[str, Any]) -> Any:
    """Give the value at `key` after an update, `unset` first, as every browser applies it."""
    for path in update[Key.UNSET]:
        if path == list(key[: len(path)]):
            value = None
    for path, assigned in update[Key.SET]:
        if path == list(key[: len(path)]):
            value = look_up(assigned, key[len(path) :])
    return value
