"""Paths as fields: every path has one, a prefix is a subtree, and bytes that are none are refused."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands.errors import DamagedValue
from manyhands.paths import Path, decode_names, decode_path, encode_path, is_public, segment, wire_path

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["", ".", "a.b", "_", "\0", "a" * 300]
)
PATHS = st.lists(NAMES, max_size=5).map(tuple)


@given(PATHS)
def test_every_path_comes_back_from_its_field(path: Path) -> None:
    assert decode_path(encode_path(path)) == decode_names(encode_path(path)) == path


@given(PATHS, PATHS)
def test_a_fields_prefix_is_exactly_a_subtree(one: Path, other: Path) -> None:
    assert encode_path(other).startswith(encode_path(one)) == (other[: len(one)] == one)


@given(st.lists(PATHS, unique=True))
def test_fields_sort_every_dict_before_what_lies_in_it(paths: list[Path]) -> None:
    ordered = sorted(paths, key=encode_path)
    for position, path in enumerate(ordered):
        assert not any(path[: len(later)] == later for later in ordered[position + 1 :])


@given(PATHS)
def test_a_path_travels_as_a_msgpack_array_of_strings(path: Path) -> None:
    assert msgpack.unpackb(wire_path(path)) == list(path)


def test_the_root_is_the_empty_field() -> None:
    assert encode_path(()) == b""
    assert decode_path(b"") == ()


@given(st.binary(max_size=20))
def test_bytes_are_a_path_or_refused(field: bytes) -> None:
    try:
        path = decode_path(field)
    except DamagedValue:
        return
    assert encode_path(path) == field


@pytest.mark.parametrize("field", [b"\xc1", b"\x01", b"\xa2a", b"\x90", b"\xd9\x01a", b"\xa1\xff", b"\xc4\x01a"])
def test_what_is_no_path_is_refused(field: bytes) -> None:
    with pytest.raises(DamagedValue, match="is not a path"):
        decode_path(field)


def test_a_lone_surrogate_has_no_field() -> None:
    with pytest.raises(UnicodeEncodeError):
        segment("\ud800")


def test_the_keys_of_a_large_dict_do_not_fill_the_cache_of_paths() -> None:
    names = tuple(f"key {number}" for number in range(5))
    before = decode_path.cache_info().currsize
    decode_names(b"".join(map(segment, names)))
    assert decode_path.cache_info().currsize == before


@pytest.mark.parametrize(
    ("path", "public"),
    [((), True), (("a", "b"), True), (("a_", ""), True), (("_a",), False), (("a", "_b", "c"), False)],
)
def test_a_leading_underscore_at_any_level_keeps_a_path_private(path: Path, public: bool) -> None:
    assert is_public(path) is public
