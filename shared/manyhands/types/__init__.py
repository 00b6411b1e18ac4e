"""Values of libraries that an app may use and we don't need: which of our modules knows them, and their codes.

A library is imported only when a value of it is stored or read. Each module of this package imports one library (or
one family) when it is loaded, and has `find`, which gives the extension of a value, and `BY_CODE`.
"""

from __future__ import annotations

import sys
from enum import IntEnum
from importlib import import_module
from typing import Any


class Code(IntEnum):
    """The codes of extensions, behind those of `extension_types`. They are stored for ever: never reuse one."""

    #: numpy.ndarray: [dtype, shape, order, bytes]
    ARRAY = 20
    #: A NumPy scalar: text, bytes, or the same as an array without dimensions.
    ARRAY_SCALAR = 21
    #: pandas.DataFrame: [columns, index, [column, …], attrs]
    DATA_FRAME = 22
    #: pandas.Series: [name, index, column, attrs]
    SERIES = 23
    #: pandas.Index and its kinds: [kind, …]
    INDEX = 24
    #: pandas' Timestamp, Timedelta, Period, Interval, NaT, NA: [kind, …]
    PANDAS_SCALAR = 25
    #: pyarrow.Table, pyarrow.RecordBatch: [kind, Arrow IPC stream]
    ARROW_TABLE = 26
    #: polars.DataFrame, polars.Series: [kind, Arrow IPC stream]
    POLARS = 27
    #: PIL.Image.Image: [mode, size, info, palette, form, bytes]
    IMAGE = 28
    #: A pydantic model: [module, name, fields, extra fields, names of those set, private attributes]
    MODEL = 29
    #: Of a type that the app has registered: [module, name, what its `pack` gave]
    REGISTERED = 30
    #: A file for the browser: [bytes, MIME type]
    FILE = 31
    #: A matplotlib figure as it was drawn: [bytes, MIME type, width, height, dpi]
    DRAWING = 32
    #: plotly.graph_objects.Figure: [[trace, …], layout, [frame, …], text of the grid, grid]
    PLOTLY = 33
    #: A chart of altair: dicts for its objects, by class
    ALTAIR = 34


#: By the package that a value's class comes from. The classes of pydantic models come from the app.
_MODULES = {
    "numpy": "arrays",
    "pandas": "frames",
    "pyarrow": "tables",
    "polars": "polars_frames",
    "PIL": "images",
    "matplotlib": "drawings",
    "plotly": "plotly_figures",
    "altair": "altair_charts",
}
_MODULE_OF_CODE = {
    **dict.fromkeys((Code.ARRAY, Code.ARRAY_SCALAR), "arrays"),
    **dict.fromkeys((Code.DATA_FRAME, Code.SERIES, Code.INDEX, Code.PANDAS_SCALAR), "frames"),
    Code.ARROW_TABLE: "tables",
    Code.POLARS: "polars_frames",
    Code.IMAGE: "images",
    Code.MODEL: "models",
    Code.REGISTERED: "registered",
    Code.FILE: "files",
    Code.DRAWING: "drawings",
    Code.PLOTLY: "plotly_figures",
    Code.ALTAIR: "altair_charts",
}
#: The extensions of classes that need no library, by exact class; `register_type` adds the app's.
REGISTERED: dict[type, Any] = {}


def is_public(label: object) -> bool:
    """Tell whether browsers may see a column; of one on several levels, no name may be private."""
    names = label if isinstance(label, tuple) else (label,)
    return not any(isinstance(name, str) and name.startswith("_") for name in names)


def find(value: object) -> Any:
    """Find the extension of a library's value; None where no library of ours has it."""
    name = _MODULES.get(type(value).__module__.partition(".")[0])
    if name is None:
        pydantic = sys.modules.get("pydantic")
        base = getattr(pydantic, "BaseModel", None) if pydantic else None
        if base is None or not isinstance(value, base):
            return None
        name = "models"
    return import_module(f"{__name__}.{name}").find(value)


def still(value: Any) -> Any:
    """Give what stands for a value while it is encoded: for a matplotlib figure its picture, drawn once."""
    if type(value).__module__ != "matplotlib.figure" or type(value).__name__ != "Figure":
        return value
    return import_module(f"{__name__}.drawings").draw(value)


def find_code(code: int) -> Any:
    """Find the extension of a code; None for an unknown one. Raises `ImportError` if its library is not installed."""
    name = _MODULE_OF_CODE.get(code)  # type: ignore[call-overload]
    return import_module(f"{__name__}.{name}").BY_CODE[code] if name else None
