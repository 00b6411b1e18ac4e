"""Events that a client has fired, and how they have ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

import msgpack

from manyhands.errors import EventFailed
from manyhands.wire import Key, Type

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
    #: What the handler asked the page to do, in order, as far as the client was told.
    mail: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of(cls, handler: str, n: int, told: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> End:
        """Read an update that is the last one of its event, or what a welcome says of it. `before`: earlier mail."""
        error = told[Key.ERROR]
        why = None if error is None else Error(error[Key.CODE], error[Key.MESSAGE])
        return cls(handler, n, told[Key.OK], told[Key.RESULT], why, (*before, *told[Key.MAIL]))

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


def pack(envelope: object) -> bytes:
    """Encode an envelope. Raises `TypeError` for what a client can't send."""
    try:
        packed: Any = msgpack.packb(envelope)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(
            "payload and context are what can be sent: None, bool, int, float, str, bytes, and lists and dicts of "
            f"them; {error}"
        ) from error
    return bytes(packed)


class Entry:
    """One event of a client, from its firing to its end."""

    def __init__(
        self, handler: str, payload: Any, context: Mapping[str, Any] | None, until: float | None,
        on_accepted: OnAccepted | None, on_partial: OnPartial | None,
    ) -> None:  # fmt: skip
        """`until`: when it is of no use any more unless it was sent, by the clock of whoever drives the protocol.

        Raises `TypeError` for what can't be sent.
        """
        if not isinstance(handler, str):
            raise TypeError(f"a handler is named by a string, got {handler!r}")
        if not isinstance(context, (Mapping, NoneType)):
            raise TypeError(f"a context is a dict, got {context!r}")
        self.handler, self.until = handler, until
        fields = {Key.HANDLER: handler, Key.PAYLOAD: payload}
        # Encoded at once: what is sent later, or again, is what was fired, whatever has become of the payload.
        self._packed = pack(fields if context is None else {**fields, Key.CONTEXT: dict(context)})
        self.on_accepted, self.on_partial = on_accepted or _ignore, on_partial or _ignore
        self.on_end: OnEnd = _ignore
        #: Given when it is first sent, and kept: the gateway runs none twice.
        self.n: int | None = None
        self.accepted = False
        #: What has come with its partial updates.
        self.mail: list[Mapping[str, Any]] = []
        self.end: End | None = None

    @property
    def size(self) -> int:
        """Bytes of what it is sent with, about."""
        return len(self._packed)

    def frame(self) -> bytes:
        """Give what is sent."""
        # A map of up to fifteen keys begins with one byte, which holds how many; these come before the others.
        numbered = pack({Key.TYPE: Type.EVENT, Key.N: self.n})
        return bytes([self._packed[0] + 2]) + numbered[1:] + self._packed[1:]
