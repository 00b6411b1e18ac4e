"""A client's part of the protocol, without I/O: frames in, frames out, and what to do when.

Whoever drives it opens sockets, gives it what comes, sends what it takes with `take_out`, calls it again at `due`, and
makes the `calls` that it leaves, once no lock is held. Times are seconds of any clock that only goes forward.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgpack

from manyhands.client.ends import CLOSED, EXPIRED, OUTBOX_FULL, SESSION_ENDED, UNKNOWN_END, End, Entry, Error, pack
from manyhands.client.states import States
from manyhands.client.subscriptions import Subscriptions
from manyhands.wire import Close, Failure, Key, Rejection, Type

#: Seconds before the first reconnect; doubled for each further one, up to the longest. Half of it is left to chance.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
#: Seconds after which a connection has proved that it works, so that the next pause is the first one again.
SETTLED = 5.0
#: Seconds before what was put off is sent again, where the gateway does not say.
RETRY = 1.0
#: Events that wait to be accepted at most.
LIMIT = 256
#: How the reasons of a close with `Close.PROTOCOL` begin that time mends. Any other is a fault that would be repeated.
PASSING = ("flooding", "`hello` must come within")


class Status(StrEnum):
    """Where a client stands."""

    CONNECTING = "connecting"
    OPEN = "open"
    CLOSED = "closed"


class Protocol:
    """One client: the session's state, and an outbox."""

    def __init__(self, session: str | None, lifetime: float | None = None) -> None:
        """`session`: the token of a session to join. `lifetime`: seconds that events may wait to be sent."""
        self.client = uuid.uuid4().hex
        self.session, self.lifetime = session, lifetime
        self.states = States()
        self.subscriptions = Subscriptions()
        self.status = Status.CONNECTING
        #: Why it is closed, and with which code.
        self.reason, self.code = "", 0
        #: Whether the socket is to be closed: to go on from what was seen, or for good.
        self.wants_close = False
        #: What is to be called.
        self.calls: list[Callable[[], object]] = []
        #: When to connect next, while there is no socket.
        self.connect_at = 0.0
        self._out: list[bytes] = []
        self._outbox: list[Entry] = []
        self._running: dict[int, Entry] = {}
        self._cancelling: set[int] = set()
        self._highest = 0
        self._pause = FIRST_PAUSE
        self._restart_delay: float | None = None
        #: When this connection was welcomed.
        self._welcomed_at: float | None = None
        #: When to say hello again, or to send what was put off.
        self._again_at: float | None = None

    # --- for the driver ---

    @property
    def due(self) -> float | None:
        """When `tick` is to be called; None: not before something comes."""
        return self._again_at

    def take_out(self) -> list[bytes]:
        """Take the frames that are to be sent, in order."""
        out, self._out = self._out, []
        return out

    def take_calls(self) -> list[Callable[[], object]]:
        """Take what is to be called."""
        calls, self.calls = self.calls, []
        return calls

    def opened(self) -> None:
        """Begin on a new socket."""
        self._out.clear()
        self.wants_close, self._again_at = False, None
        self._hello()

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self._again_at is not None and now >= self._again_at:
            self._again_at = None
            if self.status is Status.OPEN:
                self._resend(now)
            else:
                self._hello()

    def received(self, frame: bytes, now: float) -> None:
        """Take a frame."""
        envelope = msgpack.unpackb(frame, strict_map_key=False)
        match envelope[Key.TYPE]:
            case Type.WELCOME:
                self._welcome(envelope, now)
            case Type.ACCEPTED:
                # A welcome proves less: the first event may make a gateway close the connection.
                self._pause = FIRST_PAUSE
                self._accepted(envelope[Key.N])
            case Type.UPDATE:
                self._update(envelope)
            case Type.REJECTED:
                self._rejected(envelope, now)
            case Type.RESTART:
                self._restart_delay = envelope[Key.DELAY]

    def lost(self, code: int, reason: str, now: float) -> None:
        """Note that the socket has ended, or could not be opened."""
        self._out.clear()
        self._again_at = None
        if self.status is Status.CLOSED:
            return
        passing = reason.startswith(PASSING)
        if code == Close.REFUSED or (code == Close.PROTOCOL and not passing):
            self.close(f"the gateway closed the connection ({code} {reason})", code)
            return
        if code == Close.SESSION_UNKNOWN:
            self._forget_session()
        if code == Close.TOO_BIG:
            self._drop_largest()
        self.status = Status.CONNECTING
        if self._welcomed_at is not None and now - self._welcomed_at > SETTLED:
            self._pause = FIRST_PAUSE
        self._welcomed_at = None
        if code == Close.PROTOCOL:
            self._pause = LONGEST_PAUSE
        pause = self._pause * random.uniform(0.5, 1)
        self.connect_at = now + (pause if self._restart_delay is None else self._restart_delay)
        self._pause, self._restart_delay = min(2 * self._pause, LONGEST_PAUSE), None

    def close(self, reason: str, code: int = 0) -> None:
        """Come to the end: what has not ended never will."""
        if self.status is Status.CLOSED:
            return
        self.status, self.reason, self.code, self.wants_close = Status.CLOSED, reason, code, True
        for entry in [*self._outbox, *self._running.values()]:
            self._finish(entry, None, CLOSED, reason)
        self._outbox, self._running = [], {}

    # --- for the program ---

    @property
    def unsent(self) -> int:
        """How many events were not accepted yet."""
        return len(self._outbox)

    def fire(self, entry: Entry, now: float) -> None:
        """Send an event, or keep it until it can be sent."""
        if self.status is Status.CLOSED:
            self._finish(entry, False, CLOSED, self.reason)
        elif len(self._outbox) >= LIMIT:
            self._finish(entry, False, OUTBOX_FULL, f"{LIMIT} events wait to be accepted already")
        else:
            if entry.until is None and self.lifetime is not None:
                entry.until = now + self.lifetime
            self._outbox.append(entry)
            if self.status is Status.OPEN and self._again_at is None:
                self._send(entry)

    def cancel(self, entry: Entry) -> None:
        """Ask for the end of an event."""
        if entry.end is not None:
            return
        if entry.n is None:
            self._outbox.remove(entry)
            self._finish(entry, False, Failure.CANCELLED, "cancelled before it was sent")
        else:
            self.cancel_number(entry.n)

    def cancel_number(self, n: int) -> None:
        """Ask for the end of an event by its number."""
        if self.status is Status.OPEN:
            self._say({Key.TYPE: Type.CANCEL, Key.N: n})
        else:
            self._cancelling.add(n)

    # --- from the gateway ---

    def _hello(self) -> None:
        hello: dict[Key, Any] = {Key.TYPE: Type.HELLO, Key.CLIENT: self.client, Key.ADD: True}
        if self.session is not None:
            hello[Key.SESSION] = self.session
            if self.states.own.seq is not None:
                hello |= {Key.SEQ: self.states.own.seq, Key.SHARED: self.states.seqs}
        self._say(hello)

    def _welcome(self, welcome: Mapping[str, Any], now: float) -> None:
        self.session = welcome[Key.SESSION]
        self._highest = max(self._highest, welcome[Key.N])
        if self.states.welcome(welcome):
            self.calls += self.subscriptions.all_of(self.states)
        self.status, self._welcomed_at = Status.OPEN, now
        if Key.STATE in welcome:
            self._settle(welcome)
        self._resend(now)
        for n in sorted(self._cancelling):
            self.cancel_number(n)
        self._cancelling.clear()

    def _settle(self, welcome: Mapping[str, Any]) -> None:
        """End the events that have ended while the client was away, where their updates do not follow."""
        for told in welcome[Key.ENDED]:
            self._ended(told[Key.N], told)
        for n in welcome[Key.PENDING]:
            self._accepted(n)
        for n in [n for n in self._running if n not in welcome[Key.PENDING]]:
            self._finish(self._running.pop(n), None, UNKNOWN_END, "it has ended while the client was away")

    def _accepted(self, n: int) -> None:
        for entry in self._take(lambda one: one.n == n):
            entry.accepted = True
            self._running[n] = entry
            self.calls.append(lambda entry=entry: entry.on_accepted(n))  # type: ignore[misc]

    def _update(self, update: Mapping[str, Any]) -> None:
        copy = self.states.copy_of(update)
        seen = copy.seq
        if not copy.apply(update):
            # Go on from what was seen.
            self.wants_close = True
            return
        if copy.seq == seen and Key.STATE not in update:
            return
        self.calls += self.subscriptions.changed_by(update, self.states)
        event = update.get(Key.EVENT)
        if event is None or event[Key.CLIENT] != self.client:
            return
        if update[Key.DONE]:
            self._ended(event[Key.N], update)
            return
        # The answer that it was accepted may have got lost with the last connection.
        self._accepted(event[Key.N])
        entry = self._running.get(event[Key.N])
        if entry is not None:
            entry.mail += update.get(Key.MAIL, ())
            self.calls.append(lambda: entry.on_partial(update))

    def _ended(self, n: int, told: Mapping[str, Any]) -> None:
        self._accepted(n)
        entry = self._running.pop(n, None)
        if entry is not None:
            self._end(entry, End.of(entry.handler, n, told, entry.mail))

    def _rejected(self, rejected: Mapping[str, Any], now: float) -> None:
        n, code, seconds = rejected[Key.N], rejected[Key.CODE], rejected[Key.RETRY_AFTER]
        if seconds is None and (self.status is not Status.OPEN or code == Rejection.NO_WORKER):
            # Where no worker knows the app yet, nothing is wrong with the event.
            seconds = RETRY
        if seconds is not None:
            self._again_at = self._again_at or now + seconds
            return
        for entry in self._take(lambda one: n is not None and one.n == n):
            self._finish(entry, False, code, rejected[Key.MESSAGE])

    # --- the outbox ---

    def _resend(self, now: float) -> None:
        """Send all that was not accepted, with the numbers it had, and the rest behind it."""
        for entry in self._take(lambda one: one.n is None and one.until is not None and one.until < now):
            self._finish(entry, False, EXPIRED, "it could not be sent within its lifetime")
        for entry in self._outbox:
            self._send(entry)

    def _send(self, entry: Entry) -> None:
        if entry.n is None:
            self._highest += 1
            entry.n = self._highest
        self._out.append(entry.frame())

    def _take(self, condition: Callable[[Entry], bool]) -> Sequence[Entry]:
        taken = [entry for entry in self._outbox if condition(entry)]
        self._outbox = [entry for entry in self._outbox if entry not in taken]
        return taken

    def _forget_session(self) -> None:
        """Leave a session that is gone. What was sent there may have run there, so it is not sent to the next one."""
        self.session, self._highest = None, 0
        self.states.forget()
        for entry in [*self._take(lambda one: one.n is not None), *self._running.values()]:
            self._finish(entry, None, SESSION_ENDED, "its session has ended, and it may have run there")
        self._running.clear()
        self._cancelling.clear()

    def _drop_largest(self) -> None:
        sent = [entry for entry in self._outbox if entry.n is not None]
        largest = max(sent, key=lambda one: one.size, default=None)
        for entry in self._take(lambda one: one is largest):
            self._finish(entry, False, Rejection.PAYLOAD_TOO_LARGE, "its payload is too large")

    def _finish(self, entry: Entry, ok: bool | None, code: str, why: str) -> None:
        self._end(entry, End(entry.handler, entry.n, ok, None, Error(code, why)))

    def _end(self, entry: Entry, end: End) -> None:
        entry.end = end
        self.calls.append(lambda: entry.on_end(end))

    def _say(self, envelope: Mapping[Key, Any]) -> None:
        self._out.append(pack(envelope))
