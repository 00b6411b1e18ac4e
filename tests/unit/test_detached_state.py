"""What detached runs see of what others write, and what they write themselves where the store is away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from manyhands.branches import Defaults
from manyhands.errors import Unavailable
from manyhands.known_fields import KnownFields
from manyhands.letters import Body, encode_body
from manyhands.references import Content
from manyhands.settings import Settings
from manyhands.store.contract import Letter, Session
from manyhands.store.memory import MemoryStore
from manyhands.store.turns import Ending, Turn
from manyhands_worker.large_values import SessionValues
from manyhands_worker.run import Ended, Run

BODY = Body("handler")


class Values:
    """Stands for a session's large values; the store is away for the first so many that are written."""

    def __init__(self) -> None:
        self.away = 0

    def load(self, reference: object) -> bytes:
        raise AssertionError(reference)

    def refer(self, field: bytes) -> tuple[bytes, Content]:
        raise AssertionError(field)

    def hold(self, _contents: Sequence[Content]) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable("Redis", "away")


@pytest.fixture
def store() -> MemoryStore:
    """A store with one session and four events."""
    store = MemoryStore(Settings())
    store.create(Session("s", "", "v"))
    store.accept([Letter("s", "c", n, encode_body(BODY)) for n in (1, 2, 3, 4)])
    return store


@pytest.fixture
def values() -> Values:
    """A session's large values."""
    return Values()


def begin(store: MemoryStore, token: str, values: Values) -> Run:
    turn = store.begin("s", token)
    assert isinstance(turn, Turn)
    kept = cast("SessionValues", values)
    return Run(
        turn, BODY, Defaults({}, {}), KnownFields(turn.fields or {}), dev=False, values=kept, max_value=2**26
    )  # fmt: skip


def commit(store: MemoryStore, run: Run, ending: Ending) -> None:
    with run.lock:
        made = run.finish(Ended(), None) if ending is Ending.FINAL else run.prepare(ending)
        assert made is not None
        run.answered(made, store.commit(made))


def refresh(store: MemoryStore, run: Run) -> None:
    (found,) = store.refresh_all([(run.session, run.version)])
    if found is not None:
        run.refresh(found)


@pytest.mark.parametrize("writes", [False, True])
def test_a_run_is_told_what_a_detached_one_wrote_during_its_turn(
    store: MemoryStore, values: Values, writes: bool
) -> None:
    first = begin(store, "t1", values)
    commit(store, first, Ending.DETACH)
    second = begin(store, "t2", values)
    assert second.root.state["cancel"] is None
    first.root.state["cancel"] = True
    commit(store, first, Ending.PARTIAL)
    if writes:
        second.root.state["own"] = 1
    commit(store, second, Ending.DETACH)
    refresh(store, second)
    assert second.root.state["cancel"] is True


def test_a_detached_run_still_reads_what_it_has_deleted_after_that_is_written(
    store: MemoryStore, values: Values
) -> None:
    before = begin(store, "t1", values)
    before.root.state["cart"] = {"tea": 2, "more": {"milk": 1}}
    commit(store, before, Ending.FINAL)
    run = begin(store, "t2", values)
    old = run.root.state["cart"]
    del run.root.state["cart"]
    commit(store, run, Ending.DETACH)
    other = begin(store, "t3", values)
    other.root.state["other"] = 1
    commit(store, other, Ending.FINAL)
    refresh(store, run)
    run.root.state["kept"] = old
    commit(store, run, Ending.FINAL)
    assert begin(store, "t4", values).root.state.to_dict() == {"kept": {"tea": 2, "more": {"milk": 1}}, "other": 1}


def test_what_cannot_be_written_for_now_is_written_later(store: MemoryStore, values: Values) -> None:
    run = begin(store, "t1", values)
    run.root.state.update({"a": 1, "gone": 1})
    commit(store, run, Ending.DETACH)
    state: Any = run.root.state
    state["a"] = 2
    del state["gone"]
    values.away = 1
    with pytest.raises(Unavailable), run.lock:
        run.prepare(Ending.PARTIAL)
    state["b"] = 3
    commit(store, run, Ending.FINAL)
    assert begin(store, "t2", values).root.state.to_dict() == {"a": 2, "b": 3}
