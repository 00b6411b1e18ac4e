"""An app of values: each that docs/values.md shows is made by one worker, and compared in another."""

import dataclasses
import os
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import polars as pl
import polars.testing
import pyarrow as pa
import pydantic
from matplotlib.figure import Figure
from PIL import Image

import manyhands as mh

mh.init_state({"alone": {}, "within": {}})

_PAGE = Path(__file__).parents[3] / "docs" / "values.md"
_ROWS = re.findall(r"^\| `(.*?)`(?: \(.*?\))? \| `.*?`(?:, .*?)? \|$", _PAGE.read_text("utf-8"), re.MULTILINE)


class Shade(Enum):
    DARK = "dark"


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Model(pydantic.BaseModel):
    number: int


_NAMES = {
    one.__name__: one for one in (date, datetime, time, timedelta, Decimal, UUID, ZoneInfo, Shade, Point, Model, Figure)
} | {"np": np, "pd": pd, "pl": pl, "pa": pa, "go": go, "alt": alt, "Image": Image}


def _make(expression):
    return eval(expression, dict(_NAMES))


def write(state):
    """Assign every value twice: alone, and deep within others."""
    for expression in _ROWS:
        state["alone"][expression] = _make(expression)
        state["within"][expression] = [{"deep": (_make(expression), 1)}, {"_hidden": _make(expression)}]
    state["frame"] = pd.DataFrame({"a": range(5000), "text": "x", "_b": 1})
    state["small"] = state["frame"].head(3)
    state["wide"] = pd.DataFrame({f"column {number}": range(1500) for number in range(50)})
    return os.getpid()


def compare(state):
    """Tell which of them are not what they were."""
    differing = []
    for expression in _ROWS:
        value = _make(expression)
        [within, hidden] = state["within"][expression]
        found = (state["alone"][expression], within["deep"][0], hidden["_hidden"])
        differing += [expression for one in found if not _same(one, value)]
    return {"pid": os.getpid(), "rows": len(_ROWS), "differing": differing}


def read(state, payload):
    return str(type(state[payload]))


def assign_again(state):
    """Assign what was read."""
    for expression in _ROWS:
        state["alone"][expression] = state["alone"][expression]


def _same(one, other):
    if isinstance(other, Figure):
        return one.mime_type == "image/png" and one.data.startswith(b"\x89PNG")
    if isinstance(one, mh.State):
        one = one.to_dict()
    if type(one) is not type(other):
        return False
    match other:
        case np.ndarray():
            return one.dtype == other.dtype and one.shape == other.shape and repr(one.tolist()) == repr(other.tolist())
        case pd.DataFrame():
            pd.testing.assert_frame_equal(one, other)
        case pd.Series():
            pd.testing.assert_series_equal(one, other)
        case pd.Index():
            pd.testing.assert_index_equal(one, other, exact=True)
        case pl.DataFrame():
            polars.testing.assert_frame_equal(one, other)
        case pl.Series():
            polars.testing.assert_series_equal(one, other)
        case pa.Table():
            return one.equals(other, check_metadata=True)
        case float():
            return repr(one) == repr(other)
        case _:
            return one is other or one == other
    return True
