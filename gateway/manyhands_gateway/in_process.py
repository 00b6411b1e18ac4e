"""A gateway inside another process, without sockets: what the tabs of `manyhands.testing` talk to.

What frames mean, how sessions begin, what verifiers and limits refuse and what a welcome holds is a gateway's own.
Updates need no pub/sub here, and letters no pipeline: whoever made this one hands each update to `received`, in order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from manyhands import envelopes, fields, keys
from manyhands.abilities import PLAIN
from manyhands.settings import Settings
from manyhands.store.contract import Letter, Store
from manyhands.updates import encode_room_state, joined_in
from manyhands.wire import SUBPROTOCOL_MSGPACK
from manyhands_gateway.accepter import answer
from manyhands_gateway.arrivals import Arrival, Arrivals
from manyhands_gateway.connection import Connection
from manyhands_gateway.conversation import Conversation
from manyhands_gateway.conversation import Services as GatewayServices
from manyhands_gateway.frames import encode_frame, pack
from manyhands_gateway.handler_names import HandlerNames
from manyhands_gateway.hub import Hub as GatewayHub
from manyhands_gateway.meter import Meter
from manyhands_gateway.protocol import Protocol
from manyhands_gateway.ringer import Ringer as GatewayRinger
from manyhands_gateway.sessions import Handshake, Sessions
from manyhands_gateway.verification import Verification

Ring = Callable[[str, int, str], None]


class Line:
    """One tab's connection, in the place of a socket's."""

    def __init__(
        self, settings: Settings, deliver: Callable[[bytes], None], closed: Callable[[int, str], None]
    ) -> None:
        """`deliver` gets every frame for the tab, `closed` the code and the reason of a close."""
        self.protocol = Protocol(SUBPROTOCOL_MSGPACK, settings.max_payload, settings.max_nesting)
        self.subprotocol = SUBPROTOCOL_MSGPACK
        self.deliver, self._closed = deliver, closed
        self.session: str | None = None
        self.client = ""
        self.secret = self.closing = False
        self.abilities = PLAIN
        self.deadline: float | None = None
        #: Of its hello, and what a gateway calls when its session joins rooms: the hub here sees to both.
        self.shared: Mapping[str, int] = {}
        self.on_joined: object = None

    def send(self, envelope: object) -> None:
        """Send an envelope."""
        self.deliver(encode_frame(envelope, self.subprotocol))

    def accepted(self, n: int) -> None:
        """Tell the tab that its event is in its mailbox."""
        self.send(envelopes.accepted(n))

    def close(self, code: int, reason: str = "", *, drop: bool = False) -> None:
        """Close the connection."""
        if not self.closing:
            self.closing = True
            self.protocol.closed()
            self._closed(code, reason)

    def burden(self) -> None:
        """A test may be refused as often as it likes."""

    def wait_settled(self) -> None:
        """Every letter has its receipt at once."""


class Hub:
    """Who follows which session, and which room."""

    def __init__(self, store: Store, sessions: Sessions) -> None:
        self._store, self._sessions = store, sessions
        #: By session or room.
        self._followers: dict[str, list[Line]] = {}
        #: Sessions of which a verification waits to hear.
        self._listening: dict[str, threading.Event] = {}

    def join(self, line: Line, session: str, seq: int | None, *, resumed: bool) -> bool:
        """Welcome a tab; False when the session is gone."""
        greeting = self._sessions.greet(session, line.client, seq, resumed=resumed, abilities=line.abilities)
        welcome = self._store.welcome(session, line.client, seq)
        if greeting is None or welcome is None:
            return False
        line.session = session
        self._follow(line, session)
        for frame in (greeting.envelope, *greeting.missed):
            line.deliver(frame)
        for name in welcome.rooms:
            self._enter(line, name)
        return True

    def leave(self, line: Line) -> None:
        """Forget a tab."""
        line.session = None
        for followers in self._followers.values():
            if line in followers:
                followers.remove(line)

    @contextmanager
    def listening(self, session: str) -> Iterator[threading.Event]:
        """Give what is set by the updates of a session that no tab knows."""
        heard = self._listening[session] = threading.Event()
        try:
            yield heard
        finally:
            del self._listening[session]

    def hear(self, channel: str) -> None:
        """Wake a verification. The only method that any thread may call."""
        heard = self._listening.get(channel)
        if heard is not None:
            heard.set()

    def received(self, channel: str, encoded: bytes) -> None:
        """Pass an update of a session or a room on."""
        joined = {} if channel.startswith(keys.room("")) else joined_in(encoded)
        for line in list(self._followers.get(channel, ())):
            line.deliver(encoded)
            for name, joins in joined.items():
                (self._enter if joins else self._exit)(line, name)

    def _follow(self, line: Line, channel: str) -> bool:
        followers = self._followers.setdefault(channel, [])
        if line in followers:
            return False
        followers.append(line)
        return True

    def _enter(self, line: Line, name: str) -> None:
        if self._follow(line, keys.room(name)):
            found = self._store.rooms.snapshot(keys.room(name), None)
            state = fields.encode_public(fields.build_tree({}, found.fields or {}))
            line.deliver(encode_room_state(name, found.seq, state))

    def _exit(self, line: Line, name: str) -> None:
        followers = self._followers.get(keys.room(name), [])
        if line in followers:
            followers.remove(line)
            line.deliver(encode_room_state(name, 0, pack(None)))


class Ringer:
    """Rings a worker directly."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring


class Accepter:
    """Puts letters into their mailboxes at once."""

    def __init__(self, store: Store, ring: Ring) -> None:
        self._store, self._ring = store, ring

    def submit(self, line: Line, letter: Letter, arrival: Arrival) -> None:
        """Take a letter, and answer it."""
        (receipt,) = self._store.accept([letter])
        answer(cast("Connection", line), letter, receipt)
        arrival.answered(receipt)
        if receipt.ring is not None:
            self._ring(letter.session, receipt.ring, receipt.queue)


class Names(HandlerNames):
    """The names of an app that stays as it is."""

    def _refresh_soon(self) -> None:
        pass


class NoRooms:
    """What a gateway asks about rooms; here the hub does it."""

    def changed(self, line: Line, joined: Mapping[str, bool]) -> None:
        """The hub has seen to it."""

    def leave(self, line: Line) -> None:
        """The hub has seen to it."""


@dataclass(frozen=True, slots=True)
class Services:
    """What conversations need."""

    store: Store
    sessions: Sessions
    names: HandlerNames
    hub: Hub
    accepter: Accepter
    verification: Verification
    arrivals: Arrivals
    route: Callable[[str], str]
    rooms: NoRooms


class GatewayInProcess:
    """The parts. Used by one thread at a time, but for `hear`."""

    def __init__(self, settings: Settings, store: Store, ring: Ring) -> None:
        """`ring` lets a worker play a session; it must not wait."""
        self._settings = settings
        sessions = Sessions(settings, store)
        self.hub = Hub(store, sessions)
        verification = Verification(store, cast("GatewayHub", self.hub), cast("GatewayRinger", Ringer(ring)))
        self._services = Services(
            store, sessions, Names(store), self.hub, Accepter(store, ring), verification, Arrivals(Meter()),
            settings.route, NoRooms(),
        )  # fmt: skip

    def connect(
        self, headers: Mapping[str, str], cookies: Mapping[str, str],
        deliver: Callable[[bytes], None], closed: Callable[[int, str], None],
    ) -> Conversation:  # fmt: skip
        """Open a connection; its frames are msgpack, and so are those that it gets."""
        line = cast("Connection", Line(self._settings, deliver, closed))
        return Conversation(line, Handshake(headers, cookies), cast("GatewayServices", self._services))
