"""The acts on a session, the same for Redis and for memory."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from manyhands import codec, fields
from manyhands.abilities import PLAIN, Abilities
from manyhands.errors import TurnLost
from manyhands.settings import Settings
from manyhands.store import limits
from manyhands.store.contract import Announcement, Letter, Session, Store, Verdict, Waiting
from manyhands.store.redis_store import RedisStore
from manyhands.store.turns import Begin, Commit, Committed, Elsewhere, Ending, Grown, GrownText, Turn, Wanted
from manyhands.updates import splice
from support.redis_server import RedisServer
from support.waiting import wait_until

HEAD, TAIL = b"h" * 17, b"tail"


@pytest.fixture
def make_redis_store(redis_server: RedisServer, namespace: str) -> Iterator[Callable[[], RedisStore]]:
    """A factory of stores that share a fresh namespace, for what is about Redis alone."""
    made: list[RedisStore] = []

    def make() -> RedisStore:
        made.append(RedisStore(Settings(redis_url=redis_server.url, namespace=namespace)))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    """A store with one session, `s`."""
    store = make_store(lease=0.2)
    store.create(Session("s", "d", "v", {"User-Agent": "test"}, {"k": "v"}))
    return store


def until(condition: Callable[[], Any]) -> Any:
    return wait_until(condition, 10, "such answer of the store")


def letter(n: int | None, body: bytes = b"body", session: str = "s", client: str = "c", queue: str = "") -> Letter:
    return Letter(session, client, n, body, queue)


def write(token: str, k: int = 1, ending: Ending = Ending.FINAL, **other: Any) -> Commit:
    return Commit("s", token, k, ending, client="c", n=other.pop("n", 1), **other)


def assign(path: tuple[str, ...], value: object) -> list[tuple[str, bytes, bytes]]:
    return fields.encode_assignment(path, value, over_dict=False)


def field_of(store: Store, *path: str) -> bytes | None:
    welcome = store.welcome("s", "reader", None)
    assert welcome is not None
    assert welcome.fields is not None
    return welcome.fields.get(fields.encode_path(path))


def fill(store: Store, n: int, count: int = 2 * limits.WHOLE_FIELDS, value: object = 0) -> None:
    """Let an event store a dict of many values."""
    store.accept([letter(n)])
    store.begin("s", "fills")
    many = {str(key): value for key in range(count)}
    store.commit(write("fills", n=n, ops=assign(("many",), many)))


def test_of_a_session_created_twice_the_first_stays(store: Store) -> None:
    store.create(Session("s", "other", "w"))
    welcome = store.welcome("s", "c", None)
    assert welcome is not None
    assert welcome.session == Session("s", "d", "v", {"User-Agent": "test"}, {"k": "v"})


def test_an_unknown_session_accepts_nothing_and_welcomes_nobody(store: Store) -> None:
    assert store.accept([letter(1, session="nobody")])[0].verdict is Verdict.UNKNOWN_SESSION
    assert store.welcome("nobody", "c", None) is None
    assert store.begin("nobody", "t") is None
    assert store.keep(["nobody", "s"]) == [None, 0]
    assert store.updates_since("nobody", 0) is None


def test_turns_of_events_accepted_after_a_browser_wanted_arrow_say_so(store: Store) -> None:
    store.accept([letter(1)])
    first = store.begin("s", "one")
    assert first is not None
    assert not first.arrow
    store.welcome("s", "c", None, Abilities(arrow=True))
    store.welcome("s", "other", None)
    store.accept([letter(2)])
    second = store.commit(write("one", next_token="two")).turn
    assert second is not None
    assert second.arrow
    store.commit(write("two", n=2))
    store.accept([letter(3)])
    third = store.begin("s", "three")
    assert third is not None
    assert third.arrow


def test_a_deleted_session_is_unknown_and_what_runs_in_it_is_given_up(store: Store) -> None:
    store.create(Session("s", "d", "v1"))
    store.accept([letter(1), letter(2)])
    assert store.begin("s", "detached")
    store.commit(write("detached", ending=Ending.DETACH, ops=assign(("a",), 1), update=(b"u", b"")))
    assert store.begin("s", "turn")
    store.delete("s")
    store.delete("s")
    assert store.keep(["s"]) == [None]
    assert store.welcome("s", "c", None) is None
    assert store.accept([letter(3)])[0].verdict is Verdict.UNKNOWN_SESSION
    assert list(store.renew([("s", "turn"), ("s", "detached")])) == [False, False]
    for token in ("turn", "detached"):
        with pytest.raises(TurnLost):
            store.commit(write(token, k=2))
    assert list(store.ring_overdue({"": None}, True)) == []
    store.create(Session("s", "d", "v1"))
    assert field_of(store, "a") is None


def test_events_begin_in_the_order_in_which_they_were_accepted(store: Store) -> None:
    store.accept([letter(n, str(n).encode()) for n in (1, 2, 3)])
    turn = store.begin("s", "t1")
    begun = []
    while turn:
        begun.append((turn.n, turn.body))
        turn = store.commit(write(turn.token, n=turn.n, next_token=f"t{turn.n + 1}")).turn
    assert begun == [(1, b"1"), (2, b"2"), (3, b"3")]


def test_the_first_event_rings_and_those_that_follow_do_not(store: Store) -> None:
    first, second = store.accept([letter(1), letter(2)])
    assert first.ring is not None
    assert second.ring is None


def test_an_event_accepted_while_another_runs_is_handed_over_by_the_commit(store: Store) -> None:
    store.accept([letter(1)])
    store.begin("s", "t1")
    assert store.accept([letter(2)])[0].ring is None
    answer = store.commit(write("t1", next_token="t2"))
    assert answer.turn is not None
    assert (answer.turn.n, answer.turn.token) == (2, "t2")


def test_a_commit_without_a_next_token_rings_for_the_rest(store: Store) -> None:
    store.accept([letter(1), letter(2)])
    store.begin("s", "t1")
    answer = store.commit(write("t1"))
    assert answer.turn is None
    assert answer.ring is not None
    turn = store.begin("s", "t2")
    assert turn is not None
    assert turn.n == 2


def test_while_one_holds_the_turn_nobody_else_begins(store: Store) -> None:
    store.accept([letter(1), letter(2)])
    assert store.begin("s", "t1")
    assert store.begin("s", "t2") is None


def test_a_number_is_accepted_once(store: Store) -> None:
    receipts = store.accept([letter(1), letter(1), letter(2), letter(1)])
    assert [(one.verdict, one.n, one.duplicate) for one in receipts] == [
        (Verdict.ACCEPTED, 1, False),
        (Verdict.ACCEPTED, 1, True),
        (Verdict.ACCEPTED, 2, False),
        (Verdict.ACCEPTED, 1, True),
    ]
    welcome = store.welcome("s", "c", None)
    assert welcome is not None
    assert list(welcome.pending) == [1, 2]


def test_a_number_in_a_gap_is_accepted_later_and_then_never_again(store: Store) -> None:
    receipts = store.accept([letter(5), letter(3), letter(3), letter(4), letter(1), letter(2), letter(2)])
    assert [one.duplicate for one in receipts] == [False, False, True, False, False, False, True]
    welcome = store.welcome("s", "c", None)
    assert welcome is not None
    assert (welcome.highest_n, sorted(welcome.pending)) == (5, [1, 2, 3, 4, 5])


def test_a_number_in_a_gap_that_is_forgotten_is_refused(make_store: Callable[..., Store]) -> None:
    store = make_store()
    store.create(Session("s", "d", "v"))
    numbers = [2 * i for i in range(1, limits.CLIENT_GAPS + 4)]
    assert {one.verdict for one in store.accept([letter(n) for n in numbers])} == {Verdict.ACCEPTED}
    assert store.accept([letter(1)])[0].verdict is Verdict.TOO_OLD
    assert store.accept([letter(numbers[-1] - 1)])[0].verdict is Verdict.ACCEPTED


def test_the_largest_number_is_kept_exactly(store: Store) -> None:
    largest = 2**53 - 1
    assert store.accept([letter(largest)])[0].n == largest
    turn = store.begin("s", "t")
    assert turn is not None
    assert turn.n == largest
    assert store.accept([letter(largest)])[0].duplicate
    assert store.accept([letter(None)])[0].verdict is Verdict.TOO_OLD


def test_without_a_number_the_store_counts_per_client(store: Store) -> None:
    receipts = store.accept([letter(None), letter(7), letter(None), letter(None, client="other")])
    assert [one.n for one in receipts] == [1, 7, 8, 1]


def test_a_full_mailbox_refuses_and_the_same_number_may_come_again(make_store: Callable[..., Store]) -> None:
    store = make_store(mailbox_limit=2)
    store.create(Session("s", "d", "v"))
    receipts = store.accept([letter(1), letter(2), letter(3)])
    assert receipts[2].verdict is Verdict.MAILBOX_FULL
    assert receipts[2].retry_after
    store.begin("s", "t")
    store.commit(write("t"))
    again = store.accept([letter(3)])[0]
    assert (again.verdict, again.duplicate) == (Verdict.ACCEPTED, False)


def test_over_the_rate_events_are_refused_with_the_time_to_wait(make_store: Callable[..., Store]) -> None:
    store = make_store(rate_limit=0.5)
    store.create(Session("s", "d", "v"))
    first, second = store.accept([letter(1), letter(2)])
    assert (first.verdict, second.verdict) == (Verdict.ACCEPTED, Verdict.RATE_LIMITED)
    assert second.retry_after is not None
    assert 0 < second.retry_after <= 2


def test_only_the_newer_fence_commits(store: Store) -> None:
    store.accept([letter(1)])
    first = store.begin("s", "t1")
    second = until(lambda: store.begin("s", "t2"))
    assert first is not None
    assert (first.attempt, second.attempt) == (1, 2)
    assert second.fence > first.fence
    with pytest.raises(TurnLost):
        store.commit(write("t1", ops=assign(("a",), 1)))
    store.commit(write("t2", ops=assign(("a",), 2)))
    assert field_of(store, "a") == b"\x02"


def test_a_repeated_begin_gets_the_same_turn(store: Store) -> None:
    store.accept([letter(1)])
    first, again = store.begin("s", "t"), store.begin("s", "t")
    assert first is not None
    assert again is not None
    assert (first.n, first.attempt) == (again.n, again.attempt) == (1, 1)
    store.commit(write("t"))
    assert store.begin("s", "t") is None


def test_a_renewed_lease_is_not_taken_over(store: Store) -> None:
    store.accept([letter(1)])
    store.begin("s", "t1")
    thrice_the_lease = time.monotonic() + 0.6

    def renewed_long_enough() -> bool:
        assert store.renew([("s", "t1"), ("s", "gone")]) == [True, False]
        assert store.begin("s", "t2") is None
        return time.monotonic() > thrice_the_lease

    until(renewed_long_enough)


def test_a_repeated_commit_gets_the_first_answer_and_writes_nothing(store: Store) -> None:
    store.accept([letter(1), letter(2)])
    store.begin("s", "t1")
    commit = write("t1", ops=assign(("a",), 1), update=(HEAD, TAIL), next_token="t2", version=1)
    first, again = store.commit(commit), store.commit(commit)
    assert (first.seq, first.version) == (again.seq, again.version) == (1, 1)
    assert first.turn is not None
    assert again.turn is not None
    assert (first.turn.n, again.turn.n) == (2, 2)
    welcome = store.welcome("s", "c", 0)
    assert welcome is not None
    assert welcome.updates is not None
    assert len(welcome.updates) == 1


def test_a_repeated_commit_of_a_detached_run_writes_nothing(store: Store) -> None:
    store.accept([letter(1)])
    store.begin("s", "t1")
    store.commit(write("t1", 1, Ending.DETACH))
    final = write("t1", 2, ops=assign(("a",), 1), update=(HEAD, TAIL))
    assert store.commit(final).seq == store.commit(final).seq == 1


def test_a_detached_run_frees_the_turn_and_commits_later(store: Store) -> None:
    store.accept([letter(1), letter(2)])
    store.begin("s", "t1")
    answer = store.commit(write("t1", 1, Ending.DETACH, ops=assign(("a",), 1)))
    assert answer.ring is not None
    turn = store.begin("s", "t2")
    assert turn is not None
    assert turn.n == 2
    store.commit(write("t2", n=2))
    store.commit(write("t1", 2, Ending.PARTIAL, ops=assign(("b",), 2)))
    store.commit(write("t1", 3, ops=assign(("c",), 3)))
    assert [field_of(store, name) for name in "abc"] == [b"\x01", b"\x02", b"\x03"]
    with pytest.raises(TurnLost):
        store.commit(write("t1", 4, ops=assign(("c",), 4)))


def test_a_dead_detached_run_begins_again_before_the_events_that_wait(store: Store) -> None:
    store.accept([letter(1)])
    store.begin("s", "t1")
    store.commit(write("t1", 1, Ending.DETACH))
    assert [one.session for one in until(lambda: store.ring_overdue({}, idle=False))] == ["s"]
    store.accept([letter(2)])
    turn = store.begin("s", "t2")
    assert turn is not None
    assert (turn.n, turn.attempt) == (1, 2)
    with pytest.raises(TurnLost):
        store.commit(write("t1", 2, Ending.PARTIAL))
    answer = store.commit(write("t2", next_token="t3"))
    assert answer.turn is not None
    assert (answer.turn.n, answer.turn.attempt) == (2, 1)


def test_a_turn_that_ends_leaves_the_rest_to_a_dead_detached_run(store: Store) -> None:
    store.accept([letter(1), letter(2), letter(3)])
    store.begin("s", "t1")
    store.commit(write("t1", 1, Ending.DETACH))
    store.begin("s", "t2")
    over = time.monotonic() + 0.4
    until(lambda: store.renew([("s", "t2")]) and time.monotonic() > over)
    answer = store.commit(write("t2", n=2, next_token="t3"))
    assert answer.turn is None
    turn = store.begin("s", "t4")
    assert turn is not None
    assert (turn.n, turn.attempt) == (1, 2)


def test_a_run_given_back_begins_again_without_counting_an_attempt(store: Store) -> None:
    store.accept([letter(1), letter(2)])
    store.begin("s", "t1")
    assert store.commit(write("t1", 1, Ending.RETURN, ops=assign(("a",), 1))).ring is not None
    turn = store.begin("s", "t2")
    assert turn is not None
    assert (turn.n, turn.attempt, turn.version) == (1, 1, 1)


def test_a_detached_run_given_back_begins_again_without_counting_an_attempt(store: Store) -> None:
    store.accept([letter(1)])
    store.begin("s", "t1")
    store.commit(write("t1", 1, Ending.DETACH))
    assert store.commit(write("t1", 2, Ending.RETURN)).ring is not None
    turn = store.begin("s", "t2")
    assert turn is not None
    assert (turn.n, turn.attempt) == (1, 1)


def test_a_detached_run_given_back_while_another_has_the_turn_comes_right_after_it(store: Store) -> None:
    store.accept([letter(1), letter(2), letter(3)])
    store.begin("s", "t1")
    store.commit(write("t1", 1, Ending.DETACH))
    store.begin("s", "t2")
    assert store.commit(write("t1", 2, Ending.RETURN)).ring is None
    answer = store.commit(write("t2", n=2, next_token="t3"))
    assert answer.turn is not None
    assert (answer.turn.n, answer.turn.attempt) == (1, 1)
    answer = store.commit(write("t3", n=1, next_token="t4"))
    assert answer.turn is not None
    assert answer.turn.n == 3


def test_an_old_commit_of_a_detached_run_that_comes_again_writes_over_nothing(store: Store) -> None:
    store.accept([letter(1), letter(2)])
    store.begin("s", "t1")
    detach = write("t1", 1, Ending.DETACH, ops=assign(("x",), "A"), update=(HEAD, TAIL))
    first = store.commit(detach)
    store.begin("s", "t2")
    store.commit(write("t2", n=2, ops=assign(("x",), "B"), update=(HEAD, TAIL)))
    assert store.commit(detach).seq == first.seq == 1
    assert field_of(store, "x") == codec.encode("B")
    assert store.keep(["s"]) == [2]
    assert store.begin("s", "t3") is None


def test_attempts_are_counted_per_event(store: Store) -> None:
    store.accept([letter(1), letter(2)])
    attempts = [store.begin("s", "t0")]
    attempts += [until(lambda i=i: store.begin("s", f"t{i}")) for i in (1, 2)]
    assert [one.attempt for one in attempts if one] == [1, 2, 3]
    answer = store.commit(write("t2", next_token="t3"))
    assert answer.turn is not None
    assert (answer.turn.n, answer.turn.attempt) == (2, 1)


def test_updates_are_numbered_without_gaps_and_kept_for_those_who_missed_them(store: Store) -> None:
    store.accept([letter(n) for n in (1, 2, 3)])
    turn = store.begin("s", "t1")
    while turn:
        turn = store.commit(write(turn.token, n=turn.n, update=(HEAD, TAIL), next_token=f"t{turn.n + 1}")).turn
    missed = store.updates_since("s", 1)
    assert missed is not None
    assert [int.from_bytes(one[18:26], "big") for one in missed] == [2, 3]
    assert store.updates_since("s", 3) == []
    assert store.updates_since("s", 4) is None
    welcome = store.welcome("s", "c", 3)
    assert welcome is not None
    assert (welcome.seq, welcome.updates, welcome.fields) == (3, [], None)


def test_the_replay_log_is_bounded_in_entries(make_store: Callable[..., Store]) -> None:
    store = make_store()
    store.create(Session("s", "d", "v"))
    store.accept([letter(1)])
    store.begin("s", "t")
    for k in range(limits.LOG_ENTRIES + 2):
        store.commit(write("t", k + 1, Ending.PARTIAL, update=(HEAD, TAIL)))
    assert store.updates_since("s", 1) is None
    kept = store.updates_since("s", 2)
    assert kept is not None
    assert len(kept) == limits.LOG_ENTRIES


def test_the_replay_log_is_bounded_in_bytes(store: Store) -> None:
    store.accept([letter(1)])
    store.begin("s", "t")
    large = b"x" * (limits.LOG_BYTES // 3)
    for k in (1, 2, 3, 4):
        store.commit(write("t", k, Ending.PARTIAL, update=(HEAD, large)))
    assert store.updates_since("s", 1) is None
    kept = store.updates_since("s", 2)
    assert kept is not None
    assert len(kept) == 2


def test_ends_are_told_to_their_own_client_alone(store: Store) -> None:
    store.accept([letter(1), letter(1, client="other")])
    store.begin("s", "t1")
    store.commit(write("t1", outcome=b"mine", next_token="t2"))
    store.commit(replace(write("t2", outcome=b"theirs"), client="other"))
    mine, theirs = store.welcome("s", "c", None), store.welcome("s", "other", None)
    assert mine is not None
    assert theirs is not None
    assert (list(mine.ended), list(theirs.ended)) == ([b"mine"], [b"theirs"])


@pytest.mark.parametrize(
    ("before", "ops", "after"),
    [
        ({}, assign(("a",), {"x": 1}), {"a": {"x": 1}}),
        ({"a": {"x": 1, "y": 2}}, assign(("a",), {"x": 3}), {"a": {"x": 3}}),
        ({"a": {"x": {"y": 1}}}, assign(("a",), 5), {"a": 5}),
        ({"a": 5}, assign(("a", "x"), 1), {"a": {"x": 1}}),
        ({"a": {"x": 1}}, [("U", fields.encode_path(("a", "x")), b"")], {"a": {}}),
        ({"a": {"x": {"y": 1}}, "ab": 2}, [("U", fields.encode_path(("a",)), b"")], {"ab": 2}),
        ({}, assign(("dots.in.key", ""), "value"), {"dots.in.key": {"": "value"}}),
        ({"a" * 40: {"b" * 300: 1}}, assign(("a" * 40, "b" * 300, "c" * 70_000), 1),
         {"a" * 40: {"b" * 300: {"c" * 70_000: 1}}}),
        ({"z": {str(i): i for i in range(3000)}}, assign(("z",), {"one": 1}), {"z": {"one": 1}}),
    ],
)  # fmt: skip
def test_a_write_leaves_what_plain_dicts_would_hold(
    store: Store, before: dict[str, Any], ops: list[tuple[str, bytes, bytes]], after: dict[str, Any]
) -> None:
    store.accept([letter(1)])
    store.begin("s", "t")
    first = [op for name, value in before.items() for op in assign((name,), value)]
    store.commit(write("t", 1, Ending.PARTIAL, ops=first))
    store.commit(write("t", 2, Ending.PARTIAL, ops=ops))
    welcome = store.welcome("s", "c", None)
    assert welcome is not None
    assert welcome.fields is not None
    assert decoded(fields.build_tree({}, welcome.fields)) == after


def test_a_cut_hides_the_defaults_and_a_leaf_below_it_does_not_bring_them_back(store: Store) -> None:
    defaults = fields.encode_tree({"a": {"x": 1, "y": 2}, "b": 3})
    store.accept([letter(1)])
    store.begin("s", "t")
    store.commit(write("t", 1, Ending.PARTIAL, ops=[("C", fields.encode_path(("a",)), b"")]))
    store.commit(write("t", 2, Ending.PARTIAL, ops=assign(("a", "x"), 9)))
    welcome = store.welcome("s", "c", None)
    assert welcome is not None
    assert welcome.fields is not None
    assert decoded(fields.build_tree(defaults, welcome.fields)) == {"a": {"x": 9}, "b": 3}


def test_a_detached_run_is_told_what_others_changed(store: Store) -> None:
    store.accept([letter(1), letter(2)])
    store.begin("s", "t1")
    store.commit(write("t1", 1, Ending.DETACH, ops=assign(("mine",), 1)))
    assert store.refresh_all([("s", 1)]) == [None]
    store.begin("s", "t2")
    store.commit(write("t2", n=2, ops=[*assign(("d",), {"x": 1}), *assign(("cancel",), True)]))
    (refresh,) = store.refresh_all([("s", 1)])
    assert refresh is not None
    assert refresh.version == 2
    assert refresh.touched == {fields.encode_path(("d",)): 2, fields.encode_path(("cancel",)): 2}
    assert set(refresh.fields) == {fields.encode_path(path) for path in (("mine",), ("d",), ("d", "x"), ("cancel",))}
    assert refresh.whole


def test_a_detached_run_that_missed_more_than_is_remembered_is_told_everything(store: Store) -> None:
    store.accept([letter(1), letter(2)])
    store.begin("s", "t1")
    store.commit(write("t1", 1, Ending.DETACH))
    store.begin("s", "t2")
    many = [op for i in range(limits.TOUCHED_PATHS) for op in assign((str(i),), i)]
    store.commit(write("t2", 1, Ending.PARTIAL, n=2, ops=many))
    store.commit(write("t2", 2, n=2, ops=assign(("last",), 1)))
    (refresh,) = store.refresh_all([("s", 0)])
    assert refresh is not None
    assert refresh.touched is None
    assert (refresh.fields, refresh.whole) == ({}, False)


def test_a_detached_run_of_a_large_state_is_told_what_changed_and_what_lies_around_it(store: Store) -> None:
    fill(store, 1)
    store.accept([letter(2), letter(3)])
    store.begin("s", "t2")
    store.commit(write("t2", 1, Ending.DETACH, n=2))
    store.begin("s", "t3")
    store.commit(write("t3", n=3, ops=assign(("many", "7", "x"), 1)))
    (refresh,) = store.refresh_all([("s", 1)])
    assert refresh is not None
    assert not refresh.whole
    assert refresh.touched == {fields.encode_path(("many", "7", "x")): 2}
    assert set(refresh.fields) == {fields.encode_path(path) for path in (("many",), ("many", "7"), ("many", "7", "x"))}


@pytest.mark.parametrize("value", [0, "x" * 1000], ids=["many", "many bytes"])
def test_of_a_large_state_a_turn_brings_what_is_wanted(store: Store, value: object) -> None:
    fill(store, 1, limits.WHOLE_FIELDS if value == 0 else 100, value)
    store.accept([letter(2), letter(3)])
    many, seven = fields.encode_path(("many",)), fields.encode_path(("many", "7"))
    wanted = Wanted((seven, fields.encode_path(("nowhere",))))
    (turn,) = store.begin_all([Begin("s", "t2", wanted=wanted)])
    assert isinstance(turn, Turn)
    assert (turn.whole, turn.wanted, set(turn.fields or ())) == (False, wanted, {seven})
    answer = store.commit(write("t2", n=2, next_token="t3", version=0, wanted=Wanted((), (many,))))
    assert answer.turn is not None
    assert not answer.turn.whole
    assert len(answer.turn.fields or ()) == (limits.WHOLE_FIELDS if value == 0 else 100)
    assert store.read("s", Wanted((many,)))[0].keys() == {many}
    assert len(store.read("s", Wanted((), (b"",)))[0]) == len(answer.turn.fields or ()) + 1


def test_a_state_that_became_small_with_a_commit_is_told_whole_with_the_turn_behind_it(store: Store) -> None:
    fill(store, 1)
    store.accept([letter(2), letter(3)])
    store.begin("s", "t2")
    few = fields.encode_path(("few",))
    ops = [(fields.Op.DELETE.value, fields.encode_path(("many",)), b""), *assign(("few",), {"x": 1})]
    answer = store.commit(write("t2", n=2, ops=ops, next_token="t3", version=0, wanted=Wanted((), (few,))))
    assert answer.turn is not None
    assert answer.turn.whole
    assert set(answer.turn.fields or ()) == {few, fields.encode_path(("few", "x"))}


def test_a_small_state_is_told_whole_whatever_is_wanted(store: Store) -> None:
    fill(store, 1, 5)
    store.accept([letter(2)])
    (turn,) = store.begin_all([Begin("s", "t2", wanted=Wanted((b"\xa1x",)))])
    assert isinstance(turn, Turn)
    assert turn.whole
    assert len(turn.fields or ()) == 6
    assert store.read("s", Wanted())[1]
    assert store.read("nobody", Wanted()) == ({}, True)


def test_a_worker_that_takes_a_turn_gets_what_waits_behind_it(store: Store) -> None:
    store.accept([letter(1), letter(2, b"second"), letter(3, b"third", client="d")])
    turn = store.begin("s", "t1")
    assert turn is not None
    assert [(one.client, one.n, one.body) for one in turn.ahead] == [("c", 2, b"second"), ("d", 3, b"third")]


def test_a_letter_that_the_worker_has_begins_with_the_commit_before_it(store: Store) -> None:
    store.accept([letter(1), letter(2), letter(3)])
    first = store.begin("s", "t1")
    assert first is not None
    answer = store.commit(write("t1", next_token="t2", ahead=2))
    assert answer.turn is None
    assert answer.following is not None
    assert answer.following.fence == first.fence + 1
    last = store.commit(write("t2", n=2, next_token="t3", ahead=1))
    assert last.following is not None
    assert store.commit(write("t3", n=3)) == replace(last, following=None, seq=0)


def test_a_letter_that_the_worker_has_is_marked_when_it_is_cancelled(store: Store) -> None:
    store.accept([letter(1), letter(2)])
    store.begin("s", "t1")
    assert store.cancel("s", "c", 2, (HEAD, TAIL), b"cancelled")
    following = store.commit(write("t1", next_token="t2", ahead=1)).following
    assert following is not None
    assert following.cancelled


def test_dying_before_a_handler_began_is_no_attempt(store: Store) -> None:
    store.accept([letter(1)])
    store.begin_all([Begin("s", "t1", starts=False)])
    turn = until(lambda: store.begin("s", "t2"))
    assert turn.attempt == 1


def test_dying_after_a_handler_began_that_had_waited_is_an_attempt(store: Store) -> None:
    store.accept([letter(1)])
    store.begin_all([Begin("s", "t1", starts=False)])
    stream = store.stream()
    stream.start("s", "t1")
    assert stream.flush()
    assert stream.settle() == []
    turn = until(lambda: store.begin("s", "t2"))
    assert turn.attempt == 2


def test_commits_of_a_stream_are_answered_in_order(store: Store) -> None:
    store.accept([letter(1), letter(2)])
    store.begin("s", "t1")
    stream = store.stream()
    commits = [write("t1", update=(HEAD, TAIL), next_token="t2", ahead=1), write("t2", n=2, update=(HEAD, TAIL))]
    for commit in commits:
        stream.commit(commit)
        assert stream.flush()
    answers = stream.settle()
    assert [commit for commit, _ in answers] == commits
    assert [answer.seq for _, answer in answers if isinstance(answer, Committed)] == [1, 2]
    stream.commit(commits[1])
    ((_, again),) = stream.settle()
    assert isinstance(again, Committed)
    assert again.seq == 2


def test_an_event_of_another_queue_is_rung_there(store: Store) -> None:
    (receipt,) = store.accept([letter(1, queue="gpu")])
    assert receipt.queue == "gpu"
    (elsewhere,) = store.begin_all([Begin("s", "t1")], [""])
    assert isinstance(elsewhere, Elsewhere)
    assert elsewhere.queue == "gpu"
    (turn,) = store.begin_all([Begin("s", "t2")], ["", "gpu"])
    assert isinstance(turn, Turn)
    assert turn.queue == "gpu"


def test_after_a_commit_the_queue_of_the_next_event_is_rung(store: Store) -> None:
    store.accept([letter(1), letter(2, queue="gpu")])
    turn = store.begin("s", "t1")
    assert turn is not None
    assert turn.ahead == []
    answer = store.commit(write("t1"))
    assert (answer.ring is not None, answer.queue) == (True, "gpu")


def test_a_lost_doorbell_is_found_by_those_who_serve_its_queue(store: Store) -> None:
    (receipt,) = store.accept([letter(1, queue="gpu")])
    assert receipt.ring is not None
    assert store.ring_overdue({"": receipt.ring + 1}, idle=False) == []
    (again,) = store.ring_overdue({"": 0, "gpu": receipt.ring + 1}, idle=False)
    assert (again.session, again.queue) == ("s", "gpu")


def test_cancelling_an_event_that_waits_ends_it_unbegun(store: Store) -> None:
    store.accept([letter(1)])
    store.begin("s", "t1")
    store.accept([letter(2)])
    assert store.cancel("s", "c", 2, (HEAD, TAIL), b"cancelled")
    assert store.commit(write("t1", next_token="t2")).turn is None
    welcome = store.welcome("s", "c", 0)
    assert welcome is not None
    assert (list(welcome.pending), list(welcome.ended)) == ([], [b"cancelled"])
    assert len(welcome.updates or ()) == 1


def test_cancelling_a_running_event_is_told_to_its_worker_and_to_its_next_run(store: Store) -> None:
    store.accept([letter(1)])
    store.begin("s", "t1")
    assert store.cancel("s", "c", 1, (HEAD, TAIL), b"")
    (refresh,) = store.refresh_all([("s", 0)])
    assert refresh is not None
    assert refresh.cancelled == {("c", 1)}
    assert until(lambda: store.begin("s", "t2")).cancelled
    store.commit(write("t2"))
    assert store.refresh_all([("s", 0)]) == [None]


def test_cancelling_an_unknown_event_changes_nothing(store: Store) -> None:
    assert not store.cancel("s", "c", 9, (HEAD, TAIL), b"")
    assert store.keep(["s"]) == [0]


def test_a_doorbell_that_an_idle_worker_never_answered_is_rung_again(store: Store) -> None:
    store.accept([letter(1)])
    assert store.ring_overdue({"": None}, idle=False) == []
    assert store.ring_overdue({"": None}, idle=True) == []
    (again,) = until(lambda: store.ring_overdue({"": None}, idle=True))
    assert again.session == "s"
    assert store.ring_overdue({"": None}, idle=True) == []


def test_a_doorbell_is_overdue_when_a_later_one_was_served(store: Store) -> None:
    ring = store.accept([letter(1)])[0].ring
    assert ring is not None
    assert store.ring_overdue({"": ring}, idle=False) == []
    assert [one.session for one in store.ring_overdue({"": ring + 1}, idle=False)] == ["s"]


def test_a_session_whose_lease_ran_out_is_rung_again(store: Store) -> None:
    store.accept([letter(1)])
    store.begin("s", "t1")
    assert [one.session for one in until(lambda: store.ring_overdue({}, idle=False))] == ["s"]


def fresh_count(store: Store) -> Waiting:
    """Count anew, even right after another count."""
    before = store.waiting(fresh=True).at
    return until(lambda: (count := store.waiting(fresh=True)).at > before and count)


def test_what_waits_is_counted_over_all_sessions_with_what_has_its_turn_and_without_what_was_detached(
    store: Store,
) -> None:
    assert fresh_count(store).events == 0
    for session in ("s2", "s3"):
        store.create(Session(session, "d", "v"))
    store.accept([letter(1), letter(2), letter(1, session="s2"), letter(2, session="s2"), letter(3, session="s2")])
    assert fresh_count(store).events == 5
    store.begin("s", "t1")
    assert fresh_count(store).events == 5
    store.commit(write("t1", ending=Ending.DETACH))
    assert fresh_count(store).events == 4
    store.begin("s", "t2")
    store.commit(write("t2", n=2))
    assert fresh_count(store).events == 3


def test_the_oldest_doorbell_grows_older_until_a_worker_answers_it(store: Store) -> None:
    store.create(Session("s2", "d", "v"))
    ring = store.accept([letter(1)])[0].ring
    assert ring is not None
    waiting = until(lambda: (count := fresh_count(store)).oldest > 50 and count)
    assert waiting.oldest == waiting.at - ring
    later = store.accept([letter(1, session="s2")])[0].ring
    assert later is not None
    store.begin("s", "t1")
    waiting = fresh_count(store)
    assert waiting.oldest == waiting.at - later
    store.begin("s2", "t2")
    assert fresh_count(store).oldest == 0


def test_of_all_who_ask_what_waits_one_counts_and_the_others_read_it(
    make_redis_store: Callable[[], RedisStore],
) -> None:
    first, second = make_redis_store(), make_redis_store()
    first.create(Session("s", "d", "v"))
    first.accept([letter(1)])
    counted = first.waiting()
    assert counted.events == 1
    first.accept([letter(2)])
    assert second.waiting() == counted
    fresh = until(lambda: (count := second.waiting(fresh=True)).events == 2 and count)
    assert first.waiting() == fresh
    assert until(lambda: (count := first.waiting()).at > fresh.at and count).events == 2


def test_of_very_many_sessions_what_waits_is_estimated(make_redis_store: Callable[[], RedisStore]) -> None:
    store = make_redis_store()
    keys, waiting = store.keys, 0
    with store._client.pipeline(transaction=False) as pipeline:
        for number in range(6000):
            session, length = f"s{number}", 1 + number % 9
            prefix = keys.partition(session)
            pipeline.rpush(keys.mailbox(session), *["letter"] * length)
            waiting += length
            if number % 3:
                pipeline.zadd(keys.bells(prefix), {session: 10**12})
            if number % 3 == 0 or number % 7 == 0:
                pipeline.zadd(keys.leases(prefix), {f"{session} token": 10**12})
        pipeline.execute()
    assert fresh_count(store).events == pytest.approx(waiting, rel=0.1)


def test_the_newest_announcement_is_that_of_the_version_whose_worker_started_last(store: Store) -> None:
    assert store.announcement() is None
    old, new = Announcement("1", {"a": {}}, "d1"), Announcement("2", {"a": {}, "b": {}}, "d2")
    store.announce(old, {b"\xa1x": b"\x01"}, started=True)
    until(lambda: store.announce(new, {}, started=True) or store.announcement() == new)
    store.announce(old, {b"\xa1x": b"\x01"})
    assert list(store.announcements()) == [new, old]
    assert store.handlers() == {"a", "b"}
    assert store.defaults("d1") == {b"\xa1x": b"\x01"}
    assert store.defaults("unknown") is None
    # A roll-back: workers of the old version start again.
    until(lambda: store.announce(old, {}, started=True) or store.announcement() == old)


def decoded(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: decoded(value) for key, value in tree.items()}
    return fields.codec.decode(tree)


# --- texts that grow ---

FULL = Abilities(add=True)


def grow(store: Store, token: str, n: int, before: object, text: str, k: int = 1) -> Committed:
    """Commit a text, whose update says `short` if what was added to is there, and else everything."""
    field, base = fields.encode_path(("a",)), codec.encode(before, ("a",))
    view = codec.encode(text, ("a",))
    other = fields.encode_path(("b",))
    digests = [hashlib.sha1(base).hexdigest(), hashlib.sha1(codec.encode(7, ("b",))).hexdigest()]
    texts = [GrownText(field, digests[0], b"a=", view), GrownText(other, digests[1], b"b=", b"8")]
    grown = Grown(HEAD, b"before ", b" after", texts)
    return store.commit(
        write(token, k, n=n, ops=assign(("a",), text), update=(HEAD, b"short"), grown=grown, ending=Ending.FINAL)
    )


def said(store: Store, seq: int) -> bytes:
    """Give what the one update after a number says."""
    (update,) = store.updates_since("s", seq) or ()
    return update[len(splice((HEAD, b""), 1)) :]


@pytest.fixture
def growing(store: Store) -> Store:
    """A store in whose session `a` is a text, and a field `b` something else."""
    store.accept([letter(n) for n in range(1, 7)])
    store.begin("s", "t1")
    ops = [*assign(("a",), "one"), *assign(("b",), 7)]
    store.commit(write("t1", ops=ops, update=(HEAD, TAIL), next_token="t2"))
    return store


def test_what_was_added_to_a_text_is_sent_where_the_text_is_there(growing: Store) -> None:
    growing.welcome("s", "c", None, FULL)
    assert grow(growing, "t2", 2, "one", "one two").seq == 2
    assert said(growing, 1) == b"short"
    assert field_of(growing, "a") == codec.encode("one two", ("a",))


@pytest.mark.parametrize("text", ["two", "one two", "t" * 20_000])
def test_the_whole_text_is_sent_where_another_one_is_there(growing: Store, text: str) -> None:
    growing.welcome("s", "c", None, FULL)
    grow(growing, "t2", 2, "another one", text)
    assert said(growing, 1) == b"before a=" + codec.encode(text, ("a",)) + b"b=8 after"


def test_once_a_browser_follows_that_reads_no_additions_everything_is_sent_whole(growing: Store) -> None:
    growing.welcome("s", "c", None, FULL)
    growing.welcome("s", "studio", None)
    growing.begin("s", "t2")
    grow(growing, "t2", 2, "one", "one two")
    growing.welcome("s", "plain", None, PLAIN)
    growing.welcome("s", "c", None, FULL)
    growing.begin("s", "t3")
    grow(growing, "t3", 3, "one two", "one two three")
    assert said(growing, 2) == b"before a=" + codec.encode("one two three", ("a",)) + b"b=8 after"


def test_a_browser_that_reads_no_additions_and_missed_some_gets_the_state(growing: Store) -> None:
    grow(growing, "t2", 2, "one", "one two")
    resumed = {
        (abilities, seq): growing.welcome("s", "c", seq, abilities) for abilities in (FULL, PLAIN) for seq in (1, 2)
    }
    has_state = {key: welcome is not None and welcome.fields is not None for key, welcome in resumed.items()}
    assert has_state == {(FULL, 1): False, (FULL, 2): False, (PLAIN, 1): True, (PLAIN, 2): False}


def test_a_commit_that_is_repeated_is_not_looked_at_again(growing: Store) -> None:
    first = grow(growing, "t2", 2, "one", "one two")
    assert grow(growing, "t2", 2, "one", "one two").seq == first.seq == 2
    assert said(growing, 1) == b"short"
