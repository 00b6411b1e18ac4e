"""Who follows which room inside one gateway, with a store and a pub/sub that do as the test says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import msgpack
import pytest

from manyhands import codec, fields
from manyhands.errors import Unavailable
from manyhands.keys import Keys, room
from manyhands.settings import Settings
from manyhands.store.rooms import RoomSnapshot
from manyhands.updates import encode_room_update, splice
from manyhands.wire import SUBPROTOCOL_MSGPACK
from manyhands_gateway.connection import Connection
from manyhands_gateway.framing import data_frame
from manyhands_gateway.meter import Meter
from manyhands_gateway.rooms import Rooms
from manyhands_gateway.sessions import Greeting, join_map

CHANNEL = Keys("mh").updates(room("r")).encode()


class Store:
    """A room `r` whose `x` is the number of its last update; the store of rooms, too."""

    def __init__(self) -> None:
        self.rooms, self.seq, self.away = self, 3, False

    def snapshot(self, room: str, seq: int | None) -> RoomSnapshot:
        if self.away:
            raise Unavailable("Redis", "away")
        if seq is not None and seq <= self.seq:
            return RoomSnapshot(self.seq, [self.update(n) for n in range(seq + 1, self.seq + 1)], None)
        return RoomSnapshot(self.seq, None, fields.encode_tree({"x": self.seq, "_y": 1}))

    @staticmethod
    def update(seq: int) -> bytes:
        return splice(encode_room_update("r", [(("x",), codec.encode(seq))], []), seq)


class Channels:
    """Stands for pub/sub."""

    def __init__(self) -> None:
        self.subscribed: set[bytes] = set()

    def subscribe(self, channel: bytes) -> None:
        self.subscribed.add(channel)

    def unsubscribe(self, channel: bytes) -> None:
        self.subscribed.remove(channel)


class Browser(Connection):
    """A connection that notes what it is sent."""

    def __init__(self) -> None:
        super().__init__(None, SUBPROTOCOL_MSGPACK, Settings())
        self.session = "s"
        self.frames: list[bytes] = []
        self.outbox = self  # type: ignore[assignment]

    def put(self, frame: bytes) -> None:
        self.frames.append(frame)

    def finish(self, frame: bytes, *, drop: bool = False) -> None:
        self.frames.append(frame)

    @property
    def seen(self) -> list[Any]:
        """What it was told of the room: its numbers, and `x` of a whole state, None for one that was left."""
        decoded = [msgpack.unpackb(frame[2:]) for frame in self.frames]
        return [(one["state"] or {}).get("x") if "state" in one else one["seq"] for one in decoded]


class Parts:
    def __init__(self) -> None:
        self.store, self.channels = Store(), Channels()
        self.rooms = Rooms(self.store, Keys("mh"), 86400.0, Meter())  # type: ignore[arg-type]
        self.rooms.start(self.channels)

    def publish(self) -> None:
        self.store.seq += 1
        self.rooms.received(CHANNEL, self.store.update(self.store.seq))


@pytest.fixture
def parts() -> Iterator[Parts]:
    made = Parts()
    yield made
    made.rooms.stop()


def greeting(*rooms: str) -> Greeting:
    return Greeting(1, join_map({"seq": b"\x01"}), (), rooms)


def shared_in(given: Greeting) -> Any:
    return msgpack.unpackb(given.envelope).get("shared")


def test_a_welcome_without_rooms_stays_as_it_is_and_costs_nothing(parts: Parts) -> None:
    given = greeting()
    assert parts.rooms.complete(Browser(), given) is given
    assert parts.channels.subscribed == set()


def test_a_welcome_holds_the_rooms_and_what_comes_meanwhile_follows_it(parts: Parts) -> None:
    browser = Browser()
    given = parts.rooms.complete(browser, greeting("r"))
    parts.publish()
    assert (shared_in(given), browser.seen) == ({"r": {"seq": 3, "state": {"x": 3}}}, [])
    parts.rooms.completed(browser, True)
    parts.publish()
    assert browser.seen == [4, 5]


def test_a_browser_that_has_seen_some_gets_the_others_behind_its_welcome(parts: Parts) -> None:
    browser = Browser()
    browser.shared = {"r": 1, "another": 7}
    assert shared_in(parts.rooms.complete(browser, greeting("r"))) == {"r": {"seq": 3}}
    parts.rooms.completed(browser, True)
    assert browser.seen == [2, 3]


def test_where_the_welcome_was_not_sent_the_room_is_sent_by_itself(parts: Parts) -> None:
    browser = Browser()
    parts.rooms.complete(browser, greeting("r"))
    parts.publish()
    parts.rooms.completed(browser, False)
    assert browser.seen == [3, 4]


def test_joining_and_leaving_are_followed_in_their_order(parts: Parts) -> None:
    browser = Browser()
    parts.rooms.changed(browser, {"r": True})
    parts.rooms.changed(browser, {"r": False})
    parts.rooms.changed(browser, {"r": True})
    gevent.sleep(0)
    assert browser.seen == [3, None, 3]
    assert parts.channels.subscribed == {CHANNEL}


def test_a_second_welcome_counts_what_was_joined_before_it(parts: Parts) -> None:
    browser = Browser()
    parts.rooms.changed(browser, {"r": True})
    given = parts.rooms.complete(browser, greeting())
    gevent.sleep(0)
    assert (shared_in(given), browser.seen, parts.channels.subscribed) == (None, [], set())


def test_who_ends_follows_nothing_any_more(parts: Parts) -> None:
    first, second = Browser(), Browser()
    for browser in (first, second):
        parts.rooms.complete(browser, greeting("r"))
        parts.rooms.completed(browser, True)
    parts.rooms.leave(first)
    parts.publish()
    assert (first.seen, second.seen) == ([], [4])
    parts.rooms.leave(second)
    assert parts.channels.subscribed == set()


def test_while_the_store_is_away_a_welcome_waits_and_a_follower_comes_back(parts: Parts) -> None:
    parts.store.away = True
    joining, following = Browser(), Browser()
    with pytest.raises(Unavailable):
        parts.rooms.complete(joining, greeting("r"))
    parts.rooms.changed(following, {"r": True})
    gevent.sleep(0)
    assert (following.code, parts.channels.subscribed) == (1012, set())


def test_frames_of_one_update_are_shared_by_all_who_follow(parts: Parts) -> None:
    browsers = [Browser(), Browser()]
    for browser in browsers:
        parts.rooms.complete(browser, greeting("r"))
        parts.rooms.completed(browser, True)
    parts.publish()
    (first,), (second,) = (browser.frames for browser in browsers)
    assert first is second
    assert first == data_frame(parts.store.update(4), SUBPROTOCOL_MSGPACK)
