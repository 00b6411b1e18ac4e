"""The columns of pandas: what NumPy holds as its bytes, objects one by one, categories apart, the rest by Arrow."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from manyhands import codec
from manyhands.errors import DamagedValue, NotSerialisable
from manyhands.extension_types import pack_item
from manyhands.types.arrays import view_array

np: Any = import_module("numpy")
pd: Any = import_module("pandas")


def pack_labelled(values: Any, what: str) -> bytes:
    """Encode a Series' or an Index's values. Raises `NotSerialisable`, which begins with `what` holds them."""
    try:
        packed: bytes = pack_item(_pack_column(values.array))
    except NotSerialisable as error:
        raise NotSerialisable((), f"{what} holds {error.kind}", error.cure) from error
    return packed


def _pack_column(array: Any) -> object:
    dtype = array.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return ["categories", array.codes.copy(), dtype.categories, dtype.ordered]
    if (plain := _of_numpy(array)) is None:
        return _pack_by_arrow(array)
    if plain.dtype != object:
        return ["numpy", plain]
    items = plain.tolist()
    codec.check_value(items, ())
    return ["objects", items]


def _of_numpy(array: Any) -> Any:
    """Give what is behind an array that pandas has only wrapped; None for the kinds that are its own."""
    # Not of its subclasses: one of them holds text.
    wrapped = type(array) is pd.arrays.NumpyExtensionArray or isinstance(array.dtype, np.dtype)
    return array.to_numpy() if wrapped else None


def _pack_by_arrow(array: Any) -> object:
    dtype = array.dtype
    try:
        tables = import_module("manyhands.types.tables")
        described = _describe(dtype)
        data = tables.write_ipc(tables.pa.table({"": tables.pa.array(array)}))
    except ImportError as error:
        raise NotSerialisable((), f"values of dtype {dtype}", "install pyarrow, which is needed for them") from error
    except NotSerialisable:
        raise
    except Exception as error:
        cure = f"Arrow has no such values ({error}); use `.astype(…)` or `.tolist()`"
        raise NotSerialisable((), f"values of dtype {dtype}", cure) from error
    return ["arrow", described, data]


def _describe(dtype: Any) -> object:
    if isinstance(dtype, pd.ArrowDtype):
        return None
    if isinstance(dtype, pd.StringDtype):
        # Those of pandas 2 lack the one, or have another name for the other.
        return [dtype.storage, isinstance(dtype.na_value, float)]
    name = str(dtype)
    if not hasattr(dtype, "__from_arrow__") or pd.api.types.pandas_dtype(name) != dtype:
        raise NotSerialisable((), f"values of dtype {dtype}", "use `.astype(…)` or `.tolist()`")
    return name


def _find_dtype(described: Any, arrow_type: Any) -> Any:
    if described is None:
        return pd.ArrowDtype(arrow_type)
    if isinstance(described, list):
        storage, with_nan = described
        return pd.StringDtype(storage, na_value=np.nan) if with_nan else pd.StringDtype(storage)
    dtype = pd.api.types.pandas_dtype(described)
    if not hasattr(dtype, "__from_arrow__"):
        raise DamagedValue(f"values of dtype {dtype} that Arrow does not know")
    return dtype


def unpack_column(packed: Any) -> Any:
    """Make an array for a Series or an Index."""
    match packed:
        case ["numpy", np.ndarray(ndim=1) as array]:
            return array
        case ["objects", [*items]]:
            array = np.empty(len(items), object)
            array[:] = items
            return array
        case ["categories", codes, categories, ordered]:
            return pd.Categorical.from_codes(codes, categories, ordered)
        case ["arrow", described, bytes(data)]:
            tables = import_module("manyhands.types.tables")
            column = tables.read_ipc(data).column(0)
            return _find_dtype(described, column.type).__from_arrow__(column)
    raise DamagedValue("a column of no known kind")


def view_column(array: Any) -> list[Any]:
    """Show an array of pandas as a list; not yet what is in it."""
    plain = _of_numpy(array)
    if plain is not None and plain.dtype != object:
        return view_array(plain)  # type: ignore[no-any-return]
    return array.astype(object).tolist()  # type: ignore[no-any-return]
