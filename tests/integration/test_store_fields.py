"""States with many fields in Redis: they get an index, which knows at all times what the state holds."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest
import redis

from manyhands import fields
from manyhands.keys import Keys
from manyhands.settings import Settings
from manyhands.store.contract import Letter, Session
from manyhands.store.redis_store import RedisStore
from manyhands.store.turns import Commit, Ending
from support.redis_server import RedisServer

MANY = 300


class Fields:
    """A session whose state is written by one long run, beside what the same writes make of a dict."""

    def __init__(self, server: RedisServer, namespace: str) -> None:
        self.store = RedisStore(Settings(redis_url=server.url, namespace=namespace))
        self.keys = Keys(namespace)
        self.client = redis.Redis.from_url(server.url)
        self.store.create(Session("s", "", "v"))
        self.store.accept([Letter("s", "c", 1, b"body")])
        assert self.store.begin("s", "token")
        self.expected: dict[bytes, bytes] = {}
        self._k = itertools.count(1)

    def write(self, *ops: tuple[str, bytes, bytes]) -> None:
        """Commit writes."""
        self.store.commit(Commit("s", "token", next(self._k), Ending.PARTIAL, ops=ops))
        fields.apply(self.expected, ops)

    def assign(self, path: tuple[str, ...], value: object) -> None:
        """Assign as a handler does."""
        self.write(*fields.encode_assignment(path, value, over_dict=False, dicts_above=0))

    def check(self) -> None:
        """Compare what Redis has."""
        state = self.client.hgetall(self.keys.state("s"))
        assert state == self.expected
        index = set(self.client.zrange(self.keys.index("s"), 0, -1))
        assert index in (set(), set(state))
        assert self.client.hget(self.keys.meta("s"), "many") == (b"1" if index else b"0")
        size = sum(len(field) + len(value) for field, value in state.items())
        assert int(self.client.hget(self.keys.meta("s"), "bytes") or b"") == size

    @property
    def has_index(self) -> bool:
        """Whether there is an index, which expires with its session."""
        life = self.client.pttl(self.keys.index("s"))
        assert life == -2 or life > 0
        return bool(life > 0)


@pytest.fixture
def state(redis_server: RedisServer, namespace: str) -> Iterator[Fields]:
    """A session without any fields."""
    made = Fields(redis_server, namespace)
    yield made
    made.store.close()
    made.client.close()


def test_a_state_gets_an_index_with_many_fields_and_loses_it_with_few(state: Fields) -> None:
    state.assign(("a",), 1)
    state.check()
    assert not state.has_index
    state.assign(("d",), {str(n): n for n in range(MANY)})
    state.check()
    assert state.has_index
    state.write((fields.Op.DELETE.value, fields.encode_path(("d",)), b""))
    state.check()
    assert not state.has_index


def test_the_index_and_the_size_follow_every_kind_of_write(state: Fields) -> None:
    chance = random.Random(7)
    names = ("a", "aa", "b", "\u00e9", "", "x" * 40, "y" * 300)
    state.assign(("base",), {str(n): {"v": n} for n in range(MANY)})
    for _ in range(150):
        path = tuple(chance.choice(names) for _ in range(chance.randint(1, 3)))
        match chance.randint(0, 4):
            case 0:
                state.write((chance.choice((fields.Op.DELETE, fields.Op.CUT)).value, fields.encode_path(path), b""))
            case 1:
                state.assign(path, {name: {"deep": name} for name in chance.sample(names, 3)})
            case _:
                state.assign(path, "v" * chance.randint(0, 50))
        state.check()
    assert state.has_index


def test_a_state_that_was_emptied_and_written_again_expires_with_its_session(state: Fields) -> None:
    state.assign(("d",), {str(n): n for n in range(MANY)})
    everything = [(fields.Op.DELETE.value, fields.encode_path(("d",)), b"")]
    state.write(*everything, *fields.encode_assignment(("d",), {str(n): n for n in range(MANY)}, over_dict=False))
    state.check()
    assert state.has_index
    assert state.client.pttl(state.keys.state("s")) > 0


def test_updates_and_outcomes_rest_half_an_hour_after_the_last_event_and_the_state_stays(state: Fields) -> None:
    update, outcome = (b"h" * 17, b"tail"), b"outcome"
    state.store.commit(Commit("s", "token", 1, Ending.FINAL, client="c", n=1, update=update, outcome=outcome))
    lives = {key: state.client.pttl(key) for key in (state.keys.log("s"), state.keys.ended("s"), state.keys.meta("s"))}
    assert list(lives.values())[:2] == [pytest.approx(1_800_000, abs=60_000)] * 2
    assert lives[state.keys.meta("s")] > 80_000_000
    # As they do when they have rested.
    state.client.delete(state.keys.log("s"), state.keys.ended("s"))
    assert state.store.updates_since("s", 0) is None
    assert state.store.updates_since("s", 1) == []
    state.store.accept([Letter("s", "c", 2, b"body")])
    assert state.store.begin("s", "next")
    state.store.commit(Commit("s", "next", 1, Ending.FINAL, client="c", n=2, update=update, outcome=outcome))
    assert len(state.store.updates_since("s", 1) or ()) == 1


def test_what_is_known_of_a_session_is_kept_in_the_form_that_takes_least(state: Fields) -> None:
    assert state.client.object("encoding", state.keys.meta("s")) in (b"listpack", b"ziplist")
