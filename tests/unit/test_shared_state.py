"""Rooms as handlers get them, and their words on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextvars import copy_context
from typing import Any

import msgpack
import pytest

import manyhands as mh
from manyhands import codec, envelopes
from manyhands.errors import BadFrame, RoomMisused
from manyhands.rooms import Session, current_rooms
from manyhands.state_nodes import Node
from manyhands.state_root import StateRoot
from manyhands.updates import (
    Outcome,
    encode_room_state,
    encode_room_update,
    encode_update,
    joined_in,
    seq_of,
    splice,
)
from support.event_loop import apart, run


class Room:
    """A room that is opened when it is told to."""

    def __init__(self) -> None:
        self.root = StateRoot({})
        self.opened: list[str] = []

    def node(self) -> Node:
        self.opened.append("at once")
        return self.root.state._node

    async def open(self) -> None:
        await asyncio.sleep(0)
        self.opened.append("awaited")


class Rooms:
    """Gives one room, whatever its name."""

    def __init__(self) -> None:
        self.made = Room()

    def room(self, name: str, defaults: Mapping[str, Any] | None) -> Room:
        return self.made


@pytest.fixture
def room() -> Iterator[Room]:
    """The room that `mh.shared` gives."""
    rooms = Rooms()
    token = current_rooms.set(rooms)
    yield rooms.made
    current_rooms.reset(token)


def test_a_plain_handler_has_its_room_when_it_gets_it(room: Room) -> None:
    state = apart(mh.shared, "r")
    assert room.opened == ["at once"]
    state["a"] = {"b": 1}
    state["a"]["b"] += 1
    assert (state.to_dict(), len(state), "a" in state) == ({"a": {"b": 2}}, 1, True)
    assert isinstance(state, mh.State)
    assert [mutation.path for mutation in room.root.take()] == [("a",)]


def test_an_async_handler_awaits_its_room_or_gets_it_at_its_first_access(room: Room) -> None:
    async def awaits() -> None:
        state = await mh.shared("r")
        assert room.opened == ["awaited"]
        state["x"] = 1

    async def does_not_await() -> None:
        room.opened.clear()
        state = mh.shared("r")
        assert room.opened == []
        assert state["x"] == 1
        assert room.opened

    run(awaits())
    run(does_not_await())


def test_a_part_of_one_room_is_copied_into_another_state(room: Room) -> None:
    state, other = mh.shared("r"), StateRoot({})
    state["a"] = {"b": 1}
    other.state["copy"] = state["a"]
    other.state["all"] = state
    state["a"]["b"] = 2
    assert other.state.to_dict() == {"copy": {"b": 1}, "all": {"a": {"b": 1}}}


def test_outside_of_a_handler_a_room_says_where_it_can_be_asked_for() -> None:
    with pytest.raises(RoomMisused, match="where no handler runs"):
        copy_context().run(mh.shared, "r")


@pytest.mark.parametrize("name", ["", "a b", "ä", "a/b", "@a", "a\n", "x" * 129, 5, None, ["a"]])
def test_what_is_no_name_is_refused(room: Room, name: Any) -> None:
    session = Session({}, {})
    for ask in (mh.shared, session.join, session.leave):
        with pytest.raises(RoomMisused, match="1 to 128 of the letters"):
            ask(name)


@pytest.mark.parametrize("name", ["a", "room-1", "A_z.9", "x" * 128])
def test_what_is_a_name_is_taken(room: Room, name: str) -> None:
    mh.shared(name)


def test_defaults_that_are_no_dict_are_refused(room: Room) -> None:
    with pytest.raises(RoomMisused, match=r"expected as its defaults a dict such as .*, got \['a'\] \(list\)"):
        mh.shared("r", ["a"])  # type: ignore[arg-type]


def test_of_joining_and_leaving_the_latest_counts() -> None:
    joined: dict[str, bool] = {}
    session = Session({"id": "s"}, joined)
    session.join("a")
    session.join("b")
    session.leave("a")
    assert (list(joined.items()), session["id"], dict(session)) == ([("b", True), ("a", False)], "s", {"id": "s"})


def test_an_update_says_what_its_session_joins_and_leaves() -> None:
    view = codec.encode(1)
    update = splice(encode_update([(("x",), view)], [], "c", 1, Outcome(ok=True), [("a", True), ("b", False)]), 7)
    assert (seq_of(update), joined_in(update)) == (7, {"a": True, "b": False})
    decoded = msgpack.unpackb(update)
    assert decoded["joined"] == {"a": True, "b": False}
    assert (decoded["set"], decoded["done"]) == ([[["x"], 1]], True)
    plain = splice(encode_update([(("x",), view)], [], "c", 1, None), 7)
    assert joined_in(plain) == {}
    assert "joined" not in msgpack.unpackb(plain)


def test_a_rooms_updates_name_it() -> None:
    update = splice(encode_room_update("r", [(("x",), codec.encode(1))], [("y",)]), 3)
    assert (seq_of(update), joined_in(update)) == (3, {})
    assert msgpack.unpackb(update) == {
        "type": "update", "seq": 3, "shared": "r", "set": [[["x"], 1]], "unset": [["y"]]
    }  # fmt: skip
    whole = msgpack.unpackb(encode_room_state("r", 3, codec.encode({"x": 1})))
    assert whole == {"type": "update", "seq": 3, "shared": "r", "state": {"x": 1}}


def test_a_hello_says_what_the_browser_has_seen_of_rooms() -> None:
    hello = envelopes.parse({"type": "hello", "client": "c", "shared": {"r": 5}})
    assert isinstance(hello, envelopes.Hello)
    assert hello.shared == {"r": 5}


@pytest.mark.parametrize("shared", [[], "r", {"r": -1}, {"r": "1"}, {str(n): 1 for n in range(1001)}])
def test_a_hello_with_nonsense_about_rooms_is_refused(shared: object) -> None:
    with pytest.raises(BadFrame, match=r"shared|`r`"):
        envelopes.parse({"type": "hello", "client": "c", "shared": shared})
