"""pandas: frames, series, indexes of every kind, and the scalars that they hold."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from manyhands import codec
from manyhands.errors import DamagedValue, NotSerialisable
from manyhands.extension_types import Extension, join_packed, pack_item, pack_zone, unpack_zone
from manyhands.types import Code, is_public
from manyhands.types.arrow_views import add_arrow
from manyhands.types.columns import pack_labelled, unpack_column, view_column

pd: Any = import_module("pandas")

#: Rows of a frame that browsers get.
MOST_ROWS = 1000


def _pack_frame(frame: Any) -> object:
    columns = [pack_labelled(frame.iloc[:, place], f"a DataFrame whose column {label!r}")
               for place, label in enumerate(frame.columns)]  # fmt: skip
    codec.check_value(frame.attrs, ())
    return join_packed(pack_item(frame.columns), pack_item(frame.index), join_packed(*columns), pack_item(frame.attrs))


def _unpack_frame(packed: Any) -> Any:
    labels, index, columns, attrs = packed
    arrays = [unpack_column(one) for one in columns]
    if len(labels) != len(arrays) or any(len(one) != len(index) for one in arrays):
        raise DamagedValue("a DataFrame whose columns are not as long as its index")
    series = [pd.Series(one, index=index, dtype=one.dtype) for one in arrays]
    frame = pd.DataFrame(dict(enumerate(series)), index=index)
    frame.columns = labels
    frame.attrs = attrs
    return frame


def show_label(label: Any) -> str:
    """Give the text by which browsers know a column."""
    return "/".join(map(str, label)) if isinstance(label, tuple) else str(label)


def _view_frame(frame: Any) -> object:
    head = frame.head(MOST_ROWS)
    public = [place for place, label in enumerate(frame.columns) if is_public(label)]
    columns = [view_column(head.iloc[:, place].array) for place in public]
    rows = [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(len(head))]
    labels = [show_label(label) for label in frame.columns[public]]
    shown = {"columns": labels, "rows": rows, "length": len(frame)}
    return add_arrow(shown, lambda pa: [pa.array(frame.iloc[:, place], from_pandas=True) for place in public])


def _pack_series(series: Any) -> object:
    codec.check_value(series.attrs, ())
    column = pack_labelled(series, "a Series that")
    return join_packed(pack_item(series.name), pack_item(series.index), column, pack_item(series.attrs))


def _unpack_series(packed: Any) -> Any:
    name, index, column, attrs = packed
    array = unpack_column(column)
    if len(array) != len(index):
        raise DamagedValue("a Series that is not as long as its index")
    # Its dtype is named, since text among objects would be taken for a column of text.
    series = pd.Series(array, index=index, name=name, dtype=array.dtype)
    series.attrs = attrs
    return series


def _pack_index(index: Any) -> object:
    if isinstance(index, pd.RangeIndex):
        return ["range", index.name, index.start, index.stop, index.step]
    if isinstance(index, pd.MultiIndex):
        return ["multi", list(index.names), list(index.levels), [codes.copy() for codes in index.codes]]
    freq = index.freqstr if isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)) and index.freq else None
    column = pack_labelled(index, f"a {type(index).__name__} that")
    return join_packed(pack_item("values"), pack_item(index.name), column, pack_item(freq))


def _unpack_index(packed: Any) -> Any:
    match packed:
        case ["range", name, start, stop, step]:
            return pd.RangeIndex(start, stop, step, name=name)
        case ["multi", names, levels, codes]:
            return pd.MultiIndex(levels, codes, names=names)
        case ["values", name, column, freq]:
            array = unpack_column(column)
            index = pd.Index(array, dtype=array.dtype, name=name, copy=False)
            if freq:
                index.freq = freq
            return index
    raise DamagedValue("an Index of no known kind")


def _view_index(index: Any) -> object:
    # Its length is a number of its own: nothing holds a RangeIndex to what is there.
    if len(index) > _MOST_LABELS and isinstance(index, pd.RangeIndex):
        cure = f"browsers get it as a list of at most {_MOST_LABELS} numbers; store its start and stop"
        raise NotSerialisable((), f"a RangeIndex of {len(index)} numbers", cure)
    return index.tolist() if isinstance(index, pd.MultiIndex) else view_column(index.array)


#: Numbers of a RangeIndex that a browser gets.
_MOST_LABELS = 1_000_000


def _pack_zone(zone: Any) -> object:
    # Those of pytz, which pandas 2 uses where a zone is named, are as pandas makes them of their names.
    name = getattr(zone, "zone", None)
    return ["named", name] if isinstance(name, str) else pack_zone(zone)


def _unpack_zone(packed: Any) -> Any:
    match packed:
        case ["named", str(name)]:
            return name
    return unpack_zone(packed)


def _pack_scalar(value: Any) -> object:
    if value is pd.NA or value is pd.NaT:
        return ["NA" if value is pd.NA else "NaT"]
    match value:
        case pd.Timestamp():
            return ["timestamp", value.asm8, _pack_zone(value.tzinfo)]
        case pd.Timedelta():
            return ["timedelta", value.asm8]
        case pd.Period():
            return ["period", value.ordinal, value.freqstr]
    return ["interval", value.left, value.right, value.closed]


def _unpack_scalar(packed: Any) -> Any:
    match packed:
        case ["NA"]:
            return pd.NA
        case ["NaT"]:
            return pd.NaT
        case ["timestamp", moment, zone]:
            stamp = pd.Timestamp(moment)
            return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(_unpack_zone(zone))
        case ["timedelta", length]:
            return pd.Timedelta(length)
        case ["period", ordinal, freq]:
            return pd.Period(ordinal=ordinal, freq=freq)
        case ["interval", left, right, closed]:
            return pd.Interval(left, right, closed=closed)
    raise DamagedValue("a value of pandas of no known kind")


def _view_scalar(value: Any) -> object:
    if value is pd.NA or value is pd.NaT:
        return None
    match value:
        case pd.Timestamp():
            return value.isoformat()
        case pd.Timedelta():
            # `total_seconds` of pandas 2 leaves out the nanoseconds.
            return value / _SECOND
    return str(value)


_SECOND = pd.Timedelta(1, "s")

FRAME = Extension(Code.DATA_FRAME, _pack_frame, _unpack_frame, _view_frame)
SERIES = Extension(Code.SERIES, _pack_series, _unpack_series, lambda series: view_column(series.array))
INDEX = Extension(Code.INDEX, _pack_index, _unpack_index, _view_index)
SCALAR = Extension(Code.PANDAS_SCALAR, _pack_scalar, _unpack_scalar, _view_scalar)
BY_CODE = {one.code: one for one in (FRAME, SERIES, INDEX, SCALAR)}


def find(value: object) -> Extension | None:
    """Find the extension of a value; None for what is rather an expression, such as a GroupBy."""
    if type(value) is pd.DataFrame:
        return FRAME
    if type(value) is pd.Series:
        return SERIES
    if isinstance(value, pd.Index):
        return INDEX
    if value is pd.NA or value is pd.NaT:
        return SCALAR
    return SCALAR if isinstance(value, (pd.Timestamp, pd.Timedelta, pd.Period, pd.Interval)) else None
