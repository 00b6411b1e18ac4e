"""Values come back equal and of the same type; browsers get views; hostile bytes are refused by name."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
import math
from collections import OrderedDict, UserDict, defaultdict
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands import codec
from manyhands.errors import DamagedValue, NotSerialisable
from manyhands.wire import MAX_NESTING, MAX_SAFE_INTEGER


class Colour(enum.Enum):
    RED = "red"
    BOTH = ("red", 1)


class Level(enum.IntEnum):
    LOW = 1


class Word(enum.StrEnum):
    YES = "yes"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Named(str, enum.Enum):  # noqa: UP042 - `str()` of a StrEnum would give its value anyway
    KEY = "key"


@dataclasses.dataclass
class Point:
    x: int
    y: Any = None
    _secret: str = "s"


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    tags: frozenset[str]
    at: Point


class Plain:
    pass


class OddZone(tzinfo):
    def utcoffset(self, at: datetime | None) -> None:
        return None


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ZONES = st.sampled_from(
    [
        *(None, UTC, ZoneInfo("UTC"), ZoneInfo("Etc/UTC"), ZoneInfo("Europe/Berlin")),
        timezone(timedelta(hours=-3, seconds=1)),
        *(timezone(timedelta(hours=1), "ours"), timezone(timedelta(0), "ours")),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    TEXT,
    st.binary(),
    st.datetimes(timezones=ZONES),
    st.datetimes(),
    st.dates(),
    st.times(timezones=ZONES),
    st.timedeltas(),
    st.decimals(),
    st.uuids(),
    st.sampled_from([Colour.RED, Colour.BOTH, Level.LOW, Word.YES, Access.READ, Access.READ | Access.WRITE]),
)
#: NaN is in a set and is not; a signalling one can't even be compared.
HASHABLE = SCALARS.filter(lambda value: "nan" not in str(value).lower()) | st.tuples(st.integers(), TEXT)
VALUES = st.recursive(
    SCALARS | st.sets(HASHABLE) | st.frozensets(HASHABLE),
    lambda below: (
        st.lists(below)
        | st.dictionaries(TEXT, below)
        | st.lists(below).map(tuple)
        | st.builds(Point, st.integers(), below)
        | st.builds(Frozen, st.frozensets(TEXT), st.builds(Point, st.integers()))
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down; NaN being itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (set, frozenset)):
        return one == other and sorted(map(str, map(type, one))) == sorted(map(str, map(type, other)))
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one))
    if isinstance(one, (datetime, time)):
        seen, expected = (
            (at, at.fold, at.utcoffset(), at.tzname(), str(at.tzinfo), type(at.tzinfo)) for at in (one, other)
        )
        return seen == expected
    if isinstance(one, float):
        both_nan = math.isnan(one) and math.isnan(other)
        return both_nan or (one == other and math.copysign(1, one) == math.copysign(1, other))
    if isinstance(one, Decimal):
        return str(one) == str(other)
    return bool(one == other)


@given(VALUES)
def test_every_value_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    assert same(codec.decode(codec.encode(value)), value)
    stored = codec.encode_with_view(value)
    assert same(codec.decode(stored), value)
    assert codec.value_part(stored) == codec.encode(value)


def only_simple(shown: Any) -> bool:
    if isinstance(shown, list):
        return type(shown) is list and all(map(only_simple, shown))
    if isinstance(shown, dict):
        return all(type(key) is str and not key.startswith("_") and only_simple(item) for key, item in shown.items())
    if type(shown) is int:
        return abs(shown) <= MAX_SAFE_INTEGER
    return type(shown) in (type(None), bool, float, str, bytes)


@given(VALUES)
def test_a_view_holds_only_what_a_browser_knows_and_nothing_private(value: Any) -> None:
    shown = codec.view(value)
    assert only_simple(shown)
    assert same(msgpack.unpackb(codec.view_part(codec.encode_with_view(value))), shown)
    json.dumps(codec.jsonable(shown), allow_nan=False)


@given(VALUES)
def test_a_value_that_is_its_own_view_is_stored_once(value: Any) -> None:
    stored = codec.encode_with_view(value)
    assert stored.startswith(codec.VIEW_MARK) == (codec.view_part(stored) != codec.encode(value))
    if codec.is_self_viewed(value):
        assert stored == codec.encode(value)


@given(st.binary(max_size=60))
def test_hostile_bytes_are_decoded_or_refused_by_name(stored: bytes) -> None:
    for part in (stored, codec.VIEW_MARK + stored):
        with contextlib.suppress(DamagedValue):
            codec.decode(part)


@given(VALUES, st.data())
def test_a_damaged_value_is_decoded_or_refused_by_name(value: Any, data: st.DataObject) -> None:
    stored = bytearray(codec.encode(value))
    stored[data.draw(st.integers(0, len(stored) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DamagedValue):
        codec.decode(bytes(stored[: data.draw(st.integers(1, len(stored)))]))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({3, 1, 2}, [1, 2, 3]),
        ((1, (2,)), [1, [2]]),
        (2**53, "9007199254740992"),
        (-(2**53) + 1, -(2**53) + 1),
        (2**100, str(2**100)),
        (datetime(2024, 2, 29, 12, tzinfo=UTC), "2024-02-29T12:00:00+00:00"),
        (date(2024, 2, 29), "2024-02-29"),
        (time(1, 2, 3), "01:02:03"),
        (timedelta(minutes=1.5), 90.0),
        (Decimal("1.50"), "1.50"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Colour.RED, "red"),
        (Colour.BOTH, ["red", 1]),
        (Word.YES, "yes"),
        (Point(1, {Point(2).x}), {"x": 1, "y": [2]}),
        ({"a": 1, "_b": 2, "c": [{"_d": 3, "e": 4}]}, {"a": 1, "c": [{"e": 4}]}),
        ([True, None, 1.5, "x", b"y"], [True, None, 1.5, "x", b"y"]),
    ],
)
def test_browsers_get_something_simpler(value: Any, shown: Any) -> None:
    assert same(codec.view(value), shown)


def test_equal_sets_are_stored_alike() -> None:
    names = [f"name {number}" for number in range(50)]
    mixed = [1, "a", None, (2, "b"), *range(5, 1000, 64)]
    for values in (names, mixed):
        turned = values[::-1]
        assert codec.encode(set(values)) == codec.encode(set(turned))


def test_a_key_that_is_an_enum_of_strings_is_stored_as_its_text_and_shown_so() -> None:
    assert codec.checked_key(Named.KEY, ()) == "key"
    stored = codec.encode_with_view([{Named.KEY: 1}])
    assert codec.decode(stored) == [{"key": 1}]
    assert msgpack.unpackb(codec.view_part(stored)) == [{"key": 1}]


def test_kinds_of_dicts_come_back_as_dicts() -> None:
    for value in (OrderedDict(a=1), defaultdict(int, a=1), UserDict({"a": 1})):
        assert same(codec.decode(codec.encode_with_view([value])), [{"a": 1}])


def test_what_json_cannot_carry_is_replaced() -> None:
    shown = [math.nan, math.inf, -math.inf, b"\x00", {"a": [b""]}, 1.5]
    assert codec.jsonable(shown) == [None, None, None, {"$bytes": "AA=="}, {"a": [{"$bytes": ""}]}, 1.5]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (Plain(), "a value of type test_codec.Plain, which can't be stored: assign plain data"),
        ([object()], "a value of type object"),
        (print, "builtin_function_or_method"),
        (Point, "a value of type type"),
        (1j, "complex"),
        ("\ud800", "text with a lone surrogate"),
        (["\ud800"], "text with a lone surrogate"),
        ({"a": {1: 2}}, "a dict with the key 1 (int), which can't be stored: keys of dicts are strings; use '1'"),
        ([{"\ud800": 1}], "a dict with the key"),
        (Point(1, object()), "a value of type object"),
        ({Plain()}, "test_codec.Plain"),
        (datetime(2024, 1, 1, tzinfo=OddZone()), "a time zone of type test_codec.OddZone"),
    ],
)  # fmt: skip
def test_what_cannot_be_stored_is_named_with_its_path_and_a_cure(value: Any, says: str) -> None:
    with pytest.raises(NotSerialisable) as caught:
        codec.encode_with_view(value, ("a", "b"))
    assert says in str(caught.value)
    assert str(caught.value).startswith('state["a"]["b"] holds ')


def test_a_class_inside_a_function_cannot_be_found_again_and_is_refused() -> None:
    @dataclasses.dataclass
    class Local:
        x: int

    with pytest.raises(NotSerialisable, match="define it in a module"):
        codec.encode_with_view(Local(1))


@pytest.mark.parametrize("make", [lambda below: [below], lambda below: (below,), lambda below: {"a": below}])
def test_what_is_nested_too_deeply_is_refused(make: Any) -> None:
    value: Any = 1
    for _ in range(MAX_NESTING):
        value = make(value)
    assert same(codec.decode(codec.encode_with_view(value)), value)
    for _ in range(2000):
        value = make(value)
    with pytest.raises(NotSerialisable, match="nested too deeply"):
        codec.encode_with_view(value)


def test_what_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    circle = Point(1)
    circle.y = {"self": circle}
    for value in (loop, circle, {"loop": loop}):
        with pytest.raises(NotSerialisable, match=r"nested too deeply.*contains itself"):
            codec.encode_with_view(value)


def test_a_class_that_is_gone_is_a_damaged_value(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = [codec.encode(Point(1)), codec.encode(Colour.RED)]
    monkeypatch.delattr(f"{__name__}.Point")
    monkeypatch.delattr(f"{__name__}.Colour")
    for one in stored:
        with pytest.raises(DamagedValue, match=r"the app has no class .*test_codec"):
            codec.decode(one)


def test_reading_constructs_nothing_that_the_bytes_could_choose() -> None:
    for code, content in ((12, ["subprocess", "Popen", {"args": "true"}]), (11, ["os", "PathLike", "x"])):
        with pytest.raises(DamagedValue):
            codec.decode(msgpack.packb(msgpack.ExtType(code, msgpack.packb(content))))


def test_a_dataclass_that_has_changed_keeps_what_it_still_knows() -> None:
    packed = msgpack.packb([__name__, "Point", {"x": 1, "gone": 2}])
    point = codec.decode(msgpack.packb(msgpack.ExtType(12, packed)))
    assert point.x == 1
    assert not hasattr(point, "gone")
    assert point.y is None


def test_an_extension_of_a_later_version_is_refused_by_its_code() -> None:
    with pytest.raises(DamagedValue, match="extension type 99 is unknown"):
        codec.decode(msgpack.packb(msgpack.ExtType(99, b"")))
