"""One session of a load test: what its client sends, and whether what it gets is as promised. Without I/O.

Whoever owns the socket sends what `hello`, `fire` and `unaccepted` give, hands every envelope to `take`, does what it
answers, and says `disconnected` when the socket is gone. All times are seconds of the caller's one clock.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from manyhands.errors import ManyHandsError
from manyhands.load.checks import Observer, Problem, look_up, value_after
from manyhands.wire import Key, Rejection, Type

#: Types of payloads that are packed once for all events: those that are equal are packed alike.
_UNCHANGING = frozenset({type(None), str, bytes})
#: A number of 8 bytes, as msgpack has it.
_NUMBER = struct.Struct(">BQ")
#: Seconds until what was rejected is sent again, where the gateway names no time.
RETRY_AFTER = 1.0
#: Seconds until a socket on which updates were missing is followed by another.
RESUME_AFTER = 0.1


class EventRefused(ManyHandsError):
    """The deployment will never accept such an event, so that there is nothing to measure."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"the deployment refuses the event ({code}): {message}")


@dataclass(frozen=True, slots=True)
class Ended:
    """An event of this session, or several, may have ended: a closed loop fires the next."""


@dataclass(frozen=True, slots=True)
class Welcomed:
    """The session is joined: send `unaccepted`."""


@dataclass(frozen=True, slots=True)
class Resend:
    """Send `unaccepted` after so many seconds."""

    after: float


@dataclass(frozen=True, slots=True)
class Greet:
    """Say `hello` again after so many seconds; `reason` is why there was no welcome."""

    after: float
    reason: str


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Drop the socket and resume, after the seconds that a restarting gateway asks for, or after a gap."""

    after: float
    #: The gateway says that it is going; it closes the socket by itself.
    restart: bool


Act = Ended | Welcomed | Resend | Greet | Reconnect
ENDED, WELCOMED = Ended(), Welcomed()


@dataclass(slots=True)
class Shot:
    """One event that has not ended."""

    intended: float
    envelope: bytes
    accepted: bool = False


class Session:
    """A session with one client. `key` is the path of the counter that every handled event raises by one, if any."""

    def __init__(self, observer: Observer, key: Sequence[str] | None = None) -> None:
        self.client = uuid.uuid4().hex
        self.token: str | None = None
        #: The last update seen; None before the first welcome.
        self.seq: int | None = None
        self.key = key
        #: The counter, as the updates have made it.
        self.value: Any = None
        #: By number, all that was fired and has not ended, in order.
        self.outstanding: dict[int, Shot] = {}
        self.welcomed = False
        self._observer = observer
        self._n = 0
        #: What was fired last, and its envelope up to the number: all but the number is packed once.
        self._fires: tuple[str, object] | None = None
        self._before_n = b""
        self._holding = False
        #: The counter at the beginning; how many events have ended well since, and in all.
        self._start, self._handled, self._ended = 0, 0, 0

    # --- to the gateway ---

    def hello(self, *, resume: bool = True) -> bytes:
        """Give the envelope that joins the session; without `resume` it asks for the whole state."""
        envelope: dict[str, Any] = {Key.TYPE: Type.HELLO, Key.CLIENT: self.client}
        if self.token is not None:
            envelope[Key.SESSION] = self.token
        if resume and self.seq is not None:
            envelope[Key.SEQ] = self.seq
        return _pack(envelope)

    def fire(self, handler: str, payload: object, intended: float) -> bytes | None:
        """Note an event, and give its envelope; None where it has to wait until `unaccepted` is sent."""
        self._n += 1
        # What is equal may be changed in place, or be of another type.
        if type(payload) not in _UNCHANGING or self._fires != (handler, payload):
            self._fires, self._before_n = (handler, payload), _pack_before_n(handler, payload)
        shot = Shot(intended, self._before_n + _NUMBER.pack(0xCF, self._n))
        self.outstanding[self._n] = shot
        self._observer.fired()
        return shot.envelope if self.welcomed and not self._holding else None

    def unaccepted(self) -> list[bytes]:
        """Give all that was not accepted, as it was first sent: the gateway runs none of it twice."""
        self._holding = False
        return [shot.envelope for shot in self.outstanding.values() if not shot.accepted]

    def disconnected(self) -> None:
        """Note that the socket is gone."""
        self.welcomed = self._holding = False

    # --- from the gateway ---

    def take(self, envelope: Mapping[str, Any], now: float) -> Act | None:
        """Take in an envelope. Raises `EventRefused` when it makes no sense to go on."""
        match envelope[Key.TYPE]:
            case Type.UPDATE:
                return self._take_update(envelope, now)
            case Type.ACCEPTED:
                if (shot := self.outstanding.get(envelope[Key.N])) is not None:
                    shot.accepted = True
            case Type.REJECTED:
                return self._take_rejected(envelope)
            case Type.WELCOME:
                self._take_welcome(envelope, now)
                return WELCOMED
            case Type.RESTART:
                return Reconnect(float(envelope[Key.DELAY]), restart=True)
        return None

    def _take_update(self, update: Mapping[str, Any], now: float) -> Act | None:
        due, seq = (self.seq or 0) + 1, update[Key.SEQ]
        if seq < due:
            self._observer.problem(Problem.REPEATED, f"update {seq} came again where {due} was due")
            return None
        if seq > due:
            self._observer.problem(Problem.GAP, f"update {seq} came where {due} was due")
            return Reconnect(RESUME_AFTER, restart=False)
        self.seq = seq
        if self.key is not None:
            self.value = value_after(self.value, self.key, update)
        event = update[Key.EVENT]
        if not update[Key.DONE] or event[Key.CLIENT] != self.client:
            return None
        self._end(event[Key.N], update, now)
        return ENDED

    def _end(self, n: int, end: Mapping[str, Any], now: float) -> None:
        shot = self.outstanding.pop(n, None)
        if shot is None:
            self._observer.problem(Problem.ENDED_TWICE, f"event {n} ended a second time")
            return
        self._ended += 1
        self._handled += bool(end[Key.OK])
        self._observer.ended(shot.intended, now, (end[Key.ERROR] or {}).get(Key.CODE))

    def _take_welcome(self, welcome: Mapping[str, Any], now: float) -> None:
        if self.token is not None and not welcome[Key.RESUMED]:
            self._observer.problem(Problem.SESSION_LOST, "a reconnect began a new session")
        for n in welcome[Key.PENDING]:
            if n in self.outstanding:
                self.outstanding[n].accepted = True
        self.token, self.welcomed = welcome[Key.SESSION], True
        if Key.STATE not in welcome:
            return  # the updates since `seq` follow, and tell what has ended
        value = look_up(welcome[Key.STATE], self.key or ())
        if self.seq is None:
            self._start = value if isinstance(value, int) else 0
        else:
            self._catch_up(welcome, now)
        self.seq, self.value = welcome[Key.SEQ], value

    def _catch_up(self, welcome: Mapping[str, Any], now: float) -> None:
        """End what the updates that are no longer kept have ended."""
        for end in welcome[Key.ENDED]:
            if end[Key.N] in self.outstanding:
                self._end(end[Key.N], end, now)
        gone = {n for n, shot in self.outstanding.items() if shot.accepted} - set(welcome[Key.PENDING])
        for n in gone:
            shot = self.outstanding.pop(n)
            if n <= welcome[Key.N]:
                self._ended += 1
                self._observer.ended(shot.intended, now, None)
            else:
                self._observer.problem(Problem.LOST, f"event {n} was accepted, and is not known any more")

    def _take_rejected(self, rejected: Mapping[str, Any]) -> Act | None:
        code, message, after = rejected[Key.CODE], rejected[Key.MESSAGE], rejected[Key.RETRY_AFTER]
        self._observer.rejected(code)
        if not self.welcomed:
            return Greet(RETRY_AFTER if after is None else after, message)
        if after is None and code != Rejection.UNAVAILABLE:
            raise EventRefused(code, message)
        if self._holding:
            return None
        self._holding = True
        return Resend(RETRY_AFTER if after is None else after)

    # --- when all is over ---

    def give_up(self) -> None:
        """Count what has not ended as lost."""
        for n, shot in self.outstanding.items():
            which = "accepted" if shot.accepted else "sent, perhaps never accepted,"
            self._observer.problem(Problem.LOST, f"event {n} was {which} and has not ended")
        self.outstanding.clear()

    def verify(self, welcome: Mapping[str, Any]) -> None:
        """Compare what was seen with the session as it is stored: a welcome to `hello(resume=False)`."""
        if welcome[Key.PENDING]:
            self._observer.problem(Problem.LOST, f"events {welcome[Key.PENDING]} are pending still")
        if welcome[Key.SEQ] != self.seq:
            self._observer.problem(Problem.GAP, f"{welcome[Key.SEQ]} updates were sent, {self.seq} arrived")
        if self.key is None:
            return
        self.check_counter()
        stored = look_up(welcome[Key.STATE], self.key)
        if stored != self.value:
            name = ".".join(self.key)
            self._observer.problem(Problem.STATE, f"`{name}` is {stored!r}, the updates made it {self.value!r}")

    def check_counter(self) -> None:
        """Compare the counter, as the updates made it, with what has ended; an event that failed may have counted."""
        if self.key is None:
            return
        least, most = self._start + self._handled, self._start + self._ended
        if not isinstance(self.value, int) or not least <= self.value <= most:
            expected = f"{least}" if least == most else f"{least} to {most}"
            self._observer.problem(Problem.STATE, f"`{'.'.join(self.key)}` is {self.value!r}, expected {expected}")


def _pack_before_n(handler: str, payload: object) -> bytes:
    event: dict[str, Any] = {Key.TYPE: Type.EVENT, Key.HANDLER: handler, Key.PAYLOAD: payload, Key.N: 0}
    return _pack(event)[:-1]


def _pack(envelope: Mapping[str, Any]) -> bytes:
    return bytes(msgpack.packb(envelope) or b"")
