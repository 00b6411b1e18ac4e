"""Rooms as an app sees them: state that sessions share, and how a session follows one.

Which handler asks is known by a context variable, which the worker sets while one runs.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Generator, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, Protocol

from manyhands.errors import RoomMisused
from manyhands.schema import describe
from manyhands.state import State
from manyhands.state_nodes import Node

#: What a room may be called. Names travel in messages between processes, between spaces.
NAME = re.compile(r"[A-Za-z0-9_.\-]{1,128}")


class Room(Protocol):
    """A room of one run. The worker makes it."""

    def node(self) -> Node:
        """Give the top of its state; waits until the run has the room, where it has not. Raises `Cancelled`."""
        ...

    async def open(self) -> None:
        """Wait until the run has the room, without holding up others on the event loop."""
        ...


class Rooms(Protocol):
    """The rooms of one run."""

    def room(self, name: str, defaults: Mapping[str, Any] | None, /) -> Room:
        """Give a room, which may still have to be opened. Raises `RoomMisused`."""
        ...


#: The rooms of the run whose handler runs in this context.
current_rooms: ContextVar[Rooms | None] = ContextVar("manyhands_rooms", default=None)


class SharedState(State):
    """A room's state. In an async handler `await` it: others of the event loop go on while it waits for its room."""

    __slots__ = ("_room",)

    def __init__(self, room: Room) -> None:
        self._room = room

    @property
    def _node(self) -> Node:  # type: ignore[override]
        return self._room.node()

    def __await__(self) -> Generator[Any, None, SharedState]:
        yield from self._room.open().__await__()
        return self


def shared(name: str, defaults: Mapping[str, Any] | None = None) -> SharedState:
    """Give the handler that runs the state of a room, which sessions share: to it alone until its event's commit.

    `defaults`: assigned where the room has nothing. Waits for another handler that has the room. A handler that takes
    several takes them in the order of their names. Raises `RoomMisused` for another order, for a bad name, for defaults
    that are no dict, and outside of a handler.
    """
    checked_room(name)
    if defaults is not None and not isinstance(defaults, Mapping):
        raise RoomMisused(
            f"mh.shared({name!r}) expected as its defaults a dict such as {{'messages': []}}, got {describe(defaults)}"
        )
    rooms = current_rooms.get()
    if rooms is None:
        raise RoomMisused(
            f"mh.shared({name!r}) was called where no handler runs; call it in a handler, "
            "or hand what it gives there on to the thread that needs it"
        )
    room = rooms.room(name, defaults)
    if not _is_on_event_loop():
        room.node()
    return SharedState(room)


def _is_on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def checked_room(name: object) -> str:
    """Give a room's name. Raises `RoomMisused` for what is none."""
    if isinstance(name, str) and NAME.fullmatch(name):
        return name
    got = repr(name) if len(repr(name)) <= 60 else f"{repr(name)[:57]}…"
    raise RoomMisused(
        f"a room's name is 1 to 128 of the letters A-Z and a-z, digits, `_`, `-` and `.`, got {got} "
        f"({type(name).__name__}); a name that users choose can be a key in a room instead"
    )


class Session(dict[str, Any]):
    """What a handler gets as `session`: `id`, `headers`, `cookies`."""

    __slots__ = ("_joined",)

    def __init__(self, about: Mapping[str, Any], joined: MutableMapping[str, bool]) -> None:
        """`joined` is told which rooms to join and to leave."""
        super().__init__(about)
        self._joined = joined

    def join(self, room: str) -> None:
        """Let every browser of this session follow a room from this event's commit on. Raises `RoomMisused`."""
        self._note(room, joins=True)

    def leave(self, room: str) -> None:
        """Let the session's browsers follow a room no longer. One that was not joined is no error."""
        self._note(room, joins=False)

    def _note(self, room: str, *, joins: bool) -> None:
        # The latest is the last in the order, also where it had been noted before.
        self._joined.pop(checked_room(room), None)
        self._joined[room] = joins
