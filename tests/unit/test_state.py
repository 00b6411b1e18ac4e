"""The state as an app sees it, and as its worker does."""

from __future__ import annotations

import copy
import enum
import pickle
import threading
from collections import OrderedDict, UserDict
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest

from manyhands import codec
from manyhands.errors import Cancelled, DamagedValue, KeyNotString
from manyhands.fields import Stored, build_tree, encode_assignment, encode_tree
from manyhands.mutations import Mutation
from manyhands.state import State
from manyhands.state_root import StateRoot


def stored(**values: Any) -> StateRoot:
    """A run whose session has these values, none of them decoded yet."""
    return StateRoot(build_tree({}, encode_tree(values)), "s1")


def paths(root: StateRoot) -> list[str]:
    """What is recorded, written as `a.b`, deletions as `-a.b`."""
    return ["-" * one.deleted + ".".join(one.path) for one in root.take()]


class TestReading:
    def test_a_missing_key_reads_as_none(self) -> None:
        state = stored(a={}).state
        assert state["x"] is None
        assert state["a"]["x"] is None

    def test_reading_twice_gives_the_same_object(self) -> None:
        state = stored(numbers=[1, 2], a={"b": {"c": [3]}}).state
        assert state["numbers"] is state["numbers"]
        assert state["a"]["b"] is state["a"]["b"]
        assert state["a"]["b"]["c"] is state["a"]["b"]["c"]

    def test_reading_records_nothing(self) -> None:
        root = stored(a={"b": [1]}, c=2)
        root.state["a"]["b"].append(2)
        _ = root.state.to_dict(), list(root.state.items()), root.state.get("x"), root.state == {}
        assert not root.pending()

    def test_a_value_that_is_never_read_is_never_decoded(self) -> None:
        root = StateRoot({"good": Stored(codec.encode(1)), "bad": Stored(b"\xc1")}, "s1")
        assert root.state["good"] == 1
        assert len(root.state) == 2
        assert "bad" in root.state

    def test_a_damaged_value_names_its_session_and_path(self) -> None:
        root = StateRoot({"a": {"bad": Stored(b"\xc1\xc1")}}, "s1")
        for read in (lambda: root.state["a"]["bad"], root.state.to_dict):
            with pytest.raises(DamagedValue, match=r'at state\["a"\]\["bad"\] of session s1'):
                read()

    def test_bytes_of_the_app_are_not_taken_for_something_encoded(self) -> None:
        root = stored()
        root.state["data"] = b"\x01"
        assert root.state["data"] == b"\x01"

    def test_keys_that_are_not_strings_are_refused_where_they_are_used(self) -> None:
        state = stored(a={}).state
        uses = [
            lambda: state[1],  # type: ignore[index]
            lambda: state.get(1),  # type: ignore[arg-type]
            lambda: 1 in state,
            lambda: state["a"].pop(1, None),
            lambda: state.update({1: 2}),  # type: ignore[dict-item]
            lambda: state.setdefault(1, 2),  # type: ignore[arg-type]
        ]
        for use in uses:
            with pytest.raises(KeyNotString, match="use '1'"):
                use()
        with pytest.raises(KeyNotString, match=r'got 1 \(int\) below state\["a"\]'):
            state["a"][1] = 2
        with pytest.raises(KeyNotString):
            del state[1]  # type: ignore[arg-type]

    def test_a_key_that_is_a_kind_of_string_is_used_as_its_text(self) -> None:
        class Colour(str, enum.Enum):  # noqa: UP042 - `str()` of a StrEnum would give its value anyway
            RED = "red"

        root = stored()
        root.state[Colour.RED] = 1
        root.state["d"] = {Colour.RED: 2}
        assert root.state["red"] == root.state[Colour.RED] == 1
        assert root.state["d"]["red"] == 2
        assert [type(key) for key in root.state] == [str, str]
        assert paths(root) == ["red", "d"]

    def test_an_attribute_is_not_silently_taken_for_a_key(self) -> None:
        state = stored().state
        with pytest.raises(AttributeError):
            state.counter = 1  # type: ignore[attr-defined]


class TestTheDictInterface:
    @pytest.fixture(params=["root", "nested"])
    def state(self, request: pytest.FixtureRequest) -> State:
        content = {"a": 1, "b": {"c": 2}}
        root = stored(**content) if request.param == "root" else stored(nested=content)
        return root.state if request.param == "root" else root.state["nested"]

    def test_it_has_all_that_a_dict_has(self, state: State) -> None:
        assert set(dir(dict)) - {"fromkeys", "__getstate__"} <= set(dir(state))

    def test_it_is_read_like_a_dict(self, state: State) -> None:
        assert list(state) == list(state.keys()) == ["a", "b"]
        assert list(reversed(state)) == list(reversed(state.keys())) == ["b", "a"]
        assert list(state.values()) == [1, {"c": 2}]
        assert list(state.items()) == [("a", 1), ("b", {"c": 2})]
        assert list(reversed(state.items())) == [("b", {"c": 2}), ("a", 1)]
        assert list(reversed(state.values())) == [{"c": 2}, 1]
        assert (len(state), bool(state), "a" in state, "x" in state) == (2, True, True, False)
        assert (state.get("a"), state.get("x"), state.get("x", 5)) == (1, None, 5)
        assert dict(state) == {**state} == {"a": 1, "b": {"c": 2}}

    def test_its_views_are_those_of_a_dict(self, state: State) -> None:
        assert state.keys() == {"a", "b"}
        assert state.keys() & {"a"} == {"a"}
        assert ("a", 1) in state.items()
        assert ("a", 2) not in state.items()
        assert ("x", None) not in state.items()
        assert {"c": 2} in state.values()
        assert 5 not in state.values()
        assert (len(state.keys()), len(state.items()), len(state.values())) == (2, 2, 2)

    def test_it_is_changed_like_a_dict(self, state: State) -> None:
        assert state.pop("a") == 1
        assert state.pop("a", 7) == 7
        assert state.setdefault("x", 3) == 3
        assert state.setdefault("x", 4) == 3
        assert state.setdefault("n") is None
        assert "n" in state
        state.update({"y": 5}, z=6)
        state.update([("w", 8)])
        assert state.popitem() == ("w", 8)
        state |= {"v": 9}
        assert state == {"b": {"c": 2}, "x": 3, "n": None, "y": 5, "z": 6, "v": 9}
        state.clear()
        assert not state
        assert state == {}

    def test_what_is_missing_is_a_key_error_where_a_dict_raises_one(self, state: State) -> None:
        with pytest.raises(KeyError, match="x"):
            del state["x"]
        with pytest.raises(KeyError, match="x"):
            state.pop("x")
        state.clear()
        with pytest.raises(KeyError):
            state.popitem()

    def test_a_default_is_given_back_as_it_is(self, state: State) -> None:
        default: dict[str, int] = {}
        assert state.get("x", default) is default
        assert state.pop("x", default) is default

    def test_it_is_joined_with_dicts(self, state: State) -> None:
        assert state | {"x": 1} == {"a": 1, "b": {"c": 2}, "x": 1}
        assert {"x": 1, "a": 0} | state == {"x": 1, "a": 1, "b": {"c": 2}}
        assert state | state == state
        for wrong in ([], None):
            with pytest.raises(TypeError):
                state | wrong
            with pytest.raises(TypeError):
                wrong | state

    def test_it_equals_dicts_with_the_same_content(self, state: State) -> None:
        same = {"a": 1, "b": {"c": 2}}
        assert state == same == state
        assert state == OrderedDict(same)
        assert state == UserDict(same)
        assert state == MappingProxyType(same)
        assert state == state.copy()
        assert state != {"a": 1}
        assert state != 5
        assert state["b"] == {"c": 2}

    def test_it_is_copied_into_plain_dicts(self, state: State) -> None:
        assert type(state.copy()) is type(copy.copy(state)) is dict
        assert state.copy()["b"] is state["b"]
        for deep in (state.to_dict(), copy.deepcopy(state), pickle.loads(pickle.dumps(state))):
            assert (type(deep), type(deep["b"])) == (dict, dict)
            deep["b"]["c"] = 3
        assert state["b"]["c"] == 2

    def test_a_deep_copy_shares_no_object_with_the_state(self) -> None:
        state = stored(numbers=[1]).state
        copy.deepcopy(state)["numbers"].append(2)
        assert state["numbers"] == [1]
        assert state.to_dict()["numbers"] is state["numbers"]

    def test_it_shows_its_content(self, state: State) -> None:
        assert repr(state) == "State({'a': 1, 'b': {'c': 2}})"

    def test_it_has_no_hash(self, state: State) -> None:
        with pytest.raises(TypeError, match="unhashable"):
            hash(state)

    def test_it_is_matched_like_a_dict(self, state: State) -> None:
        match state:
            case {"a": 1, "b": {"c": found}}:
                assert found == 2
            case _:
                pytest.fail("it does not match")


class TestRecording:
    def test_an_assignment_is_recorded_at_its_path_and_nowhere_else(self) -> None:
        root = stored(a={"b": {"c": 1, "d": 2}}, e=3)
        root.state["a"]["b"]["c"] = 5
        root.state["e"] += 1
        assert root.pending()
        assert root.take() == [Mutation(("a", "b", "c"), False, 5), Mutation(("e",), False, 4)]
        assert not root.pending()

    def test_a_deletion_is_recorded(self) -> None:
        root = stored(a={"b": 1})
        del root.state["a"]["b"]
        assert root.take() == [Mutation(("a", "b"), True)]

    def test_a_deletion_that_fails_is_not_recorded(self) -> None:
        root = stored()
        with pytest.raises(KeyError):
            del root.state["x"]
        assert not root.pending()

    def test_of_a_path_the_last_assignment_or_deletion_counts(self) -> None:
        root = stored(a=1, b=2)
        del root.state["a"]
        root.state["a"] = 3
        root.state["b"] = 4
        del root.state["b"]
        assert root.take() == [Mutation(("a",), False, 3), Mutation(("b",), True)]

    def test_a_dict_is_recorded_as_a_whole(self) -> None:
        root = stored(a={"b": 1, "c": 2})
        root.state["a"]["b"] = 5
        root.state["a"] = {"d": 1}
        root.state["a"]["e"] = 2
        del root.state["a"]["d"]
        assert root.take() == [Mutation(("a",), False, {"e": 2})]

    def test_a_change_in_place_is_recorded_only_when_assigned_to_itself(self) -> None:
        root = stored(numbers=[1])
        root.state["numbers"].append(2)
        assert not root.pending()
        root.state["numbers"] = root.state["numbers"]
        assert root.take() == [Mutation(("numbers",), False, [1, 2])]

    def test_every_way_to_change_a_dict_is_recorded(self) -> None:
        root = stored(a={"b": 1, "c": 2, "d": 3}, n={})
        a = root.state["a"]
        a.update(e=1)
        a.pop("b")
        a.popitem()
        a.setdefault("f", 2)
        a.setdefault("c", 2)
        root.state["n"] |= {"x": 1}
        assert paths(root) == ["-a.e", "-a.b", "a.f", "n"]
        a.clear()
        assert paths(root) == ["-a.c", "-a.d", "-a.f"]

    def test_what_was_taken_is_recorded_again_when_it_is_assigned_again(self) -> None:
        root = stored(a=1)
        root.state["b"] = {"x": 1}
        root.take()
        root.state["b"]["x"] = 2
        root.state["a"] = 1
        assert paths(root) == ["b.x", "a"]

    def test_a_value_is_taken_when_it_is_committed_not_when_it_is_assigned(self) -> None:
        root = stored()
        numbers, below = [1], {"x": 1}
        root.state["numbers"], root.state["below"] = numbers, below
        numbers.append(2)
        below["y"] = 2
        root.state["below"]["z"] = 3
        assert below == {"x": 1, "y": 2, "z": 3}
        assert [one.value for one in root.take()] == [[1, 2], {"x": 1, "y": 2, "z": 3}]

    def test_a_dict_that_was_emptied_in_place_is_taken_as_deleted_below(self) -> None:
        root = stored()
        mine = {"n": {"x": 1}}
        root.state["a"] = mine
        root.take()
        root.state["a"]["n"]["x"] = 2
        mine.clear()
        assert root.take() == [Mutation(("a", "n", "x"), True)]
        assert root.state["a"] == {}

    def test_a_dict_that_was_replaced_in_place_is_read_as_it_is_now(self) -> None:
        root = stored()
        mine: dict[str, Any] = {"n": {"x": 1}}
        root.state["a"] = mine
        old = root.state["a"]["n"]
        mine["n"] = {"x": 2}
        assert root.state["a"]["n"] == {"x": 2}
        assert root.state["a"]["n"] is not old

    def test_keys_are_checked_all_the_way_down_when_a_dict_is_assigned(self) -> None:
        root = stored()
        with pytest.raises(KeyNotString, match=r'got 1 \(int\) below state\["a"\]\["b"\]'):
            root.state["a"] = {"b": {1: 2}}
        assert root.state == {}
        assert not root.pending()

    def test_of_an_update_with_a_wrong_key_nothing_is_assigned(self) -> None:
        root = stored()
        with pytest.raises(KeyNotString):
            root.state.update({"a": 1, 2: 3})  # type: ignore[dict-item]
        assert root.state == {}

    def test_deleting_a_key_that_could_never_be_stored_deletes_nothing(self) -> None:
        root = stored()
        root.state["\ud800"] = 1
        del root.state["\ud800"]
        assert root.take() == []

    def test_a_dict_that_contains_itself_can_be_assigned(self) -> None:
        root = stored()
        mine: dict[str, Any] = {}
        mine["mine"] = mine
        root.state["a"] = mine
        assert root.state["a"]["mine"]["mine"]["mine"] is not None


class TestDictsOfTheState:
    def test_a_dict_assigned_to_itself_is_a_mutation_that_decodes_nothing(self) -> None:
        root = stored(a={"big": [1, 2], "b": {"c": 3}})
        a = root.state["a"]
        root.state["a"] = root.state["a"]
        (mutation,) = root.take()
        assert mutation.path == ("a",)
        assert type(mutation.value["big"]) is type(mutation.value["b"]["c"]) is Stored
        assert root.state["a"] is a

    def test_of_a_dict_assigned_to_itself_what_was_read_is_encoded_again(self) -> None:
        root = stored(a={"read": [1], "left": {"x": {5, 6}}})
        root.state["a"]["read"].append(2)
        root.state["a"] = root.state["a"]
        (mutation,) = root.take()
        ops = encode_assignment(mutation.path, mutation.value, over_dict=False)
        assert ops == encode_assignment(("a",), {"read": [1, 2], "left": {"x": {5, 6}}}, over_dict=False)

    def test_update_with_a_dict_of_the_state_itself_keeps_it_in_place(self) -> None:
        root = stored(a={"b": 1})
        a = root.state["a"]
        root.state.update(a=a)
        a["b"] = 2
        assert root.state["a"] == {"b": 2}
        assert paths(root) == ["a"]

    def test_a_dict_of_the_state_assigned_elsewhere_is_copied_without_decoding(self) -> None:
        root = stored(a={"x": {"y": [1]}})
        root.state["b"] = root.state["a"]
        (mutation,) = root.take()
        assert type(mutation.value["x"]["y"]) is Stored
        root.state["b"]["x"]["z"] = 2
        assert root.state == {"a": {"x": {"y": [1]}}, "b": {"x": {"y": [1], "z": 2}}}
        assert paths(root) == ["b.x.z"]

    def test_a_dict_of_the_state_inside_an_assigned_dict_is_copied(self) -> None:
        root = stored(a={"x": 1})
        mine = {"inner": {"a": root.state["a"]}, "proxy": MappingProxyType({"p": 1})}
        root.state["b"] = mine
        root.state["b"]["inner"]["a"]["x"] = 2
        root.state["b"]["proxy"]["p"] = 2
        assert root.state["a"]["x"] == 1
        assert root.state["b"] == {"inner": {"a": {"x": 2}}, "proxy": {"p": 2}}
        assert mine["inner"]["a"] == {"x": 1}

    def test_the_state_can_be_put_into_itself(self) -> None:
        root = stored(a=1)
        root.state["copy"] = root.state
        root.state["copy"]["copy"] = root.state
        assert root.state == {"a": 1, "copy": {"a": 1, "copy": {"a": 1, "copy": {"a": 1}}}}

    def test_a_dict_of_another_sessions_state_is_copied(self) -> None:
        root, other = stored(), stored(a={"x": 1})
        root.state["a"] = other.state["a"]
        root.state["a"]["x"] = 2
        assert other.state["a"]["x"] == 1
        assert not other.pending()

    def test_a_mapping_that_is_no_dict_becomes_one(self) -> None:
        root = stored()
        root.state["a"] = MappingProxyType({"b": UserDict({"c": 1})})
        root.state["a"]["b"]["c"] = 2
        assert root.take() == [Mutation(("a",), False, {"b": {"c": 2}})]

    def test_what_lost_its_place_goes_on_as_a_plain_dict_and_records_nothing(self) -> None:
        root = stored(a={"b": {"c": 1}})
        a, b = root.state["a"], root.state["a"]["b"]
        root.state["a"] = {}
        root.take()
        a["x"], b["c"] = 1, 2
        assert a == {"b": {"c": 2}, "x": 1}
        assert root.state == {"a": {}}
        assert not root.pending()

    def test_what_was_popped_can_be_assigned_again(self) -> None:
        root = stored(a={"b": 1})
        a = root.state.pop("a")
        a["b"] = 2
        assert paths(root) == ["-a"]
        root.state["c"] = a
        assert root.state == {"c": {"b": 2}}

    def test_a_dict_held_while_its_place_is_assigned_the_same_dict_stays_attached(self) -> None:
        root = stored()
        mine = {"x": 1}
        root.state["a"] = mine
        a = root.state["a"]
        root.state["a"] = mine
        root.take()
        a["x"] = 2
        assert paths(root) == ["a.x"]

    def test_dicts_of_the_state_in_lists_and_results_are_stored_as_plain_ones(self) -> None:
        root = stored(a={"x": {1}, "_y": 2})
        value = [root.state["a"], (root.state["a"],)]
        root.state["list"] = value
        root.cancel()
        (mutation,) = root.take()
        encoded = codec.encode_with_view(mutation.value)
        assert codec.decode(encoded) == [{"x": {1}, "_y": 2}, ({"x": {1}, "_y": 2},)]
        assert codec.decode(codec.view_part(encoded)) == [{"x": [1]}, [{"x": [1]}]]
        result = codec.encode_with_view(root.state)
        assert codec.decode(codec.view_part(result))["a"] == {"x": [1]}

    def test_a_dict_of_the_state_put_into_an_assigned_dict_afterwards_is_stored(self) -> None:
        root = stored(a={"x": 1})
        mine: dict[str, Any] = {}
        root.state["b"] = mine
        mine["a"] = root.state["a"]
        assert root.state.to_dict()["b"] == {"a": {"x": 1}}
        (mutation,) = root.take()
        assert encode_assignment(("b",), mutation.value, over_dict=False) == encode_assignment(
            ("b",), {"a": {"x": 1}}, over_dict=False
        )


class TestRefreshing:
    def refresh(self, root: StateRoot, path: str, value: Any) -> None:
        tree = build_tree({}, encode_tree({"v": value}))
        root.refresh(tuple(path.split(".")), tree["v"], True)

    def test_a_path_shows_what_another_event_made_of_it(self) -> None:
        root = stored(a={"b": 1, "c": 2}, d=3)
        self.refresh(root, "a", {"b": 5})
        self.refresh(root, "d", [6])
        self.refresh(root, "new.below", 7)
        root.refresh(("gone", "below"), None, False)
        assert root.state == {"a": {"b": 5}, "d": [6], "new": {"below": 7}}
        root.refresh(("d",), None, False)
        assert "d" not in root.state
        assert not root.pending()

    def test_dicts_that_the_app_holds_show_it_too(self) -> None:
        root = stored(a={"b": {"cancel": False}})
        a, b = root.state["a"], root.state["a"]["b"]
        self.refresh(root, "a.b.cancel", True)
        assert b["cancel"] is True
        self.refresh(root, "a", {"b": {"cancel": 2}})
        assert (a["b"], b["cancel"]) == (b, 2)
        b["mine"] = 1
        assert paths(root) == ["a.b.mine"]

    def test_a_dict_that_became_something_else_is_let_go(self) -> None:
        root = stored(a={"b": {"c": 1}})
        b = root.state["a"]["b"]
        self.refresh(root, "a", 5)
        b["c"] = 2
        assert root.state == {"a": 5}
        assert not root.pending()

    def test_what_is_assigned_and_not_committed_stays(self) -> None:
        root = stored(a={"b": 1}, c=2, d=3)
        root.state["a"] = {"mine": 1}
        root.state["c"] = 5
        del root.state["d"]
        self.refresh(root, "a", {})
        self.refresh(root, "a.b", 7)
        self.refresh(root, "c", 7)
        self.refresh(root, "d", 7)
        assert root.state == {"a": {"mine": 1}, "c": 5}
        assert paths(root) == ["a", "c", "-d"]

    def test_what_is_assigned_below_is_laid_over_it_again(self) -> None:
        root = stored(a={"b": {"c": 1, "d": 2}, "e": 3})
        root.state["a"]["b"]["c"] = 5
        root.state["a"]["b"]["f"] = {"mine": 1}
        held = root.state["a"]["b"]["f"]
        del root.state["a"]["e"]
        self.refresh(root, "a", {"b": {"c": 8, "d": 8, "f": {"theirs": 8}}, "e": 8, "g": 8})
        assert root.state == {"a": {"b": {"c": 5, "d": 8, "f": {"mine": 1}}, "g": 8}}
        assert root.state["a"]["b"]["f"] is held
        root.refresh(("a",), None, False)
        assert root.state == {"a": {"b": {"c": 5, "f": {"mine": 1}}}}
        self.refresh(root, "a", 5)
        assert root.state == {"a": {"b": {"c": 5, "f": {"mine": 1}}}}

    def test_what_was_deleted_below_does_not_bring_a_deleted_dict_back(self) -> None:
        root = stored(a={"b": {"c": 1}})
        del root.state["a"]["b"]["c"]
        root.refresh(("a",), None, False)
        assert root.state == {}
        self.refresh(root, "a", 5)
        assert root.state == {"a": 5}

    def test_everything_can_be_refreshed_at_once(self) -> None:
        root = stored(a={"b": 1}, c=2)
        a = root.state["a"]
        root.state["mine"] = 1
        root.refresh((), build_tree({}, encode_tree({"a": {"b": 5}})), True)
        assert root.state == {"a": {"b": 5}, "mine": 1}
        assert root.state["a"] is a

    def test_nothing_is_ever_written_into_a_dict_of_the_apps(self) -> None:
        root = stored()
        mine = {"x": 1, "y": {"z": 1}}
        root.state["a"] = mine
        y = root.state["a"]["y"]
        root.take()
        self.refresh(root, "a.y.z", 5)
        self.refresh(root, "a.new", 6)
        assert mine == {"x": 1, "y": {"z": 1}}
        assert root.state == {"a": {"x": 1, "y": {"z": 5}, "new": 6}}
        assert root.state["a"]["y"] is y
        y["mine"] = 2
        assert paths(root) == ["a.y.mine"]

    def test_a_loop_is_not_broken_by_a_refresh(self) -> None:
        root = stored(a=1, b=2, c=3)
        seen = []
        for key, value in root.state.items():
            root.refresh(("b",), None, False)
            self.refresh(root, "d", 4)
            seen.append((key, value))
        assert seen == [("a", 1), ("c", 3)]
        assert len(list(root.state)) == 3

    def test_a_refresh_from_another_thread_is_seen_by_a_loop_that_waits_for_it(self) -> None:
        root = stored(ui={"cancel": False})
        began = threading.Event()

        def press() -> None:
            began.wait()
            self.refresh(root, "ui.cancel", True)

        thread = threading.Thread(target=press)
        thread.start()
        ui = root.state["ui"]
        rounds = 0
        while not ui["cancel"]:
            began.set()
            root.state["progress"] = rounds = rounds + 1
        thread.join()
        assert root.take() == [Mutation(("progress",), False, rounds)]


class TestCancelling:
    def test_the_next_access_raises_and_those_after_it_let_the_handler_clean_up(self) -> None:
        root = stored(a={"b": 1})
        root.cancel()
        with pytest.raises(Cancelled):
            _ = root.state["a"]["b"]
        root.state["busy"] = False
        assert root.take() == [Mutation(("busy",), False, False)]

    def test_once_given_up_every_access_raises(self) -> None:
        root = stored(a={"b": 1}, c=2)
        a = root.state["a"]
        keys = iter(root.state.items())
        root.give_up()
        accesses = [
            lambda: root.state["c"],
            lambda: a["b"],
            lambda: a.update(x=1),
            lambda: "c" in root.state,
            lambda: len(root.state),
            lambda: list(root.state),
            lambda: next(keys),
            lambda: root.state.pop("c"),
            lambda: root.state.to_dict(),
            lambda: root.state == {},
        ]
        for access in accesses:
            with pytest.raises(Cancelled):
                access()
        with pytest.raises(Cancelled):
            root.state["c"] = 5
        with pytest.raises(Cancelled):
            del a["b"]

    def test_what_was_assigned_before_can_still_be_taken(self) -> None:
        root = stored(a={"b": 1})
        root.state["a"]["b"] = 2
        root.cancel()
        root.refresh(("a",), {"b": 5, "c": 6}, True)
        assert root.pending()
        assert root.take() == [Mutation(("a", "b"), False, 2)]
        assert root.snapshot_value(("a", "c")) == 6

    def test_a_traceback_may_still_show_the_state(self) -> None:
        root = stored(a=1)
        root.cancel()
        assert repr(root.state) == "State({'a': 1})"

    def test_an_access_that_was_refused_holds_no_lock(self) -> None:
        root = stored(a=1)
        root.cancel()
        with pytest.raises(Cancelled):
            _ = root.state["a"]
        thread = threading.Thread(target=root.take)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()


class TestLookingUp:
    def test_values_are_found_in_dicts_and_lists(self) -> None:
        root = stored(todos=[{"text": "a"}, {"text": "b", "tags": ("x", "y")}], by={"id": {"n": {"m": 1}}})
        assert root.snapshot_value(("todos", "1", "text")) == "b"
        assert root.snapshot_value(("todos", "1", "tags", "0")) == "x"
        assert root.snapshot_value(("by", "id")) == {"n": {"m": 1}}
        assert type(root.snapshot_value(("by", "id"))) is dict
        assert type(root.snapshot_value(())) is dict

    @pytest.mark.parametrize(
        "path", ["x", "by.x.y", "todos.2", "todos.-1", "todos.one", "todos.0.text.0", "n.1", "todos.²"]
    )
    def test_what_is_not_there_is_none(self, path: str) -> None:
        root = stored(todos=[{"text": "a"}], by={}, n=5)
        assert root.snapshot_value(tuple(path.split("."))) is None


def test_a_partial_update_never_splits_an_update_of_several_keys() -> None:
    root = stored()
    stop = threading.Event()

    def assign() -> None:
        for number in range(2000):
            root.state.update(a=number, b=number)
        stop.set()

    thread = threading.Thread(target=assign)
    thread.start()
    for taken in _takes(root, stop):
        assert len({value for _, value in taken}) <= 1
        assert len(taken) in (0, 2)
    thread.join()


def _takes(root: StateRoot, stop: threading.Event) -> Iterator[list[tuple[str, Any]]]:
    while not stop.is_set():
        yield [(one.path[0], one.value) for one in root.take()]
    yield [(one.path[0], one.value) for one in root.take()]


def test_many_threads_may_use_one_state() -> None:
    root = stored(a={})
    threads = [
        threading.Thread(target=lambda name=name: [root.state["a"].update({f"{name}{n}": n}) for n in range(200)])
        for name in "abcd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(root.state["a"]) == len(root.take()) == 800
