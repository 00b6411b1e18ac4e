"""What detached runs see of what others write, and what they write themselves where the store is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from manyhands.branches import Defaults
from manyhands.errors import StoreRefused, Unavailable
from manyhands.known_fields import KnownFields
from manyhands.letters import Body, encode_body
from manyhands.paths import encode_path
from manyhands.references import Content
from manyhands.settings import Settings
from manyhands.store.contract import Letter, Session
from manyhands.store.memory import MemoryStore
from manyhands.store.turns import Ending, Turn
from manyhands_worker import drain
from manyhands_worker.flusher import Flusher
from manyhands_worker.large_values import SessionValues
from manyhands_worker.parts import Parts
from manyhands_worker.run import Ended, Phase, Run
from manyhands_worker.running import GRACE, Running

BODY = Body("handler")


class Values:
    """Stands for a session's large values; the store is away for the first so many that are written."""

    def __init__(self) -> None:
        self.away, self.refuses = 0, False

    def load(self, reference: object) -> bytes:
        raise AssertionError(reference)

    def refer(self, field: bytes) -> tuple[bytes, Content]:
        raise AssertionError(field)

    def publish(self, file: object) -> str:
        raise AssertionError(file)

    def hold(self, _contents: Sequence[Content]) -> None:
        if self.refuses:
            raise StoreRefused("Redis", "too large")
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


def begin(store: MemoryStore, token: str, values: Values, session: str = "s") -> Run:
    turn = store.begin(session, token)
    assert isinstance(turn, Turn)
    kept = cast("SessionValues", values)
    return Run(
        turn, BODY, Defaults({}, {}), KnownFields(turn.fields or {}), dev=False, values=kept, max_value=2**26
    )  # fmt: skip


def begin_detached(store: MemoryStore, token: str, values: Values, session: str = "s") -> Run:
    run = begin(store, token, values, session)
    commit(store, run, Ending.DETACH)
    return run


def flush(store: MemoryStore, runs: Sequence[Run]) -> None:
    """Flush detached runs as a worker does."""
    running = Running((10, 10), 1)
    for run in runs:
        running.add(run)
        running.detached(run)
    flusher = Flusher(store, running, 0.0)
    flusher._flush_due()


def parts_of(store: MemoryStore, running: Running) -> Parts:
    ringing = SimpleNamespace(ring=lambda *_, **__: None, flush=lambda: None)
    return cast("Parts", SimpleNamespace(store=store, running=running, ringing=ringing))


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


def test_a_detached_run_is_told_what_others_write_and_not_its_own(store: MemoryStore, values: Values) -> None:
    run = begin_detached(store, "t1", values)
    other = begin(store, "t2", values)
    for number in range(3):
        run.root.state["own"] = number
        commit(store, run, Ending.PARTIAL)
        assert store.refresh_all([("s", run.version)]) == [None]
    other.root.state["others"] = 1
    commit(store, other, Ending.PARTIAL)
    run.root.state["own"] = 3
    commit(store, run, Ending.PARTIAL)
    refresh(store, run)
    assert run.root.state.to_dict() == {"own": 3, "others": 1}


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


def test_what_redis_refuses_of_one_run_holds_up_no_other(store: MemoryStore, values: Values) -> None:
    runs = [begin_detached(store, "t1", values), begin_detached(store, "t2", Values())]
    for run in runs:
        run.root.state[run.token] = 1
    values.refuses = True
    flush(store, runs)
    assert (runs[0].phase, runs[1].phase) == (Phase.LOST, Phase.DETACHED)
    assert begin(store, "t3", values).root.state.to_dict() == {"t2": 1}


def test_damage_in_one_session_hides_what_others_changed_from_nobody_else(
    store: MemoryStore, values: Values, caplog: pytest.LogCaptureFixture
) -> None:
    store.create(Session("damaged", "", "v"))
    store.accept([Letter("damaged", "c", n, encode_body(BODY)) for n in (1, 2)])
    runs = [begin_detached(store, "t1", values, "damaged"), begin_detached(store, "t2", values)]
    for session in ("damaged", "s"):
        writes = begin(store, f"t3{session}", values, session)
        writes.root.state["d"] = {"go": True}
        commit(store, writes, Ending.FINAL)
    store._records["damaged"].fields[encode_path(("d",))] = b"\xc1D\xff"
    flush(store, runs)
    assert runs[1].root.state["d"]["go"] is True
    assert "damaged" in caplog.text


def test_a_handler_that_hangs_while_it_reads_its_state_keeps_no_other_from_being_handed_over(
    store: MemoryStore, values: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "HAND_OVER", 1.0)
    store.create(Session("other", "", "v"))
    store.accept([Letter("other", "c", 1, encode_body(BODY))])
    hangs, other = begin_detached(store, "t2", values), begin_detached(store, "t1", values, "other")
    running = Running((10, 10), 1)
    for run in (hangs, other):
        running.add(run)
    running.stopping_since = time.monotonic() - GRACE
    hangs.root._shared.lock.acquire()
    handed_over = threading.Thread(target=drain.drain, args=(parts_of(store, running),), daemon=True)
    handed_over.start()
    handed_over.join(20)
    hangs.root._shared.lock.release()
    assert not handed_over.is_alive()
    assert begin(store, "t3", values, "other").turn.attempt == 1
