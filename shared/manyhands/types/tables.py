"""pyarrow: tables and record batches as Arrow IPC streams."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from packaging.version import Version

from manyhands.errors import DamagedValue
from manyhands.extension_types import Extension
from manyhands.types import Code, is_public
from manyhands.types.arrow_views import add_arrow

pa: Any = import_module("pyarrow")
import_module("pyarrow.ipc")

#: Older versions run code that an IPC stream brings along (CVE-2023-47248).
_SAFE = "14.0.1"
#: Rows of a table that browsers get.
MOST_ROWS = 1000


def write_ipc(table: Any) -> bytes:
    """Encode a table."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    written: bytes = sink.getvalue().to_pybytes()
    return written


def read_ipc(data: bytes) -> Any:
    """Decode a table, and check every offset in it, so that a damaged one can't end the process later."""
    if Version(pa.__version__) < Version(_SAFE):
        raise DamagedValue(f"pyarrow {pa.__version__} can't be trusted with stored data; install {_SAFE} or later")
    table = pa.ipc.open_stream(pa.py_buffer(data)).read_all()
    table.validate(full=True)
    return table


def _pack(value: Any) -> object:
    is_batch = isinstance(value, pa.RecordBatch)
    return ["batch" if is_batch else "table", write_ipc(pa.Table.from_batches([value]) if is_batch else value)]


def _unpack(packed: Any) -> Any:
    kind, data = packed
    table = read_ipc(data)
    if kind != "batch":
        return table
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _view(value: Any) -> object:
    public = [place for place, name in enumerate(value.schema.names) if is_public(name)]
    columns = [value.column(place).slice(0, MOST_ROWS).to_pylist() for place in public]
    rows = [list(row) for row in zip(*columns, strict=True)] if public else [[]] * min(value.num_rows, MOST_ROWS)
    shown = {"columns": [value.schema.names[place] for place in public], "rows": rows, "length": value.num_rows}
    return add_arrow(shown, lambda _: [value.column(place) for place in public])


TABLE = Extension(Code.ARROW_TABLE, _pack, _unpack, _view)
BY_CODE = {TABLE.code: TABLE}


def find(value: object) -> Extension | None:
    """Find the extension of a value; None for what is neither a table nor a record batch."""
    return TABLE if type(value) in (pa.Table, pa.RecordBatch) else None
