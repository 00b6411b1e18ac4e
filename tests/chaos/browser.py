"""A simulated browser that outlives its connections: it reconnects anywhere and sends again what was not accepted."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import websocket

from support.browser import Tab

#: Seconds within which a gateway must answer a hello, or an event; it may be waiting for Redis meanwhile.
ANSWER_WITHIN = 25.0
#: Seconds before the next try to connect.
CONNECT_AGAIN = 0.1
#: What a gateway may answer to an event that is then to be sent again.
TRY_AGAIN = ("unavailable", "mailbox_full", "rate_limited", "no_worker")
#: Close codes after which a browser comes back.
COME_BACK = (1005, 1006, 1012, 4002)
#: Of how many events one is sent twice at once, and of how many reconnections one repeats the last accepted events.
SENT_TWICE, REPEATED = 20, 2
#: How many accepted events are sent again then.
LAST = 3
#: The share of browsers that read what was added to texts.
READERS = 0.8
CONNECTION_ERRORS = (websocket.WebSocketException, OSError)

#: Handler, its weight in the mix, and the least and most seconds it takes.
MIX = (
    ("short", 52, 0.0, 0.0),
    ("short_async", 16, 0.0, 0.02),
    ("slow", 26, 0.05, 0.15),
    ("long", 3, 1.5, 3.0),
    ("long_async", 3, 1.5, 3.0),
)
LONG = ("long", "long_async")


@dataclass(slots=True)
class Sent:
    """One event, as its browser knows it. Times are by `time.monotonic`."""

    n: int
    handler: str
    payload: list[Any]
    #: Of the first time it was sent, and the connection on which it was, counted per browser.
    at: float
    connection: int
    times: int = 1
    #: When it is sent again unless it is answered; None while an answer is awaited.
    again_at: float | None = None
    awaited_since: float = 0.0
    accepted_at: float | None = None
    #: Whether its very first sending was answered with `accepted`.
    plainly: bool = False


class Browser(Tab):
    """One tab. A thread calls `step` whenever something may be due, and `take_in` when its socket is readable."""

    def __init__(self, urls: Sequence[str], seed: str, client: str, token: str | None, rate: float) -> None:
        self.urls, self.rate = list(urls), rate
        self._random = random.Random(seed)
        self.sent: dict[int, Sent] = {}
        #: Events whose end it knows of.
        self.over: set[int] = set()
        #: Events that were unanswered when a snapshot came: they may have ended long ago.
        self.unsure: set[int] = set()
        self.connections = 1
        #: What the gateway owed and did not do.
        self.broken: list[str] = []
        #: Set by another thread: drop the socket at the next step.
        self.drop_now = False
        self.joined = False
        self._hello_at: float | None = None
        self._reconnect_at = 0.0
        self._hello_since = 0.0
        # Some can read less, and make the store say everything to all browsers of their session.
        add = self._random.random() < READERS
        super().__init__(self._random.choice(self.urls), client=client, token=token, add=add)
        self._fire_at = time.monotonic() + self._random.expovariate(self.rate)

    @property
    def raw_socket(self) -> socket.socket | None:
        """The socket, for `select`; None while there is none."""
        return self._socket.sock if self._socket is not None else None

    @property
    def unaccepted(self) -> list[Sent]:
        """Events that have no receipt, in the order of their numbers."""
        return [one for one in self.sent.values() if one.accepted_at is None]

    @property
    def pending(self) -> list[int]:
        """Numbers of accepted events whose end is not known."""
        return sorted(self.accepted - self.over)

    @property
    def is_quiet(self) -> bool:
        """Whether all that was sent was accepted and has ended."""
        return self.joined and not self.unaccepted and not self.pending

    # --- called by the session's thread ---

    def step(self, *, firing: bool) -> None:
        """Do what is due: reconnect, say hello again, send again, fire."""
        if self.drop_now:
            self.drop_now = False
            self._lose_socket()
        if self.closed is not None:
            self._note_close(*self.closed)
        now = time.monotonic()
        if self._socket is None:
            if now >= self._reconnect_at:
                self._connect_somewhere()
        elif not self.joined:
            self._hello_again(now)
        else:
            self._send_again(now)
            if firing and now >= self._fire_at:
                self._fire_at = now + self._random.expovariate(self.rate)
                self._fire_one()

    def take_in(self) -> None:
        """Read one frame."""
        try:
            self.read(0.2)
        except CONNECTION_ERRORS as error:
            self._break(f"a damaged frame: {error!r}")
            self._lose_socket()

    def leave(self) -> None:
        """End the connection for good."""
        self._lose_socket()

    # --- connecting ---

    def _connect_somewhere(self) -> None:
        self.joined = False
        try:
            self.connect(self._random.choice(self.urls))
        except CONNECTION_ERRORS:
            self._lose_socket()
            return
        self.connections += 1
        self._hello_since = time.monotonic()
        self._say_hello()

    def _say_hello(self) -> None:
        self._hello_at = None
        hello = {"type": "hello", "client": self.client, "session": self.token, "seq": self.seq, "add": self.add}
        self._try_send(hello)

    def _hello_again(self, now: float) -> None:
        if self._hello_at is not None and now >= self._hello_at:
            self._hello_since = now
            self._say_hello()
        elif self._hello_at is None and now > self._hello_since + ANSWER_WITHIN:
            self._break(f"no answer to a hello within {ANSWER_WITHIN} s")
            self._lose_socket()

    def _note_close(self, code: int, reason: str) -> None:
        if code not in COME_BACK:
            self._break(f"closed with {code}: {reason}")
        self._lose_socket()

    def _lose_socket(self) -> None:
        self.drop()
        self.closed, self.joined = None, False
        self._reconnect_at = max(self._reconnect_at, time.monotonic() + CONNECT_AGAIN)

    # --- sending ---

    def _fire_one(self) -> None:
        ((handler, _, least, most),) = self._random.choices(MIX, weights=[one[1] for one in MIX])
        self.n += 1
        seconds = round(self._random.uniform(least, most), 3)
        now = time.monotonic()
        one = Sent(self.n, handler, [self.client, self.n, seconds], now, self.connections, awaited_since=now)
        self.sent[self.n] = one
        self._send_event(one)
        if self._random.randrange(SENT_TWICE) == 0:
            self._repeat(one)

    def _repeat(self, one: Sent) -> None:
        """Send an event once more that may have been accepted: it must not run again."""
        one.times += 1
        self._send_event(one)

    def _send_again(self, now: float) -> None:
        for one in self.unaccepted:
            if one.again_at is not None and now >= one.again_at:
                one.again_at, one.awaited_since = None, now
                one.times += 1
                self._send_event(one)
            elif one.again_at is None and now > one.awaited_since + ANSWER_WITHIN:
                self._break(f"no answer to event {one.n} within {ANSWER_WITHIN} s")
                self._lose_socket()

    def _send_event(self, one: Sent) -> None:
        self._try_send({"type": "event", "n": one.n, "handler": one.handler, "payload": one.payload})

    def _try_send(self, envelope: dict[str, Any]) -> None:
        if self._socket is None:
            return
        try:
            self.send(envelope)
        except CONNECTION_ERRORS:
            self._lose_socket()

    # --- from the gateway ---

    def _take(self, envelope: dict[str, Any]) -> None:
        super()._take(envelope)
        now = time.monotonic()
        match envelope["type"]:
            case "accepted":
                self._note_accepted(envelope["n"], now, by_receipt=True)
            case "rejected":
                self._take_rejected(envelope, now)
            case "restart":
                # All of it would leave this gateway's browsers silent for half of a short run.
                self._reconnect_at = now + envelope["delay"] / 5

    def _take_welcome(self, envelope: dict[str, Any]) -> None:
        super()._take_welcome(envelope)
        now = time.monotonic()
        self.joined = True
        for n in [*envelope["pending"], *(end["n"] for end in envelope["ended"])]:
            self._note_accepted(n, now)
        self.over.update(end["n"] for end in envelope["ended"])
        if "state" in envelope:
            self.over.update(n for n in self.accepted if n not in envelope["pending"])
            self.unsure.update(one.n for one in self.unaccepted)
        for one in self.unaccepted:
            one.again_at = now
        if self._random.randrange(REPEATED) == 0:
            for n in sorted(self.accepted)[-LAST:]:
                self._repeat(self.sent[n])

    def _take_update(self, update: dict[str, Any]) -> None:
        event = update["event"]
        if event["client"] == self.client and event["n"] in self.sent:
            self._excuse(self.sent[event["n"]])
        super()._take_update(update)
        if event["client"] == self.client and update["done"]:
            self.over.add(event["n"])

    def _excuse(self, one: Sent) -> None:
        # An event from an earlier connection may be accepted there after the welcome here was read.
        if one.accepted_at is None and one.connection != self.connections:
            self.accepted.add(one.n)
            self._note_accepted(one.n, time.monotonic())

    def _note_accepted(self, n: int, now: float, *, by_receipt: bool = False) -> None:
        one = self.sent.get(n)
        if one is None:
            self._break(f"an event that it never sent was accepted: {n}")
        elif one.accepted_at is None:
            one.accepted_at = now
            one.plainly = by_receipt and one.times == 1 and one.connection == self.connections

    def _take_rejected(self, envelope: dict[str, Any], now: float) -> None:
        n, code, after = envelope["n"], envelope["code"], envelope["retry_after"]
        if code not in TRY_AGAIN:
            self._break(f"rejected: {envelope}")
        if n is None:
            self._hello_at = now + (after or CONNECT_AGAIN)
        elif n in self.sent:
            self.sent[n].again_at = now + (after or CONNECT_AGAIN)

    def _break(self, text: str) -> None:
        self.broken.append(f"{self.client} at {self.url}: {text}")
