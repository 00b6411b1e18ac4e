"""The state against plain nested dicts, and what it commits against what is stored, over random operations."""

from __future__ import annotations

import copy
import math
from datetime import date
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from manyhands.fields import CUT, Op, apply, build_tree, count_dicts_above, encode_assignment, encode_tree, is_dict
from manyhands.mutations import Mutation
from manyhands.paths import Path, encode_path
from manyhands.state import State
from manyhands.state_root import StateRoot

KEYS = st.sampled_from(["a", "b", "c", "_d", ""])
LEAVES = st.sampled_from([None, 0, 1, 1.0, True, "", "x", b"x", [], [1, {"a": 2}], (1,), {1, 2}, date(2024, 2, 29)])
DICTS = st.recursive(
    st.dictionaries(KEYS, LEAVES, max_size=3), lambda below: st.dictionaries(KEYS, below | LEAVES, max_size=3)
)
VALUES = LEAVES | DICTS
#: Which of the dicts that are there an operation is for: taken modulo their number.
PLACES = st.integers(0, 10)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or (isinstance(one, float) and math.isnan(one) and math.isnan(other))


def dicts_in(values: dict[str, Any], path: Path = ()) -> list[Path]:
    """The paths of all nested dicts, the root first."""
    found = [path]
    for key, value in values.items():
        if isinstance(value, dict):
            found += dicts_in(value, (*path, key))
    return found


def at(values: Any, path: Path) -> Any:
    for key in path:
        values = values[key]
    return values


def ops_of(mutation: Mutation, defaults: dict[bytes, bytes]) -> list[tuple[str, bytes, bytes]]:
    """Encode a mutation as a worker does."""
    field = encode_path(mutation.path)
    if mutation.deleted:
        return [((Op.CUT if field in defaults else Op.DELETE).value, field, b"")]
    above = count_dicts_above(mutation.path, defaults)
    return encode_assignment(mutation.path, mutation.value, over_dict=is_dict(defaults.get(field)), dicts_above=above)


class StateAgainstDicts(RuleBasedStateMachine):
    """One session: its defaults, its stored fields, and the run that changes them, beside a plain dict."""

    @initialize(defaults=DICTS, values=st.dictionaries(KEYS, VALUES, max_size=2))
    def begin(self, defaults: dict[str, Any], values: dict[str, Any]) -> None:
        self.defaults = encode_tree(defaults)
        self.fields: dict[bytes, bytes] = {}
        self.model = copy.deepcopy(defaults)
        self.begin_run()
        for key, value in values.items():
            self.state[key] = copy.deepcopy(value)
            self.model[key] = value

    def begin_run(self) -> None:
        self.root = StateRoot(build_tree(self.defaults, self.fields), "s1")
        self.state = self.root.state
        self.held: list[tuple[State, Any]] = []

    def choose(self, place: int) -> tuple[Any, dict[str, Any]]:
        places = dicts_in(self.model)
        path = places[place % len(places)]
        return at(self.state, path), at(self.model, path)

    @rule(place=PLACES, key=KEYS, value=VALUES)
    def assign(self, place: int, key: str, value: Any) -> None:
        state, model = self.choose(place)
        state[key] = copy.deepcopy(value)
        model[key] = copy.deepcopy(value)

    @rule(place=PLACES, key=KEYS)
    def delete(self, place: int, key: str) -> None:
        state, model = self.choose(place)
        if key in model:
            del state[key], model[key]

    @rule(place=PLACES, key=KEYS, default=VALUES)
    def pop_or_set_default(self, place: int, key: str, default: Any) -> None:
        state, model = self.choose(place)
        assert same(plain(state.setdefault(key, default)), model.setdefault(key, copy.deepcopy(default)))
        assert same(plain(state.pop(key)), model.pop(key))

    @rule(place=PLACES, values=DICTS)
    def update(self, place: int, values: dict[str, Any]) -> None:
        state, model = self.choose(place)
        state.update(copy.deepcopy(values))
        model.update(copy.deepcopy(values))

    @rule(place=PLACES)
    def clear(self, place: int) -> None:
        state, model = self.choose(place)
        state.clear()
        model.clear()

    @rule(place=PLACES)
    def assign_to_itself(self, place: int) -> None:
        places = [path for path in dicts_in(self.model) if path]
        if places:
            path = places[place % len(places)]
            at(self.state, path[:-1])[path[-1]] = at(self.state, path)

    @rule(source=PLACES, place=PLACES, key=KEYS, wrapped=st.booleans())
    def assign_a_dict_of_the_state(self, source: int, place: int, key: str, wrapped: bool) -> None:
        taken, taken_model = self.choose(source)
        state, model = self.choose(place)
        if max(map(len, dicts_in(self.model))) > 12:
            return
        value = copy.deepcopy(taken_model)
        same_place = model.get(key) is taken_model
        state[key] = {"w": taken} if wrapped else taken
        if wrapped or not same_place:
            model[key] = {"w": value} if wrapped else value

    @rule(place=PLACES)
    def hold(self, place: int) -> None:
        state, model = self.choose(place)
        self.held.append((state, model))

    @precondition(lambda self: self.held)
    @rule(number=PLACES, key=KEYS, value=LEAVES)
    def assign_in_what_is_held(self, number: int, key: str, value: Any) -> None:
        state, model = self.held[number % len(self.held)]
        state[key] = value
        model[key] = value

    @rule(place=PLACES)
    def read(self, place: int) -> None:
        state, model = self.choose(place)
        assert same(state.to_dict(), model)
        assert list(state) == list(model) or set(state) == set(model)

    @rule()
    def commit(self) -> None:
        for mutation in self.root.take():
            apply(self.fields, ops_of(mutation, self.defaults))
        again = StateRoot(build_tree(self.defaults, self.fields)).state.to_dict()
        assert same(again, self.model)
        assert same(self.state.to_dict(), self.model)
        check_invariants(self.fields)

    @rule()
    def begin_the_next_event(self) -> None:
        self.commit()
        self.begin_run()

    @invariant()
    def it_shows_what_the_dict_holds(self) -> None:
        if hasattr(self, "state"):
            assert self.state == self.model
            assert all(held == model for held, model in self.held)


class TwoEvents(RuleBasedStateMachine):
    """A detached run and another event of its session: what the run shows is what its commit leaves stored."""

    @initialize(defaults=DICTS, stored=DICTS)
    def begin(self, defaults: dict[str, Any], stored: dict[str, Any]) -> None:
        self.defaults, self.fields = encode_tree(defaults), dict[bytes, bytes]()
        self.make()
        self.root.state.update(stored)
        self.others_deleted = False
        self.commit()

    def make(self) -> None:
        self.root = StateRoot(build_tree(self.defaults, self.fields), "s1")

    @rule(place=PLACES, key=KEYS, value=VALUES)
    def assign(self, place: int, key: str, value: Any) -> None:
        places = dicts_in(self.root.state.to_dict())
        at(self.root.state, places[place % len(places)])[key] = copy.deepcopy(value)

    @rule(place=PLACES, key=KEYS)
    def delete(self, place: int, key: str) -> None:
        places = dicts_in(self.root.state.to_dict())
        at(self.root.state, places[place % len(places)]).pop(key, None)

    @rule(place=PLACES, key=KEYS, value=VALUES)
    def another_assigns(self, place: int, key: str, value: Any) -> None:
        other = StateRoot(build_tree(self.defaults, self.fields)).state.to_dict()
        places = dicts_in(other)
        path = places[place % len(places)]
        self.others_deleted |= isinstance(at(other, path).get(key), dict) and not isinstance(value, dict)
        self.other_commits(Mutation((*path, key), False, value))

    @rule(place=PLACES, number=PLACES)
    def another_deletes(self, place: int, number: int) -> None:
        other = StateRoot(build_tree(self.defaults, self.fields)).state.to_dict()
        places = [path for path in dicts_in(other) if at(other, path)]
        if places:
            path = places[place % len(places)]
            keys = list(at(other, path))
            self.others_deleted = True
            self.other_commits(Mutation((*path, keys[number % len(keys)]), True))

    def other_commits(self, mutation: Mutation) -> None:
        apply(self.fields, ops_of(mutation, self.defaults))
        tree: Any = build_tree(self.defaults, self.fields)
        for name in mutation.path:
            if not isinstance(tree, dict) or name not in tree:
                self.root.refresh(mutation.path, None, False)
                return
            tree = tree[name]
        self.root.refresh(mutation.path, tree, True)

    @rule()
    def commit(self) -> None:
        for mutation in self.root.take():
            apply(self.fields, ops_of(mutation, self.defaults))
        shown = self.root.state.to_dict()
        again = StateRoot(build_tree(self.defaults, self.fields)).state.to_dict()
        if self.others_deleted:
            # A run that assigned below a dict which was deleted or replaced meanwhile, and took that back, still shows
            # the dict, empty.
            shown, again = without_empty(shown, shown), without_empty(again, shown)
        assert same(shown, again)


def is_empty(value: Any) -> bool:
    return isinstance(value, dict) and all(map(is_empty, value.values()))


def without_empty(value: Any, shown: Any) -> Any:
    """Leave out empty dicts, and what stands where one is shown."""
    if not isinstance(value, dict) or not isinstance(shown, dict):
        return value
    kept = [key for key, one in value.items() if not is_empty(one) and not is_empty(shown.get(key))]
    return {key: without_empty(value[key], shown.get(key)) for key in kept}


def plain(value: Any) -> Any:
    return value.to_dict() if isinstance(value, State) else value


def check_invariants(fields: dict[bytes, bytes]) -> None:
    """Nothing lies below a leaf or a CUT."""
    for field, value in fields.items():
        below = [one for one in fields if one != field and one.startswith(field)]
        assert not below or (is_dict(value) and value != CUT)


FEW = settings(max_examples=150, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TestStateAgainstDicts = StateAgainstDicts.TestCase
TestStateAgainstDicts.settings = FEW
TestTwoEvents = TwoEvents.TestCase
TestTwoEvents.settings = FEW


def test_a_run_that_took_back_what_it_assigned_below_anothers_leaf_shows_an_empty_dict() -> None:
    events = TwoEvents()
    events.begin(defaults={}, stored={})
    events.another_assigns(key="_d", place=0, value={})
    events.assign(key="a", place=1, value=None)
    events.another_assigns(key="_d", place=0, value=None)
    events.delete(key="a", place=1)
    events.commit()
    assert events.root.state.to_dict() == {"_d": {}}
