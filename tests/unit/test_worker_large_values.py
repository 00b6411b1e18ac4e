"""A worker's large values: what it writes before a commit, fetches and keeps, and what it does where they are gone."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from manyhands.branches import Defaults
from manyhands.errors import DamagedValue, LargeMissing, StoreRefused, TurnLost, Unavailable, UploadMissing
from manyhands.fields import encode_path
from manyhands.known_fields import KnownFields
from manyhands.letters import Body, encode_body
from manyhands.mutations import Mutation
from manyhands.references import CHUNK, DIGEST, Content, is_reference, read_reference
from manyhands.settings import Settings
from manyhands.store.contract import Letter, Session
from manyhands.store.memory import MemoryStore
from manyhands.store.turns import Committed, Ending, Turn
from manyhands_worker.delivery import deliver
from manyhands_worker.large_values import LargeValues
from manyhands_worker.parts import Parts
from manyhands_worker.run import Ended, Run
from manyhands_worker.running import Running
from manyhands_worker.waits import Waits

BIG = "x" * 100_000
BODY = Body("handler")


class CountingStore(MemoryStore):
    """Counts reads of chunks, and is away for some of them."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.reads = self.away = 0

    def read_chunks(self, session: str, digest: bytes, first: int, count: int) -> Sequence[bytes | None]:
        if self.away:
            self.away -= 1
            raise Unavailable("Redis", "gone")
        self.reads += 1
        return super().read_chunks(session, digest, first, count)


class Worker:
    """A worker's parts, as far as large values need them, on a store with one session."""

    def __init__(self, most: int = 2**20) -> None:
        self.store = CountingStore()
        self.store.create(Session("s", "", "v"))
        self.running = Running((10, 10), 1)
        self.running.pause = lambda _: None  # type: ignore[method-assign]
        self.values = LargeValues(self.store, self.running, Waits(), most)
        self.parts = cast("Parts", SimpleNamespace(store=self.store, running=self.running))
        self._count = 0

    def begin(self) -> Run:
        """Begin the next event."""
        self._count += 1
        self.store.accept([Letter("s", "c", self._count, encode_body(BODY))])
        turn = self.store.begin("s", f"{self._count:05}")
        assert isinstance(turn, Turn)
        known = KnownFields(dict(turn.fields or {}))
        return Run(
            turn, BODY, Defaults({}, {}), known, dev=False, values=self.values.of("s"), max_value=2**26
        )  # fmt: skip

    def end(self, run: Run) -> Committed | TurnLost:
        """Commit a run's end."""
        with run.lock:
            return deliver(self.parts, run, run.finish(Ended(), None))

    def assign(self, **values: Any) -> None:
        run = self.begin()
        for name, value in values.items():
            run.root.state[name] = value
        assert isinstance(self.end(run), Committed)

    def field(self, name: str) -> bytes:
        welcome = self.store.welcome("s", "c", None)
        assert welcome is not None
        assert welcome.fields is not None
        return welcome.fields[encode_path((name,))]

    def lose_contents(self) -> None:
        """Let the store forget every large value."""
        self.store._records["s"].shelf.held.clear()


def sent(run: Run) -> bytes:
    """Give what a partial commit sends, and take it for answered."""
    with run.lock:
        commit = run.prepare(Ending.PARTIAL)
        assert commit is not None
        assert commit.update is not None
        run.answered(commit, Committed(1, 1))
    return b"".join(commit.update)


def test_what_was_assigned_here_is_not_fetched() -> None:
    worker = Worker()
    worker.assign(a=BIG)
    assert is_reference(worker.field("a"))
    assert worker.begin().root.state["a"] == BIG
    assert worker.store.reads == 0


def test_a_second_read_in_the_same_worker_fetches_nothing() -> None:
    writer = Worker()
    writer.assign(a=BIG)
    reader = LargeValues(writer.store, writer.running, Waits(), 2**20)
    reference = read_reference(writer.field("a"))
    assert reader.load("s", reference) == reader.load("s", reference)
    assert writer.store.reads == 1


def test_what_is_kept_is_bounded_and_what_was_used_last_stays() -> None:
    writer = Worker()
    writer.assign(a="a" * CHUNK, b="b" * CHUNK, c="c" * CHUNK, d="d" * 5 * CHUNK)
    reader = LargeValues(writer.store, writer.running, Waits(), 2 * CHUNK + 100)
    references = {name: read_reference(writer.field(name)) for name in "abcd"}
    for name in "abacad":
        reader.load("s", references[name])
    before = writer.store.reads
    # What is more than may be kept takes nobody's place.
    for name in "ac":
        reader.load("s", references[name])
    assert writer.store.reads == before
    reader.load("s", references["b"])
    assert writer.store.reads > before


def test_a_redis_that_is_away_is_asked_again() -> None:
    worker = Worker(most=0)
    worker.assign(a=BIG)
    worker.store.away = 3
    assert worker.begin().root.state["a"] == BIG


def test_what_a_commit_refers_to_is_written_again_where_it_is_gone() -> None:
    worker = Worker()
    run = worker.begin()
    run.root.state["a"] = BIG
    with run.lock:
        commit = run.finish(Ended(), None)
        worker.lose_contents()
        with pytest.raises(LargeMissing):
            worker.store.commit(commit)
        assert isinstance(deliver(worker.parts, run, commit), Committed)
    assert LargeValues(worker.store, worker.running, Waits(), 0).load("s", read_reference(worker.field("a")))


def test_what_was_passed_on_unread_and_is_gone_is_not_written() -> None:
    worker = Worker()
    worker.assign(a={"b": BIG})
    run = worker.begin()
    run.root.state["copy"] = run.root.state["a"]
    worker.lose_contents()
    assert isinstance(worker.end(run), TurnLost)


def test_a_value_that_is_gone_is_damaged_and_names_its_path() -> None:
    worker = Worker(most=0)
    worker.assign(a=BIG)
    worker.lose_contents()
    with pytest.raises(DamagedValue, match=r'state\["a"\] of session s can\'t be read: .* part of it is gone'):
        worker.begin().root.state["a"]


def test_what_is_stowed_early_is_part_of_the_commit() -> None:
    worker = Worker()
    run = worker.begin()
    run.root.state["a"] = BIG
    run.stow()
    assert len(worker.store._records["s"].shelf.held) == 1
    run.root.state["b"] = 1
    with run.lock:
        commit = run.finish(Ended(), None)
    assert [op[1] for op in commit.ops] == [encode_path(("a",)), encode_path(("b",))]


def test_mail_never_goes_out_before_what_was_assigned_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Worker().begin()
    take = run.root.take

    def take_while_the_handler_runs(*, goes_on: bool) -> list[Mutation]:
        taken = take(goes_on=goes_on)
        monkeypatch.undo()
        run.root.state["x"] = 1
        run.root.state.set_page("of x")
        return taken

    run.root.state["before"] = 0
    monkeypatch.setattr(run.root, "take", take_while_the_handler_runs)
    assert b"of x" not in sent(run)
    assert b"of x" in (last := sent(run))
    assert b"\x91\xa1x" in last


def test_a_download_that_redis_refuses_takes_no_assignment_along(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker()
    run = worker.begin()
    run.root.state["x"] = 1
    run.root.state.file_download(b"x" * 5000, "a.txt")

    def refuse(*_: object) -> bool:
        raise StoreRefused("Redis", "OOM")

    with monkeypatch.context() as patch, run.lock:
        patch.setattr(worker.store, "hold", refuse)
        with pytest.raises(StoreRefused):
            run.prepare(Ending.PARTIAL)
    assert b"\x91\xa1x" in sent(run)


def test_equal_values_are_written_once() -> None:
    worker = Worker()
    held: list[Content] = []
    hold = worker.store.hold
    worker.store.hold = lambda session, contents: held.extend(contents) or hold(session, contents)  # type: ignore
    worker.assign(a=BIG, b=[BIG])
    worker.assign(c=BIG)
    assert read_reference(worker.field("a")).digest == read_reference(worker.field("c")).digest
    assert len({one.digest for one in held}) == 2


def test_uploads_take_their_places_in_a_payload() -> None:
    worker = Worker()
    upload = bytes(DIGEST)
    worker.store.begin_upload("s", upload, 5)
    worker.store.put_upload("s", upload, 0, b"12345")
    named = {"$upload": upload.hex()}
    payload, used = worker.values.fill_in("s", {"a": [named, 1], "b": named, "$upload": "beside", "c": {}})
    assert payload == {"a": [b"12345", 1], "b": b"12345", "$upload": "beside", "c": {}}
    assert used == [upload]
    assert worker.store.reads == 1


@pytest.mark.parametrize("name", ["", "zz", "00" * 15, None, 5, ["00"], "00" * DIGEST, "x" * 1000])
def test_an_upload_that_is_none_is_refused_by_its_name(name: object) -> None:
    with pytest.raises(UploadMissing) as caught:
        Worker().values.fill_in("s", [{"$upload": name}])
    assert str(name)[:100] in str(caught.value)
