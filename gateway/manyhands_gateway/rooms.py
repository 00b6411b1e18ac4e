"""Rooms inside one gateway: one feed per room, however many sessions here have joined it, and who follows which.

A room's feed is a session's, with what follows the room in the place of connections. What a session has joined stands
in its welcome, and from then on in its updates.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import gevent
from gevent.lock import BoundedSemaphore

from manyhands import fields
from manyhands.abilities import PLAIN, Abilities
from manyhands.errors import Unavailable
from manyhands.keys import Keys, room
from manyhands.packing import pack
from manyhands.store.contract import Store
from manyhands.updates import encode_room_state
from manyhands.wire import Close, Key
from manyhands_gateway.connection import Connection
from manyhands_gateway.delivery import Delivery, encoded_frame
from manyhands_gateway.hub import Channels, Hub
from manyhands_gateway.meter import Meter
from manyhands_gateway.sessions import Greeting, join_map

NOTHING: bytes = pack(None)


@dataclass(frozen=True, slots=True)
class RoomGreeting(Greeting):
    """What a browser gets of a room that it begins to follow."""

    #: The encoded public state; None where the browser knows it, but for the missed updates.
    state: bytes | None = None

    def frames(self, subprotocol: str) -> list[bytes]:
        """Frame all of it."""
        payloads = [self.envelope, *self.missed] if self.state is not None else self.missed
        return [encoded_frame(payload, subprotocol) for payload in payloads]


class RoomGreeter:
    """Reads rooms for browsers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def greet(
        self, session: str, client: str, seq: int | None, *, resumed: bool, secret: bool, abilities: Abilities
    ) -> Greeting | None:
        """Read a room, named as `manyhands.keys.room` does. Raises `Unavailable`."""
        found = self._store.rooms.snapshot(session, seq)
        if found.updates is not None:
            return RoomGreeting(found.seq, b"", found.updates)
        state = fields.encode_public(fields.build_tree({}, found.fields or {}))
        name = session.removeprefix(room(""))
        return RoomGreeting(found.seq, encode_room_state(name, found.seq, state), state=state)


class RoomFollower:
    """One browser in one room."""

    __slots__ = ("_connection", "_held", "_seq", "greeting", "session")

    #: Of no meaning to rooms.
    client, secret, abilities = "", False, PLAIN

    def __init__(self, connection: Connection, *, held: bool) -> None:
        """`held`: nothing is sent before `release`."""
        self._connection = connection
        self.session: str | None = None
        self._seq = 0
        #: Updates that came while it was held.
        self._held: list[Delivery] | None = [] if held else None
        #: What it was given when it joined.
        self.greeting: RoomGreeting | None = None

    @property
    def closing(self) -> bool:
        """Whether its connection is to be sent nothing more."""
        return self._connection.closing

    @property
    def fired(self) -> float:
        """When its browser's last event was handed to the accepter."""
        return self._connection.fired

    def greet(self, greeting: Greeting) -> None:
        """Send the room's state, or keep it for the session's welcome."""
        assert isinstance(greeting, RoomGreeting), "a room's greeter gives those of rooms"
        self.greeting, self._seq = greeting, greeting.seq
        if self._held is None:
            self._send(greeting.frames(self._connection.subprotocol))

    def deliver(self, update: Delivery) -> None:
        """Send an update of the room unless the browser has had it."""
        if self._held is not None:
            self._held.append(update)
        elif update.seq > self._seq:
            self._seq = update.seq
            self._send([update.frame(self._connection.subprotocol)])

    def release(self, *, welcomed: bool) -> None:
        """Send what came meanwhile; and the state, unless the browser had it with the session's welcome."""
        if self._held is None or self.greeting is None:
            return
        held, self._held = self._held, None
        subprotocol = self._connection.subprotocol
        known = [encoded_frame(one, subprotocol) for one in self.greeting.missed]
        self._send(known if welcomed else self.greeting.frames(subprotocol))
        for update in held:
            self.deliver(update)

    def close(self, code: int, reason: str = "") -> None:
        """Let the browser come back: its session lives, whatever became of the room."""
        self._connection.close(Close.RESTART, reason)

    def _send(self, frames: Collection[bytes]) -> None:
        if not self._connection.closing:
            for frame in frames:
                self._connection.outbox.put(frame)


class Following:
    """The rooms that one connection follows."""

    def __init__(self) -> None:
        #: Held while rooms are joined and left, which waits for the store.
        self.lock = BoundedSemaphore()
        self.rooms: dict[str, RoomFollower] = {}
        #: What updates of the session have said since, in their order.
        self.changes: list[tuple[str, bool]] = []


class Rooms:
    """Who follows which room here."""

    def __init__(self, store: Store, keys: Keys, session_ttl: float, meter: Meter) -> None:
        """`session_ttl` is in seconds."""
        self._hub = Hub(store, keys, RoomGreeter(store), session_ttl, meter)
        self._following: dict[Connection, Following] = {}
        self.received, self.mended, self.stop = self._hub.received, self._hub.mended, self._hub.stop
        #: Gives the room whose updates come on a channel.
        self.room_of = self._hub.session_of

    def start(self, channels: Channels) -> None:
        """Begin to look for lost updates."""
        self._hub.start(channels)

    # --- called by greenlets that may wait ---

    def complete(self, connection: Connection, greeting: Greeting) -> Greeting:
        """Let a connection follow what its session has joined, and add that to its welcome. Raises `Unavailable`.

        Nothing more of these rooms is sent before `completed`.
        """
        seen, connection.shared = connection.shared, {}
        is_gone = connection.session is None
        if is_gone or (not greeting.rooms and connection not in self._following):
            return greeting
        following = self._following.setdefault(connection, Following())
        with following.lock, self._leaving_all_unless_done(connection):
            # The welcome counts them.
            following.changes.clear()
            self._leave_all(following)
            for name in greeting.rooms:
                self._join(connection, following, name, seen.get(name), held=True)
            return greeting.with_rooms(join_map(dict(_entries(following)))) if greeting.rooms else greeting

    def completed(self, connection: Connection, welcomed: bool) -> None:
        """Go on, once the welcome was sent, or was not since the browser has had another one."""
        following = self._following.get(connection)
        for follower in list(following.rooms.values()) if following is not None else ():
            follower.release(welcomed=welcomed)

    def leave(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        following = self._following.pop(connection, None)
        if following is not None:
            self._leave_all(following)

    # --- called by greenlets that must not wait ---

    def changed(self, connection: Connection, joined: Mapping[str, bool]) -> None:
        """Let a connection follow its session, which has joined rooms and left others."""
        following = self._following.setdefault(connection, Following())
        following.changes += joined.items()
        gevent.spawn(self._follow, connection, following)

    def _follow(self, connection: Connection, following: Following) -> None:
        with following.lock:
            while following.changes and self._following.get(connection) is following and not connection.closing:
                name, joins = following.changes.pop(0)
                if joins is (name in following.rooms):
                    continue
                if not joins:
                    self._hub.leave(following.rooms.pop(name))
                    _tell_left(connection, name)
                    continue
                try:
                    self._join(connection, following, name, None, held=False)
                except Unavailable:
                    # It will come back with its `seq`, to whichever gateway can answer.
                    connection.close(Close.RESTART, "a room can't be read")

    def _join(
        self, connection: Connection, following: Following, name: str, seq: int | None, *, held: bool
    ) -> None:  # fmt: skip
        follower = RoomFollower(connection, held=held)
        self._hub.join(follower, room(name), seq, resumed=True)
        if self._following.get(connection) is following:
            following.rooms[name] = follower
        else:
            # Its connection has ended meanwhile.
            self._hub.leave(follower)

    def _leave_all(self, following: Following) -> None:
        for follower in following.rooms.values():
            self._hub.leave(follower)
        following.rooms.clear()

    @contextlib.contextmanager
    def _leaving_all_unless_done(self, connection: Connection) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.leave(connection)
            raise


def _entries(following: Following) -> Iterator[tuple[str, bytes]]:
    for name, follower in following.rooms.items():
        if follower.greeting is not None:
            entry = {Key.SEQ.value: pack(follower.greeting.seq)}
            if follower.greeting.state is not None:
                entry[Key.STATE.value] = follower.greeting.state
            yield name, join_map(entry)


def _tell_left(connection: Connection, name: str) -> None:
    connection.outbox.put(encoded_frame(encode_room_state(name, 0, NOTHING), connection.subprotocol))
