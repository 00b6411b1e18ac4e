"""How a run gets a room: with several tasks that want it, with tasks that want it no more, and without a word of it."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from manyhands import codec, fields, keys
from manyhands.branches import Defaults
from manyhands.errors import StoreRefused
from manyhands.known_fields import KnownFields
from manyhands.letters import Body, encode_body
from manyhands.rooms import SharedState
from manyhands.settings import Settings
from manyhands.store.contract import Letter, Session
from manyhands.store.memory import MemoryStore
from manyhands.store.memory_rooms import MemoryRooms
from manyhands.store.rooms import RoomHeld, RoomTake, RoomTaken
from manyhands.store.turns import Ending, Turn
from manyhands_worker.large_values import LargeValues
from manyhands_worker.parts import Parts
from manyhands_worker.reading import Reading
from manyhands_worker.room_commits import RoomsOfRun, flush_rooms
from manyhands_worker.run import Phase, Run
from manyhands_worker.running import Running
from manyhands_worker.waits import Waits
from support.event_loop import run as run_coroutine
from support.waiting import wait_until

ROOM = keys.room("r")
BODY = Body("handler")


class Lines:
    """Hears of rooms while it is told to."""

    def __init__(self) -> None:
        self.channel = "lines"
        self.waiting_now: dict[str, list[Callable[[], object]]] = {}

    def listen(self) -> None:
        """It is not for a line to decide that here."""

    @contextmanager
    def waiting(self, token: str, wake: Callable[[], object]) -> Iterator[None]:
        self.waiting_now.setdefault(token, []).append(wake)
        try:
            yield
        finally:
            self.waiting_now[token].remove(wake)

    def wake(self, token: str) -> None:
        for wake in list(self.waiting_now.get(token, ())):
            wake()


class Rooms(MemoryRooms):
    """Tells of each take before it answers, and finds who stands in line by the whole entry, as Redis does."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.before: Callable[[RoomTake], object] = lambda _: None

    def take(self, take: RoomTake) -> RoomTaken | RoomHeld:
        self.before(take)
        return super().take(take)

    def leave(self, take: RoomTake) -> None:
        line, entry = self._holdings[take.room].line, (take.token, take.channel)
        stays = [one for one in line if (one.token, one.channel) != entry]
        super().leave(take)
        self._holdings[take.room].line = stays


class Store(MemoryStore):
    """Wakes those who wait in this process."""

    def __init__(self, lines: Lines) -> None:
        super().__init__(Settings(lease=3600.0))
        self._lines = lines
        self.rooms = Rooms(self)
        self.listening.add("lines")

    def publish(self, channel: str, message: bytes) -> None:
        if channel == "lines":
            self._lines.wake(message.decode())


class Worker:
    """A worker's parts, as far as rooms need them."""

    def __init__(self) -> None:
        self.lines = Lines()
        self.store = Store(self.lines)
        self.running, waits = Running((10, 10), 1), Waits()
        self.parts = cast("Parts", SimpleNamespace(
            store=self.store, running=self.running, waits=waits, lines=self.lines, settings=self.store.settings,
            reading=Reading(self.store, self.running, waits), large=LargeValues(self.store, self.running, waits, 0),
            threads=ThreadPoolExecutor(8),
        ))  # fmt: skip

    def begin(self, session: str) -> RoomsOfRun:
        """Begin a session's event, and give its rooms."""
        self.store.create(Session(session, "", "v"))
        self.store.accept([Letter(session, "c", 1, encode_body(BODY))])
        turn = self.store.begin(session, f"token of {session}")
        assert isinstance(turn, Turn)
        values = self.parts.large.of(session)
        made = Run(turn, BODY, Defaults({}, {}), KnownFields({}), dev=False, values=values, max_value=2**20)
        made.rooms = RoomsOfRun(self.parts, made)
        return made.rooms

    @property
    def line(self) -> list[str]:
        return [one.token for one in self.store.rooms._holdings[ROOM].line]

    @property
    def holder(self) -> str:
        return self.store.rooms._holdings[ROOM].token

    def read_beside(self) -> dict[str, Any]:
        """Read what is stored, whoever has the room."""
        found = self.store.rooms.snapshot(ROOM, None).fields
        return {name: codec.decode(value) for name, value in fields.build_tree({}, found or {}).items()}

    def read(self) -> dict[str, Any]:
        reader = self.begin("reader")
        read = SharedState(reader.room("r", None)).to_dict()
        assert reader.settle(Ending.FINAL)
        return read


def detach(rooms: RoomsOfRun, *, held_for: float) -> None:
    """Detach a run that has had its rooms for so many seconds."""
    for room in rooms.open:
        room.since -= held_for
    assert rooms.settle(Ending.DETACH)
    rooms._run.phase = Phase.DETACHED


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.parts.threads.shutdown()


def test_of_two_tasks_that_open_a_room_at_the_same_time_none_loses_what_it_assigns(worker: Worker) -> None:
    rooms = worker.begin("s")
    assigned, second, takes = threading.Event(), threading.Event(), itertools.count()

    def before(_: RoomTake) -> None:
        # A second question, if there is one, comes before the first answer, and is answered behind an assignment.
        if next(takes):
            second.set()
            assigned.wait(5)
        else:
            second.wait(0.2)

    worker.store.rooms.before = before

    async def enter(name: str) -> None:
        state = await SharedState(rooms.room("r", {name: 0}))
        state[f"{name}s"] = 1
        assigned.set()

    async def handler() -> None:
        await asyncio.gather(enter("one"), enter("other"))

    run_coroutine(handler())
    assert rooms.settle(Ending.FINAL)
    assert worker.read() == {"one": 0, "other": 0, "ones": 1, "others": 1}


def test_a_task_that_waits_for_a_room_stays_in_line_when_another_one_gives_up(worker: Worker) -> None:
    keeper, rooms = worker.begin("keeper"), worker.begin("s")
    keeper.room("r", None).node()

    async def handler() -> None:
        patient = asyncio.create_task(rooms.room("r", None).open())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rooms.room("r", None).open(), 0.05)
        await asyncio.to_thread(lambda: wait_until(lambda: worker.line == ["token of s"], 5, "its place in line"))
        assert keeper.settle(Ending.FINAL)
        await asyncio.wait_for(patient, 5)

    run_coroutine(handler())
    assert rooms.open[0].is_held


def test_who_wants_a_room_no_more_leaves_the_line_also_while_nobody_could_hear_of_it(worker: Worker) -> None:
    keeper, rooms = worker.begin("keeper"), worker.begin("s")
    keeper.room("r", None).node()

    async def handler() -> None:
        waiting = asyncio.create_task(rooms.room("r", None).open())
        await asyncio.to_thread(lambda: wait_until(lambda: worker.line == ["token of s"], 5, "its place in line"))
        # The connection that it would hear by is away, and it asks again meanwhile.
        worker.lines.channel, asked = "", threading.Event()
        worker.store.rooms.before = lambda _: asked.set()
        worker.lines.wake("token of s")
        await asyncio.to_thread(asked.wait, 5)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    run_coroutine(handler())
    wait_until(lambda: not worker.line, 5, "an empty line")
    assert keeper.settle(Ending.FINAL)
    assert worker.holder == ""


def test_a_room_that_comes_when_the_run_has_ended_is_given_up(worker: Worker) -> None:
    keeper, rooms = worker.begin("keeper"), worker.begin("s")
    keeper.room("r", None).node()

    async def handler() -> None:
        waiting = asyncio.create_task(rooms.room("r", None).open())
        await asyncio.to_thread(lambda: wait_until(lambda: worker.line == ["token of s"], 5, "its place in line"))
        assert rooms.settle(Ending.FINAL)
        assert keeper.settle(Ending.FINAL)
        await asyncio.gather(waiting, return_exceptions=True)

    run_coroutine(handler())
    wait_until(lambda: worker.holder == "", 5, "a free room")


def test_a_run_that_is_detached_when_it_has_just_got_a_room_keeps_it_for_a_turn(worker: Worker) -> None:
    one, other = worker.begin("one"), worker.begin("other")
    state = SharedState(one.room("r", {"n": 0, "seen": False}))
    before, state["seen"] = state["n"], True
    detach(one, held_for=0.0)
    # What it had assigned is there, and nobody has written in between.
    assert (worker.holder, worker.read_beside()) == ("token of one", {"n": 0, "seen": True})
    state["n"] = before + 1
    assert one.settle(Ending.FINAL)
    SharedState(other.room("r", None))["n"] += 1
    assert other.settle(Ending.FINAL)
    assert worker.read() == {"n": 2, "seen": True}


def test_a_run_that_is_detached_with_a_room_that_it_has_had_for_long_gives_it_up(worker: Worker) -> None:
    rooms = worker.begin("s")
    SharedState(rooms.room("r", None))["n"] = 1
    detach(rooms, held_for=0.15)
    assert (worker.holder, worker.read()) == ("", {"n": 1})


def test_a_detached_run_gives_up_a_room_that_it_has_had_for_a_turn(worker: Worker) -> None:
    rooms = worker.begin("s")
    SharedState(rooms.room("r", None))["n"] = 1
    detach(rooms, held_for=0.0)
    flush_rooms(worker.store, [rooms._run])
    assert worker.holder == "token of s"
    rooms.open[0].since -= 0.2
    flush_rooms(worker.store, [rooms._run])
    assert worker.holder == ""


def test_defaults_that_can_not_be_assigned_leave_the_room_to_others(worker: Worker) -> None:
    rooms = worker.begin("s")
    with pytest.raises(TypeError):
        rooms.room("r", {1: 2}).node()  # type: ignore[dict-item]
    assert worker.holder == ""


def test_a_large_value_that_redis_refuses_holds_up_no_other_runs_updates(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms = [worker.begin("s"), worker.begin("other")]
    for one, name in zip(rooms, "br", strict=True):
        one.room(name, None).node()
        detach(one, held_for=1.0)
    SharedState(rooms[0].room("b", None))["x"] = "x" * 100_000
    SharedState(rooms[1].room("r", None))["x"] = 1

    def refuse(*_: object) -> bool:
        raise StoreRefused("Redis", "OOM")

    monkeypatch.setattr(worker.store, "hold", refuse)
    flush_rooms(worker.store, [one._run for one in rooms])
    assert rooms[0]._run.phase is Phase.LOST
    assert worker.read() == {"x": 1}
