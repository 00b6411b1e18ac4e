"""polars: frames and series as the Arrow IPC streams that polars writes, which know all of its dtypes."""

from __future__ import annotations

from importlib import import_module
from io import BytesIO
from typing import Any

from manyhands.errors import DamagedValue, NotSerialisable
from manyhands.extension_types import Extension
from manyhands.types import Code, is_public
from manyhands.types.arrow_views import add_arrow

pl: Any = import_module("polars")
_errors: Any = import_module("polars.exceptions")

#: Rows of a frame that browsers get.
MOST_ROWS = 1000


def _pack(value: Any) -> object:
    is_series = isinstance(value, pl.Series)
    frame = value.to_frame() if is_series else value
    opaque = [name for name, dtype in frame.schema.items() if _holds_objects(dtype)]
    if opaque:
        cure = "Arrow has no such column; use a column of numbers, text, times, lists or structs"
        raise NotSerialisable((), f"a polars {type(value).__name__} whose column {opaque[0]!r} is of Object", cure)
    written = BytesIO()
    frame.write_ipc_stream(written)
    return ["series" if is_series else "frame", written.getvalue()]


def _holds_objects(dtype: Any) -> bool:
    inner = [field.dtype for field in getattr(dtype, "fields", ())]
    if getattr(dtype, "inner", None) is not None:
        inner.append(dtype.inner)
    return dtype == pl.Object or any(map(_holds_objects, inner))


def _unpack(packed: Any) -> Any:
    kind, data = packed
    try:
        frame = pl.read_ipc_stream(BytesIO(data))
    except _errors.PanicException as error:
        # No `Exception`: it would pass by all who catch those.
        raise DamagedValue(f"polars can't read it: {error}") from error
    return frame.to_series() if kind == "series" else frame


def _view(value: Any) -> object:
    try:
        if isinstance(value, pl.Series):
            return value.to_list()
        # By their places, as `*` or what looks like a pattern would name other columns too.
        public = value[:, [place for place, name in enumerate(value.columns) if is_public(name)]]
        shown = public.head(MOST_ROWS)
        rows = [list(row) for row in shown.rows()] if shown.width else [[]] * min(value.height, MOST_ROWS)
        as_view = {"columns": shown.columns, "rows": rows, "length": value.height}
        return add_arrow(as_view, lambda _: _whole_columns(public))
    except _errors.PanicException as error:
        cure = f"polars can't turn it into Python's values ({error})"
        raise NotSerialisable((), f"a polars {type(value).__name__}", cure) from error


def _whole_columns(frame: Any) -> Any:
    # As today's polars would have it, text is of a type that few browsers read.
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest()).columns


POLARS = Extension(Code.POLARS, _pack, _unpack, _view)
BY_CODE = {POLARS.code: POLARS}


def find(value: object) -> Extension | None:
    """Find the extension of a value; None for a LazyFrame and the like."""
    return POLARS if type(value) in (pl.DataFrame, pl.Series) else None
