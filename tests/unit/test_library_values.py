"""Values of NumPy, pandas, polars, pyarrow, Pillow and pydantic come back equal and of the same type."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from io import BytesIO
from typing import Any, Generic, TypeVar

import msgpack
import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pyarrow as pa
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image
from test_codec import only_simple

from manyhands import codec
from manyhands.errors import DamagedValue, NotSerialisable
from manyhands.types import Code

LIBRARIES = ("numpy", "pandas", "polars", "pyarrow", "PIL", "pydantic", "matplotlib", "plotly", "altair")
_T = TypeVar("_T")


class Shade(Enum):
    DARK = "dark"


class Inner(pydantic.BaseModel):
    tags: set[str]
    at: Any = None


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow", arbitrary_types_allowed=True)
    number: int
    inner: Inner | None = None
    many: list[Inner] = []
    renamed: int = pydantic.Field(default=3, alias="other")
    _secret: int = pydantic.PrivateAttr(default=7)


class Frozen(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)
    price: Decimal
    shade: Shade = Shade.DARK


class Strict(pydantic.BaseModel):
    number: int

    def model_post_init(self, _: Any) -> None:
        raise AssertionError("a model is rebuilt without its hooks")


class Listed(pydantic.RootModel[list[int]]):
    pass


class Boxed(pydantic.BaseModel, Generic[_T]):
    item: _T


BoxedNumber = Boxed[int]


class Plain:
    pass


class OwnArray(np.ndarray):  # type: ignore[type-arg]
    pass


def came_back(value: Any) -> Any:
    """Store a value with its view, deep within others, and read it."""
    [stored, also] = codec.decode(codec.encode_with_view([{"a": (value,)}, value]))
    del also
    return stored["a"][0]


def same_array(one: Any, other: Any) -> bool:
    return (
        type(one) is type(other)
        and one.dtype == other.dtype
        and one.shape == other.shape
        # What lies between fields, and behind the 80 bits of a long double, is of nobody.
        and repr(one.tolist()) == repr(other.tolist())
        and (not other.flags.forc or one.flags.f_contiguous == other.flags.f_contiguous)
    )


# --- NumPy ---

NUMBERS = npst.scalar_dtypes() | npst.datetime64_dtypes() | npst.timedelta64_dtypes()
DTYPES = NUMBERS | npst.byte_string_dtypes() | npst.unicode_string_dtypes()
DTYPES |= npst.array_dtypes(NUMBERS, max_size=3) | npst.nested_dtypes(NUMBERS, max_itemsize=64)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(npst.arrays(DTYPES, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)), st.booleans())
def test_arrays_of_every_dtype_come_back_bit_by_bit(array: Any, transposed: bool) -> None:
    array = array.T if transposed else array
    if array.size and not array.dtype.itemsize:
        return
    assert same_array(came_back(array), array)
    assert only_simple(codec.view(array))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24).reshape(2, 3, 4).T,
        np.arange(24)[::-2],
        np.asfortranarray(np.ones((3, 4))),
        np.array(5),
        np.zeros((0, 3)),
        np.broadcast_to(np.arange(3), (4, 3)),
        np.arange(3, dtype=">i4"),
        np.arange(3, dtype="longlong"),
        np.arange(3, dtype="longdouble"),
        np.array(["2024-02-29", "NaT"], "M8[25s]"),
        np.array([(1, 2.5)], np.dtype({"names": ["a", "b"], "formats": ["i1", "f8"]}, align=True)),
        np.array([(1, [2, 3])], [("a", "i1"), ("b", "i2", (2,))]),
        np.zeros(2, {"names": ["a"], "formats": ["i4"], "offsets": [4], "itemsize": 16}),
        np.array([b"ab", b"c\0"], "V2"),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_comes_back_with_its_dtype_shape_and_order(array: Any) -> None:
    back = came_back(array)
    assert same_array(back, array)
    assert back.dtype.num == array.dtype.num
    assert back.dtype.isalignedstruct == array.dtype.isalignedstruct
    assert back.flags.writeable


@pytest.mark.parametrize(
    "scalar",
    [
        *(np.dtype(code).type(3) for code in "?bBhHiIlLqQefdgFDG"),
        *(np.float64("nan"), np.float32("-inf"), np.str_("a\0"), np.bytes_(b"a\0"), np.void(b"abc")),
        *(np.datetime64("2024-02-29T01:02:03.000000004"), np.datetime64("NaT"), np.timedelta64(3, "M")),
        np.array([(1, 2.5)], "i4,f8")[0],
    ],
    ids=repr,
)
def test_a_numpy_scalar_comes_back_of_its_type(scalar: Any) -> None:
    back = came_back(scalar)
    assert type(back) is type(scalar)
    assert back.dtype == scalar.dtype
    assert repr(back) == repr(scalar)
    assert only_simple(codec.view(scalar))


# --- pandas ---

INDEXES = [
    pd.RangeIndex(3, name="r"),
    pd.RangeIndex(9, 0, -3),
    pd.Index([1, 2, 3], dtype="int8"),
    pd.Index([1.5, float("nan"), 2]),
    pd.Index(["a", "b", None], dtype=object, name=("x", 1)),
    pd.Index(["a", "b", "c"]),
    pd.Index([True, False, True]),
    pd.date_range("2024-03-30", periods=3, freq="D", tz="Europe/Berlin"),
    pd.DatetimeIndex(["2024-01-01", None, "2024-01-05"]),
    pd.timedelta_range("1h", periods=3),
    pd.period_range("2024-01", periods=3, freq="M"),
    pd.interval_range(0, 3),
    pd.CategoricalIndex(["a", "b", "a"], ordered=True),
    pd.MultiIndex.from_product([["a", "b", "c"], [pd.Timestamp("2024")]], names=["x", None]),
    pd.Index(pd.array([1, None, 3], dtype="Int64")),
]

COLUMNS = [
    pd.Series([1, 2, 3], dtype="uint8"),
    pd.Series([1.5, float("nan"), float("inf")], name=5),
    pd.Series([1 + 2j, 3, 4]),
    pd.Series(["a", None, float("nan")], dtype=object),
    pd.Series([1, "a", [1, {"x": (2,)}]], name="mixed"),
    pd.Series([date(2024, 1, 1), Decimal("1.50"), Shade.DARK]),
    pd.Series(["a", "b", "c"]),
    pd.Series(["a", None, "c"], dtype="string[python]"),
    pd.Series(["a", None, "c"], dtype="string[pyarrow]"),
    pd.Series(["a", "b", None], dtype="category"),
    pd.Series(pd.cut([1, 5, 9], 3)),
    pd.Series([3, 1, 3], dtype=pd.CategoricalDtype([3, 2, 1], ordered=True)),
    pd.Series(pd.date_range("2024-01-01", periods=3)),
    pd.Series(pd.date_range("2024-03-30", periods=3, tz="Europe/Berlin")),
    pd.Series(pd.date_range("2024-03-30", periods=3, tz="UTC")).dt.as_unit("ms"),
    pd.Series(pd.to_timedelta(["1s", None, "3 days"])),
    pd.Series(pd.period_range("2024-01", periods=3, freq="Q")),
    pd.Series(pd.interval_range(0.5, periods=3, closed="both")),
    pd.Series([1, None, 3], dtype="Int64"),
    pd.Series([True, None, False], dtype="boolean"),
    pd.Series([1.5, None, 3], dtype="Float32"),
    pd.Series([1, None, 3], dtype="int64[pyarrow]"),
    pd.Series([[1], None, [2, 3]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
    pd.Series([Decimal("1.5"), None, Decimal(2)], dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
]


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: f"{type(index).__name__}-{index.dtype}")
def test_an_index_comes_back_of_its_kind(index: Any) -> None:
    for one in (index, index[:0]):
        back = came_back(one)
        pd.testing.assert_index_equal(back, one, exact=True)
        assert back.names == one.names
        assert getattr(back, "freq", None) == getattr(one, "freq", None)
        assert only_simple(codec.view(one))


@pytest.mark.parametrize("series", COLUMNS, ids=lambda series: str(series.dtype))
def test_a_series_comes_back_with_its_dtype(series: Any) -> None:
    for one in (series, series[:0]):
        back = came_back(one)
        pd.testing.assert_series_equal(back, one, check_freq=True)
        assert back.tolist() == one.tolist() or one.hasnans
        assert only_simple(codec.view(one))
        assert len(codec.view(one)) == len(one)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(COLUMNS), max_size=5), st.sampled_from(INDEXES), st.booleans())
def test_a_frame_of_any_columns_and_index_comes_back(columns: list[Any], index: Any, same_names: bool) -> None:
    frame = pd.DataFrame({place: series.set_axis(index) for place, series in enumerate(columns)}, index=index)
    if same_names and columns:
        frame.columns = ["twice"] * len(columns)
    frame.attrs = {"unit": ["m"]}
    back = came_back(frame)
    pd.testing.assert_frame_equal(back, frame, check_column_type=True, check_freq=True)
    assert back.attrs == frame.attrs
    assert only_simple(codec.view(frame))


def test_a_frame_with_columns_on_several_levels_comes_back() -> None:
    columns = pd.MultiIndex.from_tuples([("a", 1), ("a", 2)], names=["x", "y"])
    frame = pd.DataFrame([[1, 2.5], [3, 4.5]], columns=columns)
    pd.testing.assert_frame_equal(came_back(frame), frame)
    assert codec.view(frame)["columns"] == ["a/1", "a/2"]


def test_what_a_frame_gives_back_can_be_changed() -> None:
    frame = came_back(pd.DataFrame({"a": [1, 2], "b": [1.5, 2.5], "c": ["x", "y"]}))
    frame.loc[0, "a"] = 9
    frame["d"] = frame["b"] * 2
    assert frame.iloc[0].tolist() == [9, 1.5, "x", 3.0]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (pd.Timestamp("2024-02-29 01:02:03.000000004"), "2024-02-29T01:02:03.000000004"),
        (pd.Timestamp("2024-07-01", tz="Europe/Berlin"), "2024-07-01T00:00:00+02:00"),
        (pd.Timestamp("2024-10-27 01:30", tz="UTC").tz_convert("Europe/Berlin"), "2024-10-27T02:30:00+01:00"),
        (pd.Timedelta("1 day 1ns"), 86400.000000001),
        (pd.Timedelta("-90s"), -90.0),
        (pd.Period("2024-03", "M"), "2024-03"),
        (pd.Interval(0, 2.5, closed="left"), "[0, 2.5)"),
        (pd.NA, None),
        (pd.NaT, None),
    ],
    ids=repr,
)
def test_what_a_frame_holds_comes_back_alone(value: Any, shown: Any) -> None:
    back = came_back(value)
    assert type(back) is type(value)
    assert back is value or back == value
    assert getattr(back, "unit", None) == getattr(value, "unit", None)
    assert codec.view(value) == shown


# --- polars and pyarrow ---


def a_polars_frame() -> Any:
    return pl.DataFrame(
        {
            "int": [1, None, 3],
            "text": ["a", "b", None],
            "list": [[1], [], None],
            "struct": [{"x": 1}, {"x": 2}, None],
            "time": pl.Series([date(2024, 1, 1), None, date(2024, 1, 3)]).cast(pl.Datetime("ms", "Europe/Berlin")),
            "length": [timedelta(seconds=1), None, timedelta(0)],
            "category": pl.Series(["x", "y", "x"], dtype=pl.Categorical),
            "enum": pl.Series(["x", "y", "x"], dtype=pl.Enum(["y", "x"])),
            "bytes": [b"a", b"", None],
            "decimal": pl.Series([Decimal("1.50"), None, Decimal(2)], dtype=pl.Decimal(10, 2)),
            "nan": [float("nan"), None, float("inf")],
        }
    )


def test_a_polars_frame_comes_back_with_its_dtypes() -> None:
    frame = a_polars_frame()
    for one in (frame, frame[:0], pl.DataFrame()):
        back = came_back(one)
        polars.testing.assert_frame_equal(back, one)
        assert back.schema == one.schema
        assert only_simple(codec.view(one))
    for column in frame.get_columns():
        polars.testing.assert_series_equal(came_back(column), column)
        assert only_simple(codec.view(column))


def test_a_table_and_a_record_batch_come_back() -> None:
    table = a_polars_frame().drop("category", "enum").to_arrow().replace_schema_metadata({"by": "us"})
    table = table.append_column("dictionary", pa.array(["a", "b", "a"]).dictionary_encode())
    for one in (table, table[:0], table.to_batches()[0], pa.table({})):
        back = came_back(one)
        assert type(back) is type(one)
        assert back.schema.equals(one.schema, check_metadata=True)
        assert str(back.to_pylist()) == str(one.to_pylist())
        assert only_simple(codec.view(one))


# --- Pillow ---

MODES_OF_PNG = ["1", "L", "LA", "P", "RGB", "RGBA"]
OTHER_MODES = ["PA", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "I;16", "RGBX", "RGBa", "La"]


def an_image(mode: str) -> Any:
    size = (5, 3)
    raw = bytes(range(0, 240, 2)) * 2
    image = Image.frombytes(mode, size, raw[: len(Image.new(mode, size).tobytes())])
    if mode in ("P", "PA"):
        image.putpalette(bytes(range(96)))
    return image


@pytest.mark.parametrize("mode", MODES_OF_PNG + OTHER_MODES)
def test_an_image_comes_back_pixel_by_pixel_and_is_shown_as_png(mode: str) -> None:
    image = an_image(mode)
    image.info = {"dpi": (72, 72), "gamma": 0.45, "odd": Plain()}
    back = came_back(image)
    del image.info["odd"]
    assert back == image
    assert type(back) is type(image)
    assert back.getpalette() == image.getpalette()
    assert codec.view(image).startswith(b"\x89PNG")


def test_an_image_of_a_file_comes_back_as_a_plain_image() -> None:
    written = BytesIO()
    an_image("RGB").save(written, "PNG", dpi=(72, 72))
    opened = Image.open(written)
    back = came_back(opened)
    assert type(back) is Image.Image
    assert back.tobytes() == opened.tobytes()
    assert back.info == opened.info


def test_an_image_without_pixels_comes_back_and_has_no_view() -> None:
    empty = Image.new("RGB", (0, 4))
    assert came_back(empty) == empty
    assert codec.view(empty) is None


# --- pydantic ---


@pytest.mark.parametrize(
    "model",
    [
        Model(number=1, inner=Inner(tags={"b", "a"}, at=[1, (2,)]), many=[Inner(tags=set())], more={"x": 1.5}),
        Model(number=2, other=5),
        Frozen(price=Decimal("1.50")),
        Listed([1, 2]),
        Boxed(item=(1, 2)),
        BoxedNumber(item=3),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_model_comes_back_with_what_was_set(model: Any) -> None:
    back = came_back(model)
    assert type(back) is type(model)
    assert back == model
    assert back.model_fields_set == model.model_fields_set
    assert back.model_extra == model.model_extra
    assert back.model_dump() == model.model_dump()


def test_a_model_is_rebuilt_without_validation_hooks_or_what_it_no_longer_knows() -> None:
    packed = msgpack.packb([__name__, "Strict", {"number": "text", "gone": 1}, None, ["number", "gone"], {"_gone": 1}])
    back = codec.decode(msgpack.packb(msgpack.ExtType(Code.MODEL, packed)))
    assert back.number == "text"
    assert not hasattr(back, "gone")
    assert back.model_fields_set == {"number"}


def test_a_private_attribute_is_stored_and_not_shown() -> None:
    model = Model(number=1)
    model._secret = 8
    assert came_back(model)._secret == 8
    assert codec.view(model) == {"number": 1, "inner": None, "many": [], "renamed": 3}


# --- what can't be stored ---


def local_model() -> Any:
    class Local(pydantic.BaseModel):
        x: int = 1

    return Local()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (np.array([1, "a"], object), "an array of dtype object"),
        (np.zeros(1, [("a", object)]), "an array of dtype object"),
        (np.ma.masked_array([1], [True]), "a value of type numpy.ma"),
        (np.zeros(1).view(OwnArray), "a value of type test_library_values.OwnArray"),
        (pd.DataFrame({"a": [1], "b": [Plain()]}), "a DataFrame whose column 'b' holds a value of type"),
        (pd.DataFrame({"a": [{1: 2}]}), "a DataFrame whose column 'a' holds a dict with the key 1"),
        (pd.DataFrame({"a": pd.array([0, 1], dtype="Sparse[int]")}), "a DataFrame whose column 'a' holds values"),
        (pd.Series([1j, Plain()], dtype=object), "a Series that holds a value of type complex"),
        (pd.DataFrame({"a": [1]}).groupby("a"), "a value of type pandas."),
        (pl.DataFrame({"a": [Plain()]}), "a polars DataFrame whose column 'a' is of Object"),
        (pl.LazyFrame({"a": [1]}), "a value of type polars."),
        (local_model(), "a test_library_values.local_model.<locals>.Local whose class is defined inside a function"),
        (Model(number=1, inner=Inner(tags=set(), at=Plain())), "a value of type test_library_values.Plain"),
        (Inner(tags=set(), at={1: 2}), "a dict with the key 1"),
        (pd.RangeIndex(10**12), "a RangeIndex of 1000000000000 numbers"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_stored_is_named_with_its_path_and_a_cure(value: Any, says: str) -> None:
    with pytest.raises(NotSerialisable) as caught:
        codec.encode_with_view(value, ("a", "b"))
    assert str(caught.value).startswith('state["a"]["b"] holds ' + says)
    assert caught.value.cure


# --- hostile and damaged values ---


def extension(code: int, content: Any) -> bytes:
    packed: bytes = msgpack.packb(msgpack.ExtType(code, msgpack.packb(content, strict_types=True)))
    return packed


@pytest.mark.parametrize(
    "stored",
    [
        extension(Code.ARRAY, ["|O", [1], "C", b"\0" * 8]),
        extension(Code.ARRAY, ["|O8", [1], "C", b"\0" * 8]),
        extension(Code.ARRAY, [{"names": ["a"], "formats": ["O"], "offsets": [0], "titles": [None], "itemsize": 8,
                                "aligned": False}, [1], "C", b"\0" * 8]),
        extension(Code.ARRAY, [{"names": ["a"], "formats": ["<i4"], "offsets": [9], "titles": [None], "itemsize": 8,
                                "aligned": False}, [1], "C", b"\0" * 8]),
        extension(Code.ARRAY, ["<f8", [2**62, 2**62], "C", b""]),
        extension(Code.ARRAY, ["<f8", [-1, -1], "C", b"\0" * 8]),
        extension(Code.ARRAY, ["<U0", [2**40], "C", b""]),
        extension(Code.ARRAY, [["<f8", [2**40]], [2], "C", b"\0" * 8]),
        extension(Code.ARRAY, ["<f8", [0] * 70, "C", b""]),
        extension(Code.ARRAY_SCALAR, ["<f8", [2], "C", b"\0" * 16]),
        extension(Code.DATA_FRAME, [1, 2, [], {}]),
        extension(Code.SERIES, [None, 1, ["pickle", b""], {}]),
        extension(Code.INDEX, ["range", None, 0, 10, 0]),
        extension(Code.INDEX, ["other"]),
        extension(Code.PANDAS_SCALAR, ["other"]),
        extension(Code.ARROW_TABLE, ["table", b"\xff\xff\xff\xff\xff\xff\xff\x7f"]),
        extension(Code.POLARS, ["frame", b"\xff\xff\xff\xff\xff\xff\xff\x7f"]),
        extension(Code.IMAGE, ["RGB", [10**9, 10**9], {}, None, "raw", b""]),
        extension(Code.IMAGE, ["RGB", [10**9, 10**9], {}, None, "png", b"\x89PNG"]),
        extension(Code.IMAGE, ["EVIL", [1, 1], {}, None, "raw", b"abc"]),
        extension(Code.MODEL, ["subprocess", "Popen", {"args": "true"}, None, [], {}]),
        extension(Code.MODEL, ["os", "system", {}, None, [], {}]),
    ],
)  # fmt: skip
def test_a_hostile_value_is_refused_by_name_before_anything_is_allocated(stored: bytes) -> None:
    with pytest.raises(DamagedValue):
        codec.decode(stored)


STORED = [
    codec.encode(value)
    for value in (
        np.arange(6.0).reshape(2, 3), np.float32(1), np.zeros(2, "i4,M8[s]"), *COLUMNS, *INDEXES,
        pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), pd.Timestamp("2024", tz="UTC"),
        a_polars_frame(), a_polars_frame().to_arrow(), an_image("P"), an_image("RGB"), an_image("F"),
        Model(number=1, inner=Inner(tags={"a"})),
    )
]  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(STORED), st.data())
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_value_is_decoded_or_refused_by_name(stored: bytes, data: st.DataObject) -> None:
    damaged = bytearray(stored)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DamagedValue):
        codec.decode(bytes(damaged[: data.draw(st.integers(len(damaged) // 2, len(damaged)))]))


# --- what is not used costs nothing ---


def test_no_library_is_imported_before_a_value_of_it_is_stored_or_read() -> None:
    code = f"""
import importlib, pkgutil, sys
import manyhands, manyhands_worker
from manyhands import codec
for one in pkgutil.walk_packages(manyhands_worker.__path__, "manyhands_worker."):
    if not one.name.endswith("__main__"):
        importlib.import_module(one.name)
codec.decode(codec.encode_with_view([1, "a", {{"b": (2.5, {{3}})}}]))
assert not set({LIBRARIES!r}) & set(sys.modules), sorted(sys.modules)
import decimal
from manyhands.errors import NotSerialisable
try:
    codec.encode(object())
except NotSerialisable:
    pass
assert not set({LIBRARIES!r}) & set(sys.modules), sorted(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("code", [one for one in Code if one not in (Code.REGISTERED, Code.FILE, Code.DRAWING)])
def test_a_value_of_a_library_that_is_not_installed_is_refused_by_name(code: Code) -> None:
    program = f"""
import sys
for name in {(*LIBRARIES, "PIL.Image")!r}:
    sys.modules[name] = None
import msgpack
from manyhands import codec
from manyhands.errors import DamagedValue
try:
    codec.decode(msgpack.packb(msgpack.ExtType({int(code)}, msgpack.packb([]))))
except DamagedValue as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert "import of" in done.stdout, done.stderr
