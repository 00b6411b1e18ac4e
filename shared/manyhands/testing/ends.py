"""How an event has ended, as a test sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manyhands.errors import EventFailed
from manyhands.wire import Key


@dataclass(frozen=True, slots=True)
class Error:
    """Why an event has not ended well."""

    #: As in the protocol: `handler_failed`, or, where the event was not even accepted, `unknown_handler`, say.
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Update:
    """What one commit of an event has sent to the session's tabs."""

    #: Paths with dots, and the values that browsers get.
    set: Mapping[str, Any]
    unset: Sequence[str]
    #: Whether it is one from before the event's end.
    partial: bool

    @classmethod
    def of(cls, envelope: Mapping[str, Any]) -> Update:
        """Read an envelope."""
        assigned = {dotted(path): value for path, value in envelope[Key.SET]}
        return cls(assigned, [dotted(path) for path in envelope[Key.UNSET]], not envelope[Key.DONE])


@dataclass(frozen=True, slots=True)
class End:
    """How an event has ended."""

    handler: str
    #: Its number among those of its tab.
    n: int
    #: Whether it was accepted; if not, no handler was begun, and `error` says why.
    accepted: bool
    ok: bool
    #: What the handler returned, as browsers get it; None unless `ok`.
    result: Any
    error: Error | None
    #: What the handler asked the page to do.
    mail: Sequence[Mapping[str, Any]]
    #: All that it sent: partial updates, then the final one.
    updates: Sequence[Update]
    #: What the handler printed.
    output: str
    #: What the handler raised, which no browser is told.
    exception: BaseException | None

    def check(self) -> End:
        """Give it if it is `ok`. Raises `EventFailed`, caused by what the handler raised."""
        if self.ok:
            return self
        error = self.error or Error("", "")
        raise EventFailed(self.handler, error.code, error.message) from self.exception


def dotted(path: Sequence[str]) -> str:
    r"""Write a path as an author does: `user.name`; a dot within a key is `\.`."""
    return ".".join(name.replace(".", "\\.") for name in path)
