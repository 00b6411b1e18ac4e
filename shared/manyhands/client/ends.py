"""Events that a client has fired, and how they have ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manyhands.errors import EventFailed
from manyhands.wire import Key

#: Why an event of a client has no end of its own, besides the codes of the protocol.
CLOSED, EXPIRED, OUTBOX_FULL = "closed", "expired", "outbox_full"
SESSION_ENDED, UNKNOWN_END = "session_ended", "unknown_end"


@dataclass(frozen=True, slots=True)
class Error:
    """Why an event has not ended well."""

    #: One of the protocol's, or of those above.
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class End:
    """How an event has ended."""

    handler: str
    #: Its number; None where it was never sent.
    n: int | None
    #: None where nobody can tell: its session is gone, or its end was too long ago.
    ok: bool | None
    result: Any = None
    error: Error | None = None
    #: What the handler asked the page to do.
    mail: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of(cls, handler: str, n: int, told: Mapping[str, Any]) -> End:
        """Read an update that is the last one of its event, or what a welcome says of it."""
        error = told[Key.ERROR]
        why = None if error is None else Error(error[Key.CODE], error[Key.MESSAGE])
        return cls(handler, n, told[Key.OK], told[Key.RESULT], why, tuple(told[Key.MAIL]))

    def check(self) -> End:
        """Give it if it is `ok`. Raises `EventFailed`."""
        if self.ok:
            return self
        error = self.error or Error(UNKNOWN_END, "nobody can tell how it has ended")
        raise EventFailed(self.handler, error.code, error.message)


#: What a client may be asked to call: with the event's number once it is accepted, with each partial update, and with
#: the end.
OnAccepted = Callable[[int], object]
OnPartial = Callable[[Mapping[str, Any]], object]
OnEnd = Callable[[End], object]


def _ignore(_: object) -> None:
    pass


class Entry:
    """One event of a client, from its firing to its end."""

    def __init__(
        self, handler: str, payload: Any, context: Mapping[str, Any] | None, until: float | None,
        on_accepted: OnAccepted | None, on_partial: OnPartial | None,
    ) -> None:  # fmt: skip
        """`until`: when it is of no use any more unless it was sent, by the clock of whoever drives the protocol."""
        self.handler, self.payload, self.context, self.until = handler, payload, context, until
        self.on_accepted, self.on_partial = on_accepted or _ignore, on_partial or _ignore
        self.on_end: OnEnd = _ignore
        #: Given when it is first sent, and kept: the gateway runs none twice.
        self.n: int | None = None
        self.accepted = False
        self.end: End | None = None
