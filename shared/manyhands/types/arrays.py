"""NumPy: arrays of every dtype but object as their raw bytes, and scalars."""

from __future__ import annotations

import math
import re
from importlib import import_module
from typing import Any

from manyhands.errors import DamagedValue, NotSerialisable
from manyhands.extension_types import Extension
from manyhands.types import Code

np: Any = import_module("numpy")

#: What `dtype.str` gives for dtypes without fields: byte order, kind, size, and the unit of a time.
_PLAIN = re.compile(r"[<>|=](?:[biufcmMSUV][0-9]{1,9}|[qQ])(?:\[[0-9]{0,9}[A-Za-z]{1,7}\])?")
_CURE = "arrays of numbers, times, text or bytes can be stored; use `.tolist()` or `.astype(…)`"


def pack_dtype(dtype: Any) -> object:
    """Describe a dtype: as text, `{fields}` for a structured one, `[dtype, shape]` for one of subarrays."""
    if dtype.subdtype:
        return [pack_dtype(dtype.subdtype[0]), list(dtype.subdtype[1])]
    if dtype.names is not None:
        fields = [dtype.fields[name] for name in dtype.names]
        return {
            "names": list(dtype.names),
            "formats": [pack_dtype(one[0]) for one in fields],
            "offsets": [one[1] for one in fields],
            "titles": [one[2] if len(one) > 2 else None for one in fields],
            "itemsize": dtype.itemsize,
            "aligned": dtype.isalignedstruct,
        }
    # `longlong` is as wide as `int64` where both are 8 bytes, but its scalars are of another type.
    for text in (dtype.str, dtype.str[:1] + dtype.char):
        if _PLAIN.fullmatch(text) and (known := np.dtype(text)) == dtype and known.num == dtype.num:
            return text
    raise NotSerialisable((), f"an array of dtype {dtype}", _CURE)


def unpack_dtype(packed: Any) -> Any:
    """Make a dtype. Raises `DamagedValue` for all that `pack_dtype` would not have written."""
    if isinstance(packed, list):
        base, shape = packed
        return np.dtype((unpack_dtype(base), _checked_shape(shape)))
    if isinstance(packed, dict):
        formats = [unpack_dtype(one) for one in packed["formats"]]
        spec = {"names": packed["names"], "formats": formats, "offsets": packed["offsets"]}
        if any(title is not None for title in packed["titles"]):
            spec["titles"] = packed["titles"]
        return np.dtype({**spec, "itemsize": packed["itemsize"]}, align=bool(packed["aligned"]))
    if not isinstance(packed, str) or not _PLAIN.fullmatch(packed):
        raise DamagedValue(f"{packed!r:.60} is no dtype")
    return np.dtype(packed)


def _checked_shape(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, list) or len(shape) > 64 or not all(type(one) is int and one >= 0 for one in shape):
        raise DamagedValue("an array has no shape")
    return tuple(shape)


def _pack_array(array: Any) -> object:
    dtype = pack_dtype(array.dtype)
    if array.size and not array.dtype.itemsize:
        raise NotSerialisable((), f"an array of dtype {array.dtype}, whose items have no bytes", _CURE)
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    return [dtype, list(array.shape), order, array.tobytes(order=order)]


def _unpack_array(packed: Any) -> Any:
    described, shape, order, data = packed
    dtype, shape = unpack_dtype(described), _checked_shape(shape)
    count = math.prod(shape)
    # Before anything is allocated: what is asked for is what is there.
    if not isinstance(data, bytes) or count * dtype.itemsize != len(data) or (count and not dtype.itemsize):
        raise DamagedValue(f"an array of {count} items of {dtype.itemsize} bytes has another number of bytes")
    if dtype.hasobject:
        raise DamagedValue("an array of objects")
    return np.ndarray(shape, dtype, buffer=data, order="F" if order == "F" else "C").copy(order="K")


def _pack_scalar(value: Any) -> object:
    # As an array, text and bytes would lose the NULs at their end.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes):
        return bytes(value)
    return _pack_array(np.array(value))


def _unpack_scalar(packed: Any) -> Any:
    if isinstance(packed, str):
        return np.str_(packed)
    if isinstance(packed, bytes):
        return np.bytes_(packed)
    value = _unpack_array(packed)[()]
    if not isinstance(value, np.generic):
        raise DamagedValue("a scalar that is an array")
    return value


def view_array(array: Any) -> Any:
    """Show an array as nested lists, a scalar as one value; not yet what is in them."""
    dtype = array.dtype
    if dtype.names is not None:
        columns = {name: view_array(array[name].reshape(array.size, *array[name].shape[array.ndim :]))
                   for name in dtype.names}  # fmt: skip
        rows = [{name: column[row] for name, column in columns.items()} for row in range(array.size)]
        return _nested(rows, array.shape)
    match dtype.kind:
        case "M":
            texts = np.datetime_as_string(array).astype(object)
            return np.where(np.isnat(array), None, texts).tolist()
        case "m":
            seconds = array / np.timedelta64(1, "s") if _has_fixed_unit(dtype) else array.astype("i8").astype(float)
            return np.where(np.isnat(array), None, seconds.astype(object)).tolist()
        case "c":
            return np.stack([array.real, array.imag], axis=-1).astype(float).tolist()
        case "f":
            return array.astype(float).tolist()
    return array.tolist()


def _has_fixed_unit(dtype: Any) -> bool:
    # A year and a month have no length in seconds, nor has a number without a unit.
    return np.datetime_data(dtype)[0] not in ("Y", "M", "generic")


def _nested(items: list[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return items[0]
    step = len(items) // shape[0] if shape[0] else 0
    return [_nested(items[start * step : (start + 1) * step], shape[1:]) for start in range(shape[0])]


def _view_scalar(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    return bytes(value) if isinstance(value, bytes) else view_array(np.array(value))


ARRAY = Extension(Code.ARRAY, _pack_array, _unpack_array, view_array)
SCALAR = Extension(Code.ARRAY_SCALAR, _pack_scalar, _unpack_scalar, _view_scalar)
BY_CODE = {one.code: one for one in (ARRAY, SCALAR)}


def find(value: object) -> Extension | None:
    """Find the extension of a value; None for subclasses such as masked arrays, which would come back as less."""
    if type(value) is np.ndarray:
        return ARRAY
    return SCALAR if isinstance(value, np.generic) else None
