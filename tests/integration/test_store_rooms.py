"""The acts on rooms, the same for Redis and for memory."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from redis import Redis

from manyhands import codec, fields, keys
from manyhands.errors import TurnLost
from manyhands.settings import Settings
from manyhands.store import limits
from manyhands.store.contract import Letter, Session, Store
from manyhands.store.memory import MemoryStore
from manyhands.store.redis_store import RedisStore
from manyhands.store.rooms import RoomCommit, RoomCommitted, RoomHeld, RoomTake, RoomTaken, event_of
from manyhands.store.turns import Commit, Ending
from manyhands.updates import encode_room_update, seq_of
from support.redis_server import RedisServer
from support.waiting import wait_until

ROOM = keys.room("r")
LEASE = 0.2


class Kit:
    """A store, and what hears of lines on a channel."""

    def __init__(self, store: Store, listen: Callable[[str], AbstractContextManager[Callable[[], list[str]]]]) -> None:
        self.store, self.listen = store, listen

    def take(self, token: str, event: str = "", channel: str = "") -> RoomTaken | RoomHeld:
        return self.store.rooms.take(RoomTake(ROOM, token, event or f"event of {token}", channel))

    def has(self, token: str, **options: str) -> bool:
        return isinstance(self.take(token, **options), RoomTaken)

    def commit(self, token: str, k: int = 1, ending: Ending = Ending.FINAL, **other: Any) -> RoomCommitted | TurnLost:
        return self.store.rooms.commit_all([RoomCommit(ROOM, token, k, ending, **other)])[0]

    def write(self, token: str, value: object, k: int = 1, ending: Ending = Ending.FINAL, event: str = "") -> Any:
        ops = fields.encode_assignment(("x",), value, over_dict=False)
        update = encode_room_update("r", [(("x",), codec.encode(value))], [])
        return self.commit(token, k, ending, ops=ops, update=update, event=event or f"event of {token}")

    def value(self) -> Any:
        found = self.store.rooms.snapshot(ROOM, None).fields
        assert found is not None
        return fields.build_tree({}, found)["x"] and codec.decode(fields.build_tree({}, found)["x"])


@pytest.fixture(params=["redis", "memory"])
def kit(request: pytest.FixtureRequest) -> Iterator[Kit]:
    """A store without any room."""
    namespace = f"t{secrets.token_hex(6)}"
    if request.param == "memory":
        memory = MemoryStore(Settings(namespace=namespace, lease=LEASE))
        yield Kit(memory, lambda channel: _listening_in_memory(memory, channel))
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    store = RedisStore(Settings(redis_url=server.url, namespace=namespace, lease=LEASE))
    yield Kit(store, lambda channel: _listening(server.url, channel))
    store.close()


@contextmanager
def _listening_in_memory(store: MemoryStore, channel: str) -> Iterator[Callable[[], list[str]]]:
    store.listening.add(channel)
    yield lambda: [text.decode() for name, text in store.published if name == channel]
    store.listening.remove(channel)


@contextmanager
def _listening(url: str, channel: str) -> Iterator[Callable[[], list[str]]]:
    heard: list[str] = []
    with Redis.from_url(url) as client, client.pubsub() as listener:
        listener.subscribe(channel)
        wait_until(lambda: listener.get_message(timeout=1), 5, "a subscription")

        def read() -> list[str]:
            while message := listener.get_message(timeout=0.1):
                heard.append(message["data"].decode())
            return heard

        yield read


def test_a_room_begins_empty(kit: Kit) -> None:
    taken = kit.take("a")
    assert taken == RoomTaken(0, {})
    assert kit.store.rooms.snapshot(ROOM, None).seq == 0
    assert kit.store.keep([ROOM, keys.room("other")]) == [0, None]


def test_what_is_committed_is_there_for_the_next_one_and_sent(kit: Kit) -> None:
    assert kit.has("a")
    assert kit.write("a", 5) == RoomCommitted(1, 1)
    taken = kit.take("b")
    assert isinstance(taken, RoomTaken)
    assert (taken.version, kit.value()) == (1, 5)
    logged = kit.store.updates_since(ROOM, 0)
    assert logged is not None
    assert [seq_of(one) for one in logged] == [1]


def test_a_room_is_held_by_one_run_at_a_time_until_it_commits(kit: Kit) -> None:
    assert kit.has("a")
    held = kit.take("b")
    assert isinstance(held, RoomHeld)
    assert 0 < held.seconds <= LEASE
    assert kit.has("a"), "asked again, the holder still has it"
    kit.commit("a")
    assert kit.has("b")


def test_those_who_stand_in_line_are_served_in_their_order(kit: Kit) -> None:
    with kit.listen("here") as heard:
        assert kit.has("a")
        assert not kit.has("b", channel="here")
        assert not kit.has("c", channel="here")
        assert not kit.has("b", channel="here")
        kit.commit("a")
        wait_until(lambda: heard() == ["b"], 5, "a word to b")
        assert not kit.has("c", channel="here")
        assert kit.has("b", channel="here")
        kit.commit("b")
        wait_until(lambda: heard() == ["b", "c"], 5, "a word to c")
        assert kit.has("c", channel="here")
        kit.commit("c")
        assert kit.has("d")


def test_whoever_comes_later_does_not_overtake_the_line(kit: Kit) -> None:
    with kit.listen("here"):
        assert kit.has("a")
        assert not kit.has("b", channel="here")
        kit.commit("a")
        assert not kit.has("c")
        assert kit.has("b", channel="here")


def test_one_who_hears_nothing_any_more_is_passed_over(kit: Kit) -> None:
    with kit.listen("here") as heard:
        assert kit.has("a")
        assert not kit.has("dead", channel="nobody")
        assert not kit.has("c", channel="here")
        kit.commit("a")
        wait_until(lambda: heard() == ["c"], 5, "a word to c")
        assert kit.has("c")


def test_one_who_has_left_the_line_is_not_served(kit: Kit) -> None:
    with kit.listen("here") as heard:
        assert kit.has("a")
        for token in ("b", "c"):
            assert not kit.has(token, channel="here")
        kit.store.rooms.leave(RoomTake(ROOM, "b", "event of b", "here"))
        kit.commit("a")
        wait_until(lambda: heard() == ["c"], 5, "a word to c")
        kit.store.rooms.leave(RoomTake(ROOM, "c", "event of c", "here"))
        assert kit.has("d")


def test_the_lease_of_a_dead_holder_runs_out_and_its_late_commit_is_refused(kit: Kit) -> None:
    assert kit.has("a")
    wait_until(lambda: kit.has("b"), 5, "the room")
    assert isinstance(kit.write("a", "late"), TurnLost)
    kit.write("b", "newer")
    assert kit.value() == "newer"


def test_the_first_in_line_gets_the_room_of_a_dead_holder(kit: Kit) -> None:
    with kit.listen("here"):
        assert kit.has("a")
        assert not kit.has("b", channel="here")
        wait_until(lambda: not kit.has("c") and kit.has("b"), 5, "the room for b")


def test_a_renewed_lease_does_not_run_out(kit: Kit) -> None:
    assert kit.has("a")
    for _ in range(4):
        assert kit.store.rooms.renew([(ROOM, "a"), (ROOM, "b")]) == [True, False]
        wait_until(lambda: kit.store.rooms.renew([(ROOM, "a")]), 5, "a renewal")
        held = kit.take("b")
        assert isinstance(held, RoomHeld)
        assert held.seconds > LEASE / 2


def test_a_commit_that_is_sent_twice_writes_once(kit: Kit) -> None:
    kit.take("a")
    first = kit.write("a", 1, 1, Ending.PARTIAL)
    assert kit.write("a", 1, 1, Ending.PARTIAL) == first == RoomCommitted(1, 1)
    last = kit.write("a", 2, 2)
    assert kit.write("a", 2, 2) == last == RoomCommitted(2, 2)
    assert kit.store.rooms.snapshot(ROOM, None).seq == 2


def test_another_attempt_at_the_same_event_writes_nothing_once_its_final_commit_is_in(kit: Kit) -> None:
    event = event_of("s", "c", 7)
    kit.take("first", event)
    kit.write("first", "once", event=event)
    again = kit.take("second", event)
    assert isinstance(again, RoomTaken)
    assert again.is_repeat
    assert kit.write("second", "twice", event=event) == RoomCommitted(0, 1)
    assert kit.value() == "once"
    assert kit.has("b")


def test_another_attempt_takes_the_room_of_the_one_before_at_once(kit: Kit) -> None:
    event = event_of("s", "c", 7)
    assert kit.has("first", event=event)
    assert kit.has("second", event=event)
    assert isinstance(kit.write("first", "late", event=event), TurnLost)
    assert kit.write("second", "in time", event=event) == RoomCommitted(1, 1)


def test_an_event_that_was_given_back_may_write_again(kit: Kit) -> None:
    event = event_of("s", "c", 7)
    kit.take("first", event)
    kit.write("first", "begun", ending=Ending.RETURN, event=event)
    taken = kit.take("second", event)
    assert isinstance(taken, RoomTaken)
    assert not taken.is_repeat


@pytest.mark.parametrize(
    ("least", "seconds", "remembered"), [(2, 0, "bc"), (2, 60, "abc"), (1, 60, "cdefghijkl"), (3, 0, "abc")]
)
def test_so_many_events_are_remembered_and_more_while_they_are_young(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, least: int, seconds: int, remembered: str
) -> None:
    monkeypatch.setattr(limits, "ROOM_EVENTS", least)
    monkeypatch.setattr(limits, "ROOM_EVENTS_FOR", 1000 * seconds)
    monkeypatch.setattr("manyhands.store.redis_rooms.BOUNDS", (512, 2**20, 512, least, 1000 * seconds))
    tokens = string.ascii_lowercase[: string.ascii_lowercase.index(remembered[-1]) + 1]
    for token in tokens:
        kit.take(token)
        kit.write(token, token)
    repeats = []
    for token in tokens:
        taken = kit.take(f"{token}-again", f"event of {token}")
        assert isinstance(taken, RoomTaken)
        repeats += token * taken.is_repeat
        kit.store.rooms.leave(RoomTake(ROOM, f"{token}-again", f"event of {token}"))
    assert "".join(repeats) == remembered


def test_a_detached_run_writes_beside_others_and_sees_what_they_write(kit: Kit) -> None:
    kit.take("slow")
    detached = kit.write("slow", "begun", 1, Ending.DETACH)
    assert kit.has("b")
    assert kit.store.refresh_all([(ROOM, detached.version)]) == [None]
    kit.write("b", "by b")
    refresh = kit.store.refresh_all([(ROOM, detached.version)])[0]
    assert refresh is not None
    assert refresh.touched == {fields.encode_path(("x",)): 2}
    assert kit.write("slow", "streamed", 2, Ending.PARTIAL) == RoomCommitted(3, 3)
    assert kit.store.rooms.renew([(ROOM, "slow")]) == [True]
    assert kit.write("slow", "ended", 3) == RoomCommitted(4, 4)
    assert kit.store.rooms.renew([(ROOM, "slow")]) == [False]
    assert isinstance(kit.write("slow", "late", 4), TurnLost)


def test_a_browser_gets_what_it_missed_or_all_there_is(kit: Kit) -> None:
    for n in range(3):
        kit.take(f"t{n}")
        kit.write(f"t{n}", n)
    missed = kit.store.rooms.snapshot(ROOM, 1)
    assert missed.updates is not None
    assert ([seq_of(one) for one in missed.updates], missed.fields) == ([2, 3], None)
    assert kit.store.rooms.snapshot(ROOM, 3).updates == []
    for seq in (None, 4):
        whole = kit.store.rooms.snapshot(ROOM, seq)
        assert (whole.seq, whole.updates, len(whole.fields or ())) == (3, None, 1)


def test_a_session_keeps_which_rooms_it_has_joined(kit: Kit) -> None:
    store = kit.store
    store.create(Session("s", "", ""))
    store.accept([Letter("s", "c", n, b"") for n in (1, 2, 3)])

    def rooms_after(n: int, *joined: tuple[str, bool]) -> list[str]:
        store.begin("s", f"t{n}")
        store.commit(Commit("s", f"t{n}", 1, Ending.FINAL, client="c", n=n, joined=joined))
        welcome = store.welcome("s", "c", None)
        assert welcome is not None
        assert store.rooms.joined("s") == welcome.rooms
        return list(welcome.rooms)

    assert rooms_after(1, ("b", True), ("a", True), ("b", True)) == ["b", "a"]
    assert rooms_after(2) == ["b", "a"]
    assert rooms_after(3, ("b", False), ("never", False), ("c", True)) == ["a", "c"]


def test_no_key_of_a_room_lives_for_ever(kit: Kit, redis_server: RedisServer) -> None:
    if not isinstance(kit.store, RedisStore):
        kit.store.clock = lambda: 10**12  # type: ignore[attr-defined]
        assert kit.store.keep([ROOM]) == [None]
        return
    with Redis.from_url(redis_server.url) as client:
        kit.take("slow")
        kit.write("slow", 1, 1, Ending.DETACH)
        kit.take("a")
        kit.write("a", 2, 1, Ending.PARTIAL)
        kit.take("b", channel="here")
        found = list(client.scan_iter(f"{kit.store.settings.namespace}:*"))
        assert len(found) >= 6
        assert all(client.pttl(key) > 0 for key in found)
