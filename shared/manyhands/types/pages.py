"""Pages of large tables: one is cut out by the handler, sorted, and only that is assigned and sent."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from manyhands import codec
from manyhands.errors import AppError
from manyhands.types import is_public

#: Rows of a page: no table shows more of its rows to browsers.
MOST_ROWS = 1000
_KINDS = {"pandas": ["DataFrame"], "polars": ["DataFrame"], "pyarrow": ["Table", "RecordBatch"]}


def table_page(
    table: Any, page: int = 0, *, size: int = 50, sort: str | None = None, descending: bool = False
) -> dict[str, Any]:
    """Cut a page out of a DataFrame of pandas or polars or a table of pyarrow, as plain data that browsers get.

    It is `{"columns", "types", "rows", "length", "page", "pages", "size", "sort", "descending"}`, a type for each
    column: `number`, `bool`, `date` (with or without a time), `time` or `text`. Pages count from 0; one behind the last
    is the last. `sort` names a column as browsers know it, so that all of these may come from them; what is missing
    comes last. Raises `AppError` for what is no table, no column that browsers see, or can't be sorted.
    """
    library = type(table).__module__.partition(".")[0].lstrip("_")
    if type(table).__name__ not in _KINDS.get(library, []):
        raise AppError(f"table_page got a {type(table).__name__}; expected a DataFrame or an Arrow table")
    page, size = _whole("page", page, 0, None), _whole("size", size, 1, MOST_ROWS)
    length: int = table.num_rows if library == "pyarrow" else len(table)
    pages = max(1, -(-length // size))
    page = min(page, pages - 1)
    descending = bool(descending)
    place = _place(table, library, sort)
    try:
        cut = _CUTS[library](table, place, descending, page * size, min(size, length - page * size))
    # Those of polars have no base in common with others.
    except Exception as error:
        if place is None:
            raise
        raise AppError(f"table_page can't sort by the column {sort!r}: {error}") from error
    shown: dict[str, Any] = codec.view(cut)
    return {
        "columns": shown["columns"], "types": _types(table, library), "rows": shown["rows"], "length": length,
        "page": page, "pages": pages, "size": size, "sort": sort, "descending": descending,
    }  # fmt: skip


def _whole(name: str, value: object, least: int, most: int | None) -> int:
    if type(value) is not int or value < least or (most is not None and value > most):
        limit = f"at least {least}" if most is None else f"from {least} to {most}"
        raise AppError(f"table_page got the {name} {value!r}; expected a whole number, {limit}")
    return value


def _place(table: Any, library: str, sort: object) -> int | None:
    """Find the column to sort by among all, which browsers must not choose by what they don't see."""
    if sort is None:
        return None
    labels = list(table.schema.names if library == "pyarrow" else table.columns)
    show = import_module("manyhands.types.frames").show_label if library == "pandas" else str
    # Of columns with one name the first.
    places = reversed(list(enumerate(labels)))
    names: dict[str, int] = {show(label): place for place, label in places if is_public(label)}
    if not isinstance(sort, str) or sort not in names:
        raise AppError(f"table_page got the column {sort!r}; expected one of {', '.join(map(repr, sorted(names)))}")
    return names[sort]


def _types(table: Any, library: str) -> list[str]:
    """Name what is in the columns that browsers see, by what each library calls it."""
    if library == "pyarrow":
        columns = [(field.name, field.type) for field in table.schema]
    else:
        columns = list(zip(table.columns, table.dtypes, strict=True))
    return [_type(str(dtype)) for label, dtype in columns if is_public(label)]


def _type(dtype: str) -> str:
    name = dtype.lower()
    # First what is made of others: lists, structs, dictionaries, intervals.
    if not re.match(r"(list|struct|array|map|dictionary|large_list|fixed_size_list|interval)", name):
        for kind, begins in _TYPES.items():
            if name.startswith(begins):
                return kind
    return "text"


#: The beginnings of dtypes' names. A length of time is shown as its seconds.
_TYPES = {
    "number": ("int", "uint", "float", "double", "halffloat", "decimal", "duration", "timedelta"),
    "bool": ("bool",),
    "date": ("date", "timestamp"),
    "time": ("time",),
}


def _cut_pandas(frame: Any, place: int | None, descending: bool, start: int, size: int) -> Any:
    if place is None:
        return frame.iloc[start : start + size]
    column = frame.iloc[:, place].reset_index(drop=True)
    order = column.sort_values(ascending=not descending, kind="stable", na_position="last").index
    return frame.iloc[order[start : start + size]]


def _cut_polars(frame: Any, place: int | None, descending: bool, start: int, size: int) -> Any:
    if place is None:
        return frame.slice(start, size)
    column = frame.to_series(place)
    if column.dtype.is_float():
        # Else it would count as the largest number.
        column = column.fill_nan(None)
    # Apart from the frame, where a name that looks like a pattern would mean others.
    order = column.alias("by").to_frame().with_row_index("at").sort(
        "by", descending=descending, nulls_last=True, maintain_order=True
    )  # fmt: skip
    return frame[order["at"].slice(start, size)]


def _cut_arrow(table: Any, place: int | None, descending: bool, start: int, size: int) -> Any:
    if place is None:
        return table.slice(start, size)
    order = "descending" if descending else "ascending"
    sorting: Any = import_module("pyarrow.compute")
    column = table.column(place)
    if hasattr(column.type, "value_type") and str(column.type).startswith("dictionary"):
        column = column.cast(column.type.value_type)
    rows = sorting.sort_indices(column, sort_keys=[("", order)])
    return table.take(rows.slice(start, size))


_CUTS = {"pandas": _cut_pandas, "polars": _cut_polars, "pyarrow": _cut_arrow}
