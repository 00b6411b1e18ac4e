"""Tables as Arrow in their views: all rows of what browsers may see, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from manyhands import codec
from manyhands.types.arrow_views import shown_as_arrow

SECRET = "hush-hush"


def arrow_of(value: Any) -> bytes | None:
    """Give the stream in a value's view, as it is sent."""
    with shown_as_arrow():
        shown = codec.view(value)
    found: bytes | None = shown.get("arrow")
    assert repr({**shown, "arrow": found}) == repr({**codec.view(value), "arrow": found})
    return found


def read(value: Any) -> Any:
    return pa.ipc.open_stream(arrow_of(value)).read_all()


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_table_is_shown_with_all_its_rows_as_arrow_where_that_is_wanted(make: Any) -> None:
    frame = make({"a": list(range(1500)), "text": ["x", None, "z"] * 500, "_c": [1.5] * 1500})
    assert "arrow" not in codec.view(frame)
    table = read(frame)
    assert table.column_names == ["a", "text"]
    assert table.num_rows == 1500
    assert table.to_pylist()[1] == {"a": 1, "text": None}


def test_every_kind_of_column_that_arrow_has_goes_along() -> None:
    frame = pd.DataFrame({
        "category": pd.Series(["x", "y", "x"], dtype="category"),
        "nullable": pd.Series([1, None, 3], dtype="Int64"),
        "zoned": pd.date_range("2024-03-30", periods=3, tz="Europe/Berlin"),
        "lists": [[1], [], None],
        "structs": [{"x": 1}, {"x": 2}, None],
        "nan": [1.5, float("nan"), 2],
    })  # fmt: skip
    assert read(frame).column("category").to_pylist() == ["x", "y", "x"]
    assert read(frame).column("nan").null_count == 1
    assert read(pl.from_pandas(frame)).column("structs").to_pylist() == [{"x": 1}, {"x": 2}, None]
    assert read(pa.Table.from_pandas(frame).to_batches()[0]).num_columns == 6


def test_columns_go_by_the_names_in_the_view_also_where_two_are_alike() -> None:
    columns = pd.MultiIndex.from_tuples([("a", "x"), ("a", "_y"), ("b", 1)])
    assert read(pd.DataFrame([[1, 2, 3]], columns=columns)).column_names == ["a/x", "b/1"]
    assert read(pd.DataFrame([[1, 2]], columns=["a", "a"])).column_names == ["a", "a"]
    assert read(pd.DataFrame({"_a": [1]})).num_columns == 0


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": pd.Series(["x", SECRET], dtype="category")})[:1],
        pd.DataFrame({"a": ["x", SECRET], "_b": [SECRET, SECRET]})[:1],
        pa.table({"a": ["x", SECRET]}).slice(0, 1),
        pa.table({"a": pa.array(["x", SECRET]).dictionary_encode()}).slice(0, 1),
        pa.table({"a": ["x"]}).replace_schema_metadata({"by": SECRET}),
        pa.table({"a": ["x"]}, schema=pa.schema([pa.field("a", pa.string(), metadata={"by": SECRET})])),
        pl.DataFrame({"a": ["x", SECRET * 3]})[:1],
        pl.DataFrame({"a": pl.Series(["x", SECRET], dtype=pl.Categorical)})[:1],
    ],
    ids=lambda frame: type(frame).__module__,
)
def test_nothing_goes_along_that_is_not_in_the_rows(frame: Any) -> None:
    found = arrow_of(frame)
    assert found
    assert SECRET.encode() not in found


def test_text_that_shares_a_buffer_goes_along_alone_or_not_at_all() -> None:
    texts = pa.array(["x", SECRET * 3], pa.string_view())
    assert SECRET.encode() not in (arrow_of(pa.table({"a": texts}).slice(0, 1)) or b"")


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [{"x": 1, "_y": SECRET}]}),
        pd.DataFrame({"a": [[{"x": {"_y": SECRET}}]]}),
        pl.DataFrame({"a": [{"x": 1, "_y": SECRET}]}),
        pa.table({"a": [[{"x": 1, "_y": SECRET}]]}),
        pd.DataFrame({"a": [1, "text", (2,)]}),
        pd.DataFrame({"a": [2**70, 1]}),
        pd.DataFrame({"a": np.array([1j])}),
    ],
    ids=lambda frame: type(frame).__module__,
)
def test_a_table_goes_without_arrow_that_has_private_fields_or_what_arrow_has_not(frame: Any) -> None:
    assert arrow_of(frame) is None


def test_without_pyarrow_browsers_get_the_rows() -> None:
    code = """
import sys
sys.modules["pyarrow"] = None
import polars as pl
from manyhands import codec
from manyhands.types.arrow_views import shown_as_arrow
with shown_as_arrow():
    print(codec.view(pl.DataFrame({"a": [1]})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "{'columns': ['a'], 'rows': [[1]], 'length': 1}", done.stderr
