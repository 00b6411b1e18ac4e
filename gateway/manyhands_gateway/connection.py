"""One browser's socket as the rest of the gateway sees it: what may be sent to it, and when it must end."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

from gevent.event import Event as Signal

from manyhands.abilities import PLAIN
from manyhands.settings import Settings
from manyhands.wire import Close
from manyhands_gateway.budget import Budget
from manyhands_gateway.delivery import Delivery, accepted_frame
from manyhands_gateway.frames import encode_frame
from manyhands_gateway.framing import PING, close_frame, data_frame
from manyhands_gateway.outbox import Outbox, reset_when_closed
from manyhands_gateway.protocol import Protocol
from manyhands_gateway.sessions import Greeting

#: Seconds between two calls of `look_after`; 10,000 connections take about a millisecond.
ROUND = 0.5
#: Seconds that a peer gets to read what waits and to answer our close frame.
CLOSE_WITHIN = 5.0
#: Seconds that a browser which reads too slowly gets to reach our close frame, behind a frame that is half written.
SLOW_CLOSE_WITHIN = 20.0
#: Updates that are held back while receipts are on their way; a browser beyond that resumes from its `seq`.
MAX_HELD = 2000
#: Frames a connection may send that ask for nothing which is done: pings, pongs, and what is refused as it stands. As
#: many come at once, and so many more a second. A browser sends one pong in 25 s.
BURDEN_BURST, BURDEN_RATE = 200, 50


class Connection:
    """One socket. Everything here returns at once; only the endpoint's greenlet reads from it."""

    __slots__ = (
        "_burdens", "_held", "_settings", "_settled", "abilities", "client", "closing", "code", "deadline", "fired",
        "flooding", "heard", "on_joined", "outbox", "pinged", "protocol", "secret", "seq", "session", "shared",
        "sock", "subprotocol", "unanswered",
    )  # fmt: skip

    def __init__(self, sock: Any, subprotocol: str, settings: Settings) -> None:
        self.sock, self.subprotocol = sock, subprotocol
        self._settings = settings
        self.protocol = Protocol(subprotocol, settings.max_payload, settings.max_nesting)
        self.outbox = Outbox(sock, self._lags, self.abort, settings.send_within)
        #: Set once it has had its welcome.
        self.session: str | None = None
        self.client = ""
        #: What it can read, as its hello says.
        self.abilities = PLAIN
        #: The page's scripts may not have the session's token: a cookie carries it.
        self.secret = False
        #: Of its hello: the last update that the browser has seen of each room.
        self.shared: Mapping[str, int] = {}
        #: Called when an update was sent by which its session joins rooms, with True, or leaves them; must not wait.
        self.on_joined: Callable[[Connection, Mapping[str, bool]], None] = _nothing
        #: The last update that it was sent.
        self.seq = 0
        #: Letters that were handed to the accepter and have no receipt yet.
        self.unanswered = 0
        self._settled: Signal | None = None
        #: Updates held back until the receipts of a pipeline in flight were sent; None while nothing is in flight.
        self._held: list[Delivery] | None = None
        self.closing = False
        #: Of the close frame that was sent, if one was.
        self.code: int | None = None
        self._burdens = Budget(BURDEN_BURST, BURDEN_RATE)
        #: Set once it has sent more of `burden` than it may; nothing that it sends is looked at any more.
        self.flooding = False
        self.heard = self.pinged = monotonic()
        #: When its last event was handed to the accepter.
        self.fired = float("-inf")
        #: When the connection ends unless something happens: its first hello, or the answer to our close.
        self.deadline: float | None = self.heard + settings.hello_within

    # --- sending ---

    def send(self, envelope: object) -> None:
        """Send an envelope to this browser alone."""
        self.outbox.put(data_frame(encode_frame(envelope, self.subprotocol), self.subprotocol))

    def greet(self, greeting: Greeting) -> None:
        """Send what a browser is given that joins."""
        self.welcome(greeting.frames(self.subprotocol), greeting.seq)

    def welcome(self, frames: Sequence[bytes], seq: int) -> None:
        """Send a welcome and the updates that belong to it, up to `seq`."""
        self.outbox.put(frames[0] if len(frames) == 1 else b"".join(frames))
        self.seq = seq
        self.deadline = None

    def deliver(self, update: Delivery) -> None:
        """Send an update unless the browser has had it; hold it back while a receipt must come first."""
        if self.closing:
            return
        if self._held is not None:
            self._held.append(update)
            if len(self._held) > MAX_HELD:
                self._lags()
        elif update.seq > self.seq:
            if update.adds and not self.abilities.add:
                # Redis has forgotten that this browser is here. Joining again says so.
                self._lags()
                return
            self.seq = update.seq
            self.outbox.put(update.frame(self.subprotocol))
            if update.joined:
                self.on_joined(self, update.joined)

    def accepted(self, n: int) -> None:
        """Tell this browser that its event is durable."""
        self.outbox.put(accepted_frame(n, self.subprotocol))

    def hold(self) -> None:
        """Hold updates back: a pipeline with letters of this connection is sent, and its receipts come first."""
        self._held = []

    def release(self) -> None:
        """Send what was held back."""
        held, self._held = self._held, None
        for update in held or ():
            self.deliver(update)
        self.outbox.uncork()

    # --- letters that wait for their receipts ---

    def submitted(self) -> None:
        """Count a letter that was handed to the accepter."""
        self.unanswered += 1
        self.fired = monotonic()

    def answered(self) -> None:
        """Count a receipt."""
        self.unanswered -= 1
        if self.unanswered == 0 and self._settled is not None:
            self._settled.set()
            self._settled = None

    def wait_settled(self) -> None:
        """Wait until every letter has its receipt."""
        while self.unanswered:
            self._settled = self._settled or Signal()
            self._settled.wait()

    # --- the end ---

    def burden(self) -> None:
        """Count a frame that asks for nothing which is done; too many of them end the connection."""
        if self._burdens.spend():
            return
        self.flooding = True
        what = f"more than {BURDEN_RATE} pings, pongs or refused frames a second"
        self.close(Close.PROTOCOL, f"flooding: {what}", drop=True)

    def close(self, code: int, reason: str = "", *, drop: bool = False) -> None:
        """Send a close frame, after what waits unless `drop`; the socket ends when the browser answers, or soon."""
        if self.closing:
            return
        self.closing = True
        self.code = code
        self.protocol.closed()
        self.deadline = monotonic() + CLOSE_WITHIN
        self.outbox.finish(close_frame(code, reason), drop=drop)

    def abort(self) -> None:
        """End the socket without a word; the endpoint's greenlet wakes up and leaves."""
        self.closing = True
        self.protocol.closed()
        with contextlib.suppress(OSError):
            if not self.outbox.idle:
                reset_when_closed(self.sock)
            self.sock.shutdown(socket.SHUT_RDWR)

    def look_after(self, now: float) -> None:
        """Do what time demands. The housekeeper calls this every `ROUND`."""
        if self.deadline is not None and now > self.deadline:
            if self.closing:
                self.abort()
            else:
                self.close(Close.PROTOCOL, f"`hello` must come within {self._settings.hello_within:g} s")
        elif now > self.heard + self._settings.dead_after - ROUND:
            # Rather a round early than late.
            self.abort()
        elif now > self.pinged + self._settings.ping_every:
            self.pinged = now
            self.outbox.put(PING)

    def _lags(self) -> None:
        if self.closing:
            return
        self.close(Close.SLOW_CONSUMER, "the browser reads too slowly; reconnect and resume", drop=True)
        self.deadline = monotonic() + SLOW_CLOSE_WITHIN


def _nothing(_connection: Connection, _joined: Mapping[str, bool]) -> None:
    pass
