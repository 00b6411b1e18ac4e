"""Sizes: what one value of each type takes in Redis, with its view for browsers, beside what pickle would make of it.

    python benchmarks/value_sizes.py [--write docs]

Nothing is started: sizes don't depend on the machine. Pickle is measured here alone; manyhands never uses it.
"""

from __future__ import annotations

import argparse
import json
import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import polars as pl
import pydantic
from figures import draw_all
from matplotlib.figure import Figure
from PIL import Image
from scaling import machine

from manyhands import codec

#: Rows of frames and points of figures.
ROWS = 10_000


class Shade(Enum):
    DARK = "dark"


@dataclass
class Point:
    x: int
    y: int


class Model(pydantic.BaseModel):
    name: str
    points: list[dict[str, int]]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="DIR", help="write numbers and the table there")
    arguments = parser.parse_args()
    points = [measure(name, value) for name, value in examples().items()]
    for point in points:
        print(f"{point['value']:55} {point['pickled']:>9,} {point['stored']:>9,} {point['view']:>9,}")
    if arguments.write:
        found = {"command": "python benchmarks/value_sizes.py", "machine": machine(), "points": points}
        file = arguments.write / "performance" / "values.json"
        file.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        draw_all(arguments.write)


def measure(name: str, value: object) -> dict[str, Any]:
    """Give the bytes of a value: pickled, stored, and those of its view, 0 where that is the value itself."""
    field = codec.encode_with_view(value)
    stored = len(codec.value_part(field))
    return {
        "value": name,
        "pickled": len(pickle.dumps(value, protocol=5)),
        "stored": stored,
        "view": 0 if len(field) == stored else len(codec.view_part(field)),
    }


def examples() -> Mapping[str, object]:
    """Make a value of each type, of a size as apps have it."""
    numbers = np.random.default_rng(1)
    columns = {
        "number": np.arange(ROWS),
        "amount": numbers.normal(100, 10, ROWS).round(2),
        "city": numbers.choice(["Berlin", "Bern", "Wien"], ROWS),
    }
    frame = pd.DataFrame(columns)
    waves = (np.sin(np.add.outer(np.arange(480) / 60, np.arange(640) / 80)) * 127 + 128).astype("uint8")
    return {
        "`int`": 42,
        "`int` of 100 digits": 10**99,
        "`str` of 100 characters": "x" * 100,
        "`bytes`, 1 MB": bytes(10**6),
        "`list` of 1,000 ints": list(range(1000)),
        "`dict` of 100 floats": {f"key {number}": number / 7 for number in range(100)},
        "`tuple` of 1,000 ints": tuple(range(1000)),
        "`set` of 1,000 ints": set(range(1000)),
        "`datetime`, aware": datetime(2024, 2, 29, 12, tzinfo=UTC),
        "`date`": date(2024, 2, 29),
        "`timedelta`": timedelta(seconds=90),
        "`Decimal`": Decimal("1234.50"),
        "`UUID`": UUID(int=2**127),
        "an Enum's member": Shade.DARK,
        "a dataclass of two ints": Point(1, 2),
        "a pydantic model of 100 points": Model(name="points", points=[{"x": 1, "y": 2}] * 100),
        "NumPy scalar": np.float32(1.5),
        "NumPy array, 100,000 `float64`": numbers.normal(size=100_000),
        "NumPy array, 480 × 640 `uint8`": waves,
        "pandas DataFrame, 10,000 × 3": frame,
        "the same, text as categories": frame.astype({"city": "category"}),
        "pandas Series, 10,000 `float64`": frame["amount"],
        "polars DataFrame, 10,000 × 3": pl.from_pandas(frame),
        "pyarrow Table, 10,000 × 3": pl.from_pandas(frame).to_arrow(),
        "PIL image, 640 × 480 `L`": Image.fromarray(waves),
        "matplotlib figure, a line of 1,000 points": drawn(),
        "plotly figure, a line of 1,000 points": go.Figure(go.Scatter(x=np.arange(1000), y=np.sin(np.arange(1000)))),
        "altair chart, a frame of 1,000 rows": alt.Chart(frame.head(1000)).mark_line().encode(x="number", y="amount"),
    }


def drawn() -> Any:
    """Make a figure of matplotlib."""
    figure = Figure()
    figure.add_subplot().plot([math.sin(number / 100) for number in range(1000)])
    return figure


if __name__ == "__main__":
    main()
