"""Tables as Arrow IPC streams in their views, for sessions of which a browser has asked for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

from manyhands.wire import Key

#: Whether views that this thread makes are for a session that wants Arrow.
_WANTED = ContextVar("wants_arrow", default=False)
#: As IPC streams these hold all that the table they were cut from holds, and few browsers can read them.
_PLAIN_TYPES = {"string_view": "string", "binary_view": "binary"}


@contextmanager
def shown_as_arrow() -> Iterator[None]:
    """Let the views that are made meanwhile hold tables as Arrow too."""
    token = _WANTED.set(True)
    try:
        yield
    finally:
        _WANTED.reset(token)


def add_arrow(shown: dict[str, Any], make_columns: Callable[[Any], list[Any]]) -> dict[str, Any]:
    """Add a table's Arrow IPC stream to its view, where it is wanted and Arrow has all of the columns.

    `make_columns` gives the whole public columns, called with `pyarrow`; they go by the names of the view.
    """
    if _WANTED.get():
        try:
            tables = import_module("manyhands.types.tables")
            columns = [_public(tables.pa, column) for column in make_columns(tables.pa)]
            shown[Key.ARROW] = tables.write_ipc(tables.pa.table(columns, names=shown["columns"]))
        except (ImportError, TypeError, ValueError, ArithmeticError, NotImplementedError):
            # Without pyarrow, or with values that Arrow does not know: the rows are there.
            pass
    return shown


def _public(pa: Any, column: Any) -> Any:
    """Rid a column of what browsers may not see: what it was cut from, and other rows' categories."""
    kind = column.type
    if pa.types.is_nested(kind):
        _check_nested(pa, kind)
    is_dictionary, plain = pa.types.is_dictionary(kind), _PLAIN_TYPES.get(str(kind))
    if is_dictionary or plain:
        column = column.cast(plain or kind.value_type)
    chunks = [column] if isinstance(column, pa.Array) else column.chunks
    # Joined with nothing, for that copies what is there; a slice would bring along what it was cut from.
    joined = pa.concat_arrays([*chunks, pa.array([], column.type)])
    return joined.dictionary_encode() if is_dictionary else joined


def _check_nested(pa: Any, kind: Any) -> None:
    """Raise `ValueError` for a type with fields that stay in the back end, or with something to be rid of within."""
    for place in range(kind.num_fields):
        one = kind.field(place)
        if one.name.startswith("_") or pa.types.is_dictionary(one.type) or str(one.type) in _PLAIN_TYPES:
            raise ValueError(f"a column with a field {one}")
        _check_nested(pa, one.type)
