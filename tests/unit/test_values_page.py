"""Every row of docs/values.md is true."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import polars as pl
import pyarrow as pa
import pydantic
import pytest
from matplotlib.figure import Figure
from PIL import Image

from manyhands import codec
from manyhands.types.drawings import Drawing

PAGE = Path(__file__).parents[2] / "docs" / "values.md"


class Shade(Enum):
    DARK = "dark"


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Model(pydantic.BaseModel):
    number: int


CLASSES = (date, datetime, time, timedelta, Decimal, UUID, ZoneInfo, Shade, Point, Model)
NAMES = {one.__name__: one for one in CLASSES} | {"np": np, "pd": pd, "pl": pl, "pa": pa, "Image": Image}
NAMES |= {"Figure": Figure, "go": go, "alt": alt}
ROWS = re.findall(r"^\| `(.*?)`(?: \(.*?\))? \| `(.*?)`(?:, .*?)? \|$", PAGE.read_text("utf-8"), re.MULTILINE)


def test_all_rows_are_found() -> None:
    section = PAGE.read_text("utf-8").partition("## What browsers get")[2].partition("\n## ")[0]
    assert len(ROWS) == len(re.findall(r"^\| `", section, re.MULTILINE)) > 30


@pytest.mark.parametrize(("expression", "shown"), ROWS, ids=[row[0] for row in ROWS])
def test_a_browser_gets_what_the_page_says(expression: str, shown: str) -> None:
    value: Any = eval(expression, dict(NAMES))
    beginning, cut, _ = shown.partition("…")
    seen = json.dumps(codec.jsonable(codec.view(value)))
    assert seen.startswith(beginning) if cut else seen == shown
    assert type(codec.decode(codec.encode_with_view(value))) is (Drawing if type(value) is Figure else type(value))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_private_column_is_stored_and_not_shown(make: Any) -> None:
    value = make({"a": [1, 2], "_b": [3, 4]})
    assert codec.view(value) == {"columns": ["a"], "rows": [[1], [2]], "length": 2}
    assert codec.view(make({"_b": [3, 4]})) == {"columns": [], "rows": [[], []], "length": 2}
    assert codec.decode(codec.encode_with_view(value)).shape == (2, 2)


def test_a_column_is_private_if_its_name_is_on_any_level() -> None:
    columns = pd.MultiIndex.from_tuples([("a", "x"), ("a", "_y"), ("_b", "x")])
    assert codec.view(pd.DataFrame([[1, 2, 3]], columns=columns)) == {"columns": ["a/x"], "rows": [[1]], "length": 1}


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_browser_gets_a_thousand_rows_and_how_many_there_are(make: Any) -> None:
    shown = codec.view(make({"a": list(range(1500))}))
    assert shown["rows"] == [[number] for number in range(1000)]
    assert shown["length"] == 1500
