"""Pages of tables: cut out, sorted, and nothing that browsers may not see."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import manyhands as mh
from manyhands import codec
from manyhands.errors import AppError

MAKERS = [pd.DataFrame, pl.DataFrame, pa.table]
each_library = pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__module__)


@each_library
def test_a_page_has_its_rows_and_says_how_many_there_are(make: Any) -> None:
    table = make({"a": list(range(120)), "_b": [1] * 120})
    page = mh.table_page(table, 1, size=50)
    assert page == {
        "columns": ["a"], "types": ["number"], "rows": [[number] for number in range(50, 100)], "length": 120,
        "page": 1, "pages": 3, "size": 50, "sort": None, "descending": False,
    }  # fmt: skip
    assert len(mh.table_page(table, 2)["rows"]) == 20


@each_library
def test_a_page_behind_the_last_is_the_last_also_of_an_empty_table(make: Any) -> None:
    assert mh.table_page(make({"a": [1, 2, 3]}), 9, size=2)["rows"] == [[3]]
    empty = mh.table_page(make({"a": [1]})[:0], 9)
    assert (empty["columns"], empty["rows"], empty["page"], empty["pages"]) == (["a"], [], 0, 1)


@each_library
def test_a_page_is_of_the_whole_table_sorted_with_what_is_missing_last(make: Any) -> None:
    table = make({"name": ["c", None, "a", "b"], "n": [1, 2, 3, 4]})
    assert [row[0] for row in mh.table_page(table, size=2, sort="name")["rows"]] == ["a", "b"]
    assert codec.jsonable([row[0] for row in mh.table_page(table, 1, size=2, sort="name")["rows"]]) == ["c", None]
    assert [row[1] for row in mh.table_page(table, sort="name", descending=True)["rows"]] == [1, 4, 3, 2]


@each_library
def test_a_page_says_how_it_is_sorted_and_what_its_columns_hold(make: Any) -> None:
    held = {"n": [1.5], "yes": [True], "at": [datetime(2024, 2, 29)], "text": ["x"], "many": [[1]], "_b": [1]}
    page = mh.table_page(make(held), size=10, sort="n", descending=True)
    assert page["types"] == ["number", "bool", "date", "text", "text"]
    assert (page["size"], page["sort"], page["descending"]) == (10, "n", True)


@each_library
def test_what_is_no_number_comes_last_in_either_order(make: Any) -> None:
    table = make({"n": [1.0, math.nan, 2.0]})
    pages = [mh.table_page(table, sort="n", descending=descending) for descending in (False, True)]
    assert [[row[0] for row in page["rows"][:2]] for page in pages] == [[1.0, 2.0], [2.0, 1.0]]


def test_names_of_columns_that_look_like_patterns_mean_no_others() -> None:
    frame = pl.DataFrame({"^.*$": [2, 1], "*": [3, 4], "_secret": [5, 6]})
    page = mh.table_page(frame, sort="^.*$")
    assert (page["columns"], page["rows"]) == (["^.*$", "*"], [[1, 4], [2, 3]])


def test_categories_of_arrow_are_sorted_by_what_they_say() -> None:
    table = pa.table({"a": pa.array(["b", "c", "a"]).dictionary_encode()})
    assert mh.table_page(table, sort="a")["rows"] == [["a"], ["b"], ["c"]]


@settings(deadline=None)
@given(st.sampled_from(MAKERS), st.lists(st.integers(0, 9), max_size=30), st.integers(1, 7))
def test_the_pages_together_are_the_table_and_equal_ones_keep_their_order(
    make: Any, numbers: list[int], size: int
) -> None:
    table = make({"key": pd.Series(numbers, dtype="int64").tolist() or [], "at": list(range(len(numbers)))})
    first = mh.table_page(table, size=size, sort="key")
    rows = [row for page in range(first["pages"]) for row in mh.table_page(table, page, size=size, sort="key")["rows"]]
    assert rows == sorted(([key, at] for at, key in enumerate(numbers)), key=lambda row: row[0])


def test_columns_on_several_levels_go_by_the_names_that_browsers_see() -> None:
    columns = pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])
    frame = pd.DataFrame([[1, 2], [3, 0]], columns=columns, index=[7, 7])
    assert mh.table_page(frame, sort="a/2")["rows"] == [[3, 0], [1, 2]]


@each_library
def test_a_page_is_not_sorted_by_a_column_that_browsers_do_not_see(make: Any) -> None:
    with pytest.raises(AppError, match=r"got the column '_b'; expected one of 'a'$"):
        mh.table_page(make({"a": [1], "_b": [2]}), sort="_b")


@pytest.mark.parametrize(
    ("table", "arguments", "says"),
    [
        ([1], {}, "got a list; expected a DataFrame or an Arrow table"),
        (pd.Series([1]), {}, "got a Series; expected"),
        (pl.DataFrame(), {"page": -1}, "got the page -1; expected a whole number, at least 0"),
        (pl.DataFrame(), {"page": "1"}, "got the page '1'"),
        (pl.DataFrame(), {"size": 5000}, "got the size 5000; expected a whole number, from 1 to 1000"),
        (pl.DataFrame(), {"size": True}, "got the size True"),
        (pl.DataFrame({"a": [1]}), {"sort": ["a"]}, "got the column"),
        (pd.DataFrame({"a": [1, "x"]}), {"sort": "a"}, "can't sort by the column 'a': "),
        (pa.table({"a": [[1], [2]]}), {"sort": "a"}, "can't sort by the column 'a': "),
        (pa.table({"a": [{"x": 1}]}), {"sort": "a"}, "can't sort by the column 'a': "),
        (pl.DataFrame({"a": pl.Series([...], dtype=pl.Object)}), {"sort": "a"}, "can't sort by the column 'a': "),
    ],
    ids=repr,
)
def test_what_is_no_page_of_a_table_is_refused_by_name(table: Any, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(AppError) as caught:
        mh.table_page(table, **arguments)
    assert says in str(caught.value)
