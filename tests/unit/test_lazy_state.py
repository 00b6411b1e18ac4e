"""States whose fields are fetched when they are read: they show what a dict would, and ask for what they need alone."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from manyhands import codec
from manyhands.branches import Branch, Defaults
from manyhands.errors import Cancelled, DamagedValue
from manyhands.fields import Op, Stored, apply, build_tree, dicts_between, encode_assignment, encode_tree
from manyhands.known_fields import HABITS, UNREAD_FOR, Habits, KnownFields
from manyhands.paths import encode_path, segment
from manyhands.state_root import StateRoot
from manyhands.store.turns import Wanted
from unit.test_state_model import DICTS, FEW, PLACES, StateAgainstDicts, TwoEvents, at, dicts_in, ops_of, same


class Source:
    """A large state in a store, which counts what it is asked for."""

    def __init__(self, fields: dict[bytes, bytes]) -> None:
        self.fields = fields
        self.asked: list[Wanted] = []

    def fetch(self, wanted: Wanted) -> tuple[Mapping[bytes, bytes], bool]:
        """Give what is wanted."""
        self.asked.append(wanted)
        found = {
            field: value
            for field, value in self.fields.items()
            if field in wanted.fields or any(field != one and field.startswith(one) for one in wanted.subtrees)
        }
        return found, False

    def known(self, habits: Habits | None = None) -> KnownFields:
        """Make what a worker knows at a turn's beginning."""
        wanted = habits.wanted if habits else Wanted()
        fields, _ = self.fetch(wanted)
        self.asked.clear()
        return KnownFields(fields, whole=False, wanted=wanted, fetch=self.fetch, habits=habits)


@pytest.fixture
def habits() -> Habits:
    """Of a process that has just started."""
    return Habits()


def open_state(values: dict[str, Any], defaults: dict[str, Any] | None = None) -> tuple[Any, Source]:
    source = Source(encode_tree(values))
    return StateRoot.over(source.known(), Defaults.of(encode_tree(defaults or {})), "s1").state, source


def test_reading_a_key_asks_for_that_key_alone_and_once() -> None:
    state, source = open_state({"counter": 1, "other": {"deep": 2}})
    assert state["counter"] == 1
    assert state["counter"] == 1
    assert source.asked == [Wanted((encode_path(("counter",)),))]


def test_a_key_that_is_nowhere_is_asked_for_once() -> None:
    state, source = open_state({"a": 1})
    assert state["missing"] is None
    assert "missing" not in state
    assert len(source.asked) == 1


def test_assigning_asks_for_nothing() -> None:
    state, source = open_state({"a": 1})
    state["a"] = 2
    state["b"] = {"c": 3}
    state["b"]["d"] = 4
    assert state["a"] == 2
    assert not source.asked


def test_iterating_a_dict_asks_once_for_all_that_lies_in_it() -> None:
    state, source = open_state({"items": {str(n): {"v": n} for n in range(50)}, "other": 1})
    assert sum(state["items"][key]["v"] for key in state["items"]) == sum(range(50))
    assert len(source.asked) == 2


def test_what_a_dict_held_before_it_was_replaced_can_still_be_read() -> None:
    state, _ = open_state({"cart": {"tea": 2, "milk": 1}})
    old = state["cart"]
    state["cart"] = {}
    assert old.to_dict() == {"tea": 2, "milk": 1}
    assert state["cart"] == {}


def test_what_a_dict_held_before_it_was_replaced_can_be_read_after_that_is_written() -> None:
    source = Source(encode_tree({"cart": {"tea": 2, "more": {"milk": 1}}, "other": {"x": {"y": 1}}}))
    root = StateRoot.over(source.known(), Defaults.of({}))
    old, deep = root.state["cart"], root.state["other"]["x"]
    root.state["cart"] = {}
    del root.state["other"]
    apply(source.fields, [op for one in root.take(goes_on=True) for op in ops_of(one, {})])
    assert source.fields.keys() == {encode_path(("cart",))}
    assert (old.to_dict(), deep.to_dict()) == ({"tea": 2, "more": {"milk": 1}}, {"y": 1})


def test_a_dict_that_was_assigned_to_itself_is_looked_up_before_it_is_encoded() -> None:
    # Encoded without the state's lock: whoever assigns into it meanwhile would be overwritten.
    source = Source(encode_tree({"d": {"x": 1, "deep": {"y": 2}}}))
    root = StateRoot.over(source.known(), Defaults.of({}))
    root.state["d"] |= {"z": 3}
    (taken,) = root.take()
    source.asked.clear()
    ops = ops_of(taken, {})
    assert not source.asked
    fields: dict[bytes, bytes] = {}
    apply(fields, ops)
    assert StateRoot(build_tree({}, fields)).state.to_dict() == {"d": {"x": 1, "deep": {"y": 2}, "z": 3}}


def test_a_dict_of_the_apps_own_class_is_taken_whatever_it_does_when_it_is_asked() -> None:
    class Odd(dict[str, Any]):
        def values(self) -> Any:
            raise ValueError("no")

    root = StateRoot.over(KnownFields({}), Defaults.of({}))
    root.state["odd"], root.state["other"] = Odd(a=1), 1
    assert [one.path for one in root.take(goes_on=True)] == [("odd",), ("other",)]


def test_names_keep_the_order_in_which_they_were_assigned() -> None:
    state, _ = open_state({"d": {"z": 1, "b": 2, "a": 3}}, {"d": {"x": 0}, "e": {"q": 1, "p": 2}})
    state["d"]["b"] = 5
    state["d"]["c"] = 6
    assert list(state["d"]) == ["z", "b", "a", "c"]
    assert list(reversed(state["e"])) == ["p", "q"]


def test_a_damaged_field_fails_who_reads_it_and_names_its_session() -> None:
    fields = {**encode_tree({"good": 1}), encode_path(("bad",)): b"\xc1D\xff"}
    state = StateRoot.over(KnownFields(fields), Defaults.of({}), "s1").state
    assert state["good"] == 1
    with pytest.raises(DamagedValue, match="session s1"):
        state["bad"]


def test_a_name_that_cannot_be_stored_is_nowhere() -> None:
    state, source = open_state({"a": 1})
    assert state["\ud800"] is None
    assert not source.asked


def test_a_branch_works_as_any_dict() -> None:
    defaults = Defaults.of(encode_tree({"a": 1, "b": {"c": 2}}))
    branch = Branch(KnownFields({}), defaults.tree)
    assert dict(branch) == branch == defaults.tree
    assert list(reversed(branch)) == ["b", "a"]
    assert branch.pop("a") == Stored(codec.encode(1))
    assert branch.pop("a", None) is None
    with pytest.raises(KeyError):
        del branch["a"]
    with pytest.raises(KeyError):
        branch["a"]
    assert list(branch.keys()) == ["b"]
    assert len(branch.values()) == len(branch) == 1


def test_what_was_read_lately_comes_along_with_the_next_turn() -> None:
    habits = Habits()
    source = Source(encode_tree({"a": 1, "d": {"x": 1, "y": 2}, "e": {"deep": {"er": 3}}}))
    for _ in range(2):
        root = StateRoot.over(source.known(habits), Defaults.of({}))
        assert root.state["a"] == 1
        assert root.state["d"].to_dict() == {"x": 1, "y": 2}
        assert root.state["e"]["deep"]["er"] == 3
        assert root.state["nowhere"] is None
    assert not source.asked


def test_habits_are_bounded_and_the_oldest_go() -> None:
    habits = Habits()
    for n in range(2 * HABITS):
        habits.note(b"%d" % n)
    assert habits.wanted.fields == tuple(b"%d" % n for n in range(HABITS, 2 * HABITS))
    habits.note(b"large", subtree=True)
    habits.forget_subtree(b"large")
    assert habits.wanted.subtrees == ()


def test_a_subtree_that_is_large_is_read_but_not_asked_for_beforehand() -> None:
    habits = Habits()
    source = Source(encode_tree({"items": {str(n): n for n in range(1000)}}))
    assert len(StateRoot.over(source.known(habits), Defaults.of({})).state["items"]) == 1000
    assert habits.wanted.subtrees == ()


def test_a_dict_that_cannot_be_looked_up_whole_keeps_what_was_assigned() -> None:
    fields = {**encode_tree({"good": 1}), encode_path(("bad",)): b"\xc1D\xff"}
    state = StateRoot.over(KnownFields(fields), Defaults.of({}), "s1").state
    state["new"] = 2
    with pytest.raises(DamagedValue, match="session s1"):
        list(state)
    assert (state["new"], state["good"]) == (2, 1)


def test_reading_all_of_a_dict_drives_out_no_habit(habits: Habits) -> None:
    source = Source(encode_tree({"counter": 1, "items": {str(n): n for n in range(2 * HABITS)}}))
    for _ in range(3):
        state = StateRoot.over(source.known(habits), Defaults.of({})).state
        assert state["counter"] == 1
        assert len(state["items"].to_dict()) == 2 * HABITS
    assert not source.asked


def test_a_subtree_that_is_large_elsewhere_comes_along_once(habits: Habits) -> None:
    small = Source(encode_tree({"items": {"a": 1}}))
    large = Source(encode_tree({"items": {str(n): n for n in range(1000)}}))
    for _ in range(3):
        assert len(StateRoot.over(small.known(habits), Defaults.of({})).state["items"]) == 1
        large.known(habits)
    assert habits.wanted.subtrees == ()
    # The same where its values are few and large.
    bytes_of_it = Source(encode_tree({"blobs": {str(n): bytes(30_000) for n in range(10)}}))
    assert len(StateRoot.over(bytes_of_it.known(habits), Defaults.of({})).state["blobs"]) == 10
    assert habits.wanted.subtrees == ()


def test_what_nobody_reads_any_more_stops_coming_along(habits: Habits) -> None:
    habits.note(b"once")
    for _ in range(UNREAD_FOR):
        habits.note(b"often")
        habits.begin_turn()
    assert habits.begin_turn() == Wanted((b"often",))


def test_what_an_event_leaves_behind_changes_nothing_that_the_next_one_sees() -> None:
    source = Source(encode_tree({"counter": 1}))
    known = source.known()
    left_behind = StateRoot.over(known, Defaults.of({})).state
    ops = encode_assignment(("counter",), 2, over_dict=False)
    known = known.after(ops)
    # Before the commit is in, a thread of the first event looks.
    assert left_behind["counter"] == 1
    apply(source.fields, ops)
    assert StateRoot.over(known, Defaults.of({})).state["counter"] == 2


def test_what_was_written_is_known_to_the_next_event() -> None:
    source = Source(encode_tree({"counter": 1, "d": {"x": 1}, "other": 1}))
    known = source.known()
    ops = [
        *encode_assignment(("counter",), 2, over_dict=False),
        *encode_assignment(("d",), {"y": 2, "z": {"deep": 3}}, over_dict=False),
        (Op.DELETE.value, encode_path(("other",)), b""),
    ]
    assert StateRoot.over(known, Defaults.of({})).state["other"] == 1
    apply(source.fields, ops)
    state = StateRoot.over(known.after(ops), Defaults.of({})).state
    source.asked.clear()
    assert (state["counter"], state["d"].to_dict()) == (2, {"y": 2, "z": {"deep": 3}})
    assert not source.asked
    assert state["other"] is None


def test_many_writes_are_followed_in_a_moment() -> None:
    source = Source(encode_tree({"items": {str(n): {"price": n} for n in range(10_000)}}))
    known = source.known()
    state = StateRoot.over(known, Defaults.of({})).state
    assert len(state["items"].to_dict()) == 10_000
    began = time.process_time()
    ops = [op for n in range(10_000) for op in encode_assignment(("items", str(n), "price"), 1, over_dict=False)]
    new = [op for n in range(10_000) for op in encode_assignment(("new", str(n)), 1, over_dict=False)]
    known = known.after(ops).after(new)
    known.update({}, [field for _, field, _ in ops[:512]], whole=False)
    assert time.process_time() - began < 2


def test_names_stay_in_order_as_more_of_them_are_read() -> None:
    values = {"items": {str(n): {"v": n} for n in range(300)}, "others": {str(n): n for n in range(300)}}
    state, source = open_state(values)
    known = KnownFields({}, whole=False, fetch=source.fetch)
    assert list(known.names_below(encode_path(("items",)))) == sorted(values["items"], key=segment)
    began = time.process_time()
    for n in range(300):
        known.get(encode_path(("others", str(n))))
        assert list(known.names_below(encode_path(("items", str(n))))) == ["v"]
    assert list(known.names_below(encode_path(("others",)))) == sorted(values["others"], key=segment)
    assert time.process_time() - began < 2
    assert state["others"]["7"] == 7


def test_when_anything_may_have_changed_all_that_was_known_is_asked_for_at_once() -> None:
    source = Source(encode_tree({"items": {str(n): {"v": n} for n in range(100)}, "counter": 1}))
    root = StateRoot.over(source.known(), Defaults.of({}))
    held = [root.state["items"][str(n)] for n in range(100)]
    assert root.state["counter"] == 1
    apply(source.fields, encode_assignment(("items", "7", "v"), 8, over_dict=False))
    source.asked.clear()
    root.update({}, None, whole=False)
    assert len(source.asked) == 1
    assert (held[7]["v"], root.state["counter"]) == (8, 1)


def test_a_handler_that_waits_for_its_state_holds_up_nobody_who_stops_it() -> None:
    source = Source(encode_tree({"a": 1}))
    reads, goes_on = threading.Event(), threading.Event()

    def fetch(wanted: Wanted) -> tuple[Mapping[bytes, bytes], bool]:
        reads.set()
        assert goes_on.wait(20)
        return source.fetch(wanted)

    root = StateRoot.over(KnownFields({}, whole=False, fetch=fetch), Defaults.of({}))
    reader = threading.Thread(target=lambda: root.state["a"])
    reader.start()
    assert reads.wait(20)

    def stop() -> None:
        assert not root.pending()
        root.cancel()
        root.give_up()

    stops = threading.Thread(target=stop, daemon=True)
    stops.start()
    stops.join(5)
    was_held_up = stops.is_alive()
    goes_on.set()
    reader.join()
    assert not was_held_up
    with pytest.raises(Cancelled):
        root.state["a"]


@given(defaults=DICTS, values=DICTS, new_defaults=DICTS, deleted=st.booleans())
def test_a_session_that_moved_to_other_defaults_shows_its_worker_what_it_shows_browsers(
    defaults: dict[str, Any], values: dict[str, Any], new_defaults: dict[str, Any], deleted: bool
) -> None:
    fields: dict[bytes, bytes] = {}
    root = StateRoot(build_tree(encode_tree(defaults), fields))
    for path in reversed(dicts_in(defaults)):
        for name, value in values.items():
            at(root.state, path)[name] = value
        if deleted and path:
            at(root.state, path).clear()
            break
    apply(fields, [op for one in root.take() for op in ops_of(one, encode_tree(defaults))])
    others = encode_tree(new_defaults)
    shown = StateRoot(build_tree(others, fields)).state.to_dict()
    known = KnownFields({**fields, **dicts_between(fields, others)})
    assert same(StateRoot.over(known, Defaults.of(others)).state.to_dict(), shown)


class LazyState(StateAgainstDicts):
    """The same, with a state of which only what is read is known, over several events in a row."""

    def begin_run(self) -> None:
        if not hasattr(self, "source"):
            self.source = Source(self.fields)
            self.known = self.source.known()
        self.root = StateRoot.over(self.known, Defaults.of(self.defaults), "s1")
        self.state = self.root.state
        self.held = []
        self.written: list[tuple[str, bytes, bytes]] = []

    def write(self) -> None:
        ops = [op for mutation in self.root.take() for op in ops_of(mutation, self.defaults)]
        apply(self.fields, ops)
        self.written += ops

    @rule()
    def commit(self) -> None:
        self.write()
        assert same(StateRoot(build_tree(self.defaults, self.fields)).state.to_dict(), self.model)

    @rule()
    def begin_the_next_event(self) -> None:
        self.write()
        self.known = self.known.after(self.written)
        self.begin_run()

    @rule(place=PLACES)
    def look_at_one(self, place: int) -> None:
        state, model = self.choose(place)
        for name in ("a", "b", "never"):
            assert (name in state) == (name in model)

    @invariant()
    def it_shows_what_the_dict_holds(self) -> None:
        """Looking at everything after each step would leave nothing to fetch."""


class LazyDetached(TwoEvents):
    """A detached run whose state is fetched when it is read, and another event of its session."""

    def make(self) -> None:
        self.source = Source(self.fields)
        self.root = StateRoot.over(self.source.known(), Defaults.of(self.defaults), "s1")

    def other_commits(self, mutation: Any) -> None:
        ops = ops_of(mutation, self.defaults)
        apply(self.fields, ops)
        path = encode_path(mutation.path)
        above = [encode_path(mutation.path[:level]) for level in range(1, len(mutation.path))]
        fields, _ = self.source.fetch(Wanted((path, *above), (path,)))
        self.root.update(copy.copy(fields), [path], whole=False)

    @rule()
    def is_told_that_anything_may_have_changed(self) -> None:
        self.root.update({}, None, whole=False)


TestLazyState = LazyState.TestCase
TestLazyState.settings = FEW
TestLazyDetached = LazyDetached.TestCase
TestLazyDetached.settings = FEW
