"""Fields: what a write changes, how defaults show through, and that both agree with plain nested dicts."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands import codec
from manyhands.errors import NotSerialisable
from manyhands.fields import (
    CUT,
    DICT,
    Op,
    Stored,
    apply,
    build_tree,
    count_dicts_above,
    encode_assignment,
    encode_marker,
    encode_public,
    encode_tree,
    is_dict,
)
from manyhands.paths import Path, encode_path
from manyhands.state_root import StateRoot
from manyhands.wire import MAX_NESTING

KEYS = st.sampled_from(["a", "b", "c", "_d", "", "a.b"])
LEAVES = st.none() | st.integers() | st.text("xyz") | st.sets(st.integers(0, 3)) | st.lists(st.integers(), max_size=2)
DICTS = st.recursive(
    st.dictionaries(KEYS, LEAVES, max_size=3), lambda below: st.dictionaries(KEYS, below | LEAVES, max_size=3)
)
#: A step: which of the dicts that are there, a key, and the value to assign there or None to delete it.
STEPS = st.lists(st.tuples(st.integers(0, 9), KEYS, LEAVES | DICTS, st.booleans()), max_size=12)

Fields = dict[bytes, bytes]


def assign(fields: Fields, defaults: Fields, path: Path, value: Any) -> None:
    over_dict, above = is_dict(defaults.get(encode_path(path))), count_dicts_above(path, defaults)
    apply(fields, encode_assignment(path, value, over_dict=over_dict, dicts_above=above))


def delete(fields: Fields, defaults: Fields, path: Path) -> None:
    field = encode_path(path)
    apply(fields, [((Op.CUT if field in defaults else Op.DELETE).value, field, b"")])


def read(defaults: Fields, fields: Fields) -> dict[str, Any]:
    return StateRoot(build_tree(defaults, fields)).state.to_dict()


def dicts_in(values: dict[str, Any], path: Path = ()) -> list[Path]:
    below = [dicts_in(value, (*path, key)) for key, value in values.items() if isinstance(value, dict)]
    return [path, *(one for paths in below for one in paths)]


def at(values: Any, path: Path) -> Any:
    for key in path:
        values = values[key]
    return values


@given(DICTS)
def test_nested_dicts_come_back_from_their_fields_in_their_order(values: dict[str, Any]) -> None:
    again = read(encode_tree({"all": values}), {})
    assert repr(again) == repr({"all": values})


@given(DICTS, STEPS)
def test_writes_over_defaults_agree_with_plain_nested_dicts(
    defaults: dict[str, Any], steps: list[tuple[int, str, Any, bool]]
) -> None:
    encoded, fields, model = encode_tree(defaults), Fields(), copy.deepcopy(defaults)
    for place, key, value, deletes in steps:
        places = dicts_in(model)
        path = places[place % len(places)]
        if not deletes:
            assign(fields, encoded, (*path, key), value)
            at(model, path)[key] = copy.deepcopy(value)
        elif key in at(model, path):
            delete(fields, encoded, (*path, key))
            del at(model, path)[key]
        assert read(encoded, fields) == model


@given(DICTS, STEPS)
def test_nothing_lies_below_what_is_no_dict(defaults: dict[str, Any], steps: list[tuple[int, str, Any, bool]]) -> None:
    encoded, fields, model = encode_tree(defaults), Fields(), copy.deepcopy(defaults)
    for place, key, value, _ in steps:
        places = dicts_in(model)
        path = places[place % len(places)]
        assign(fields, encoded, (*path, key), value)
        at(model, path)[key] = copy.deepcopy(value)
    for field, stored in fields.items():
        assert is_dict(stored) or not any(one != field and one.startswith(field) for one in fields)


@given(DICTS)
def test_the_public_part_is_what_a_view_of_the_whole_would_be(values: dict[str, Any]) -> None:
    assert codec.decode(encode_public(build_tree(encode_tree(values), {}))) == codec.view(values)


@given(DICTS)
def test_the_order_in_which_a_store_gives_fields_does_not_matter(values: dict[str, Any]) -> None:
    fields = encode_tree(values)
    turned = dict(reversed(fields.items()))
    assert repr(build_tree({}, turned)) == repr(build_tree({}, fields)) == repr(build_tree(turned, {}))


def test_only_the_fields_of_what_is_assigned_are_written() -> None:
    ops = encode_assignment(("a", "b"), 1, over_dict=False)
    assert ops == [(Op.LEAF, encode_path(("a", "b")), codec.encode(1))]
    ops = encode_assignment(("a",), {"b": 1, "c": {}}, over_dict=True)
    assert [(kind, field) for kind, field, _ in ops] == [
        (Op.DICT, encode_path(("a",))),
        (Op.BELOW, encode_path(("a", "b"))),
        (Op.BELOW, encode_path(("a", "c"))),
    ]


def test_a_deleted_default_stays_deleted_until_a_dict_is_assigned_below_it() -> None:
    defaults, fields = encode_tree({"a": {"b": 1, "c": 2}}), Fields()
    delete(fields, defaults, ("a",))
    assert fields == {encode_path(("a",)): CUT}
    assert read(defaults, fields) == {}
    assign(fields, defaults, ("a",), {"d": 3})
    assert read(defaults, fields) == {"a": {"d": 3}}


def test_a_dict_becomes_a_number_and_a_dict_again() -> None:
    defaults, fields = encode_tree({"a": {"b": 1}}), Fields()
    assign(fields, defaults, ("a",), 5)
    assert read(defaults, fields) == {"a": 5}
    assign(fields, defaults, ("a",), {})
    assert read(defaults, fields) == {"a": {}}
    assert list(fields) == [encode_path(("a",))]


def test_a_dict_whose_last_key_is_deleted_is_empty_and_still_there() -> None:
    fields = Fields()
    assign(fields, {}, ("a",), {"b": 1})
    delete(fields, {}, ("a", "b"))
    assert read({}, fields) == {"a": {}}


def test_a_dict_with_fewer_keys_leaves_no_field_of_the_old_one() -> None:
    fields = Fields()
    assign(fields, {}, ("a",), {"b": {"c": 1, "d": 2}, "e": 3})
    assign(fields, {}, ("a",), {"e": 4})
    assert set(fields) == {encode_path(("a",)), encode_path(("a", "e"))}


def test_two_writes_below_one_default_dict_both_count() -> None:
    defaults, fields = encode_tree({"a": {"b": 1, "c": 2, "d": 3}}), Fields()
    assign(fields, defaults, ("a", "b"), 5)
    assign(fields, defaults, ("a", "c"), 6)
    assert read(defaults, fields) == {"a": {"b": 5, "c": 6, "d": 3}}
    assert len(fields) == 2


def test_a_leaf_that_was_never_read_is_written_as_it_was_stored() -> None:
    stored = Stored(codec.encode_with_view({1, 2}))
    ops = encode_assignment(("a",), {"b": stored, "c": {"d": stored}, "bytes": bytes(stored)}, over_dict=False)
    assert dict(ops_by_field(ops))[encode_path(("a", "b"))] is stored
    assert read({}, written(ops)) == {"a": {"b": {1, 2}, "c": {"d": {1, 2}}, "bytes": bytes(stored)}}
    assert encode_assignment(("a",), stored, over_dict=False)[0][2] == stored


def ops_by_field(ops: list[tuple[str, bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(field, value) for _, field, value in ops]


def written(ops: list[tuple[str, bytes, bytes]]) -> Fields:
    fields = Fields()
    apply(fields, ops)
    return fields


def test_a_marker_holds_the_keys_in_their_order() -> None:
    assert encode_marker({}) == DICT
    assert encode_marker({"b": 1, "a": 2}) == DICT + b"\xa1b\xa1a"
    many = {f"key {number}": number for number in range(2000)}
    assert list(read({}, written(encode_assignment(("a",), many, over_dict=False)))["a"]) == list(many)


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("a", "\ud800"), 1, 'state["a"]'),
        (("\ud800", "a"), {}, "state"),
        (("a",), {"b": {"\ud800": 1}}, 'state["a"]["b"]'),
        (("a",), {"b": {1: 1}}, 'state["a"]["b"]'),
        (("a",), {"b": object()}, 'state["a"]["b"]'),
        (("a",), object(), 'state["a"]'),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_path(path: Path, value: Any, where: str) -> None:
    with pytest.raises(NotSerialisable) as caught:
        encode_assignment(path, value, over_dict=False)
    assert str(caught.value).startswith(f"{where} holds ")


def test_nesting_is_limited_however_the_state_got_so_deep() -> None:
    deep: dict[str, Any] = {}
    deep["self"] = deep
    with pytest.raises(NotSerialisable, match="nested too deeply"):
        encode_assignment(("a",), deep, over_dict=False)
    with pytest.raises(NotSerialisable, match="nested too deeply"):
        encode_tree({"a": deep})
    with pytest.raises(NotSerialisable, match="nested too deeply"):
        encode_assignment(("a",) * (MAX_NESTING + 1), 1, over_dict=False)
