"""Values as bytes: msgpack with extension types of ours, and the views that browsers get of them.

A value is stored as its msgpack bytes. Where a browser gets something else (a set as a list, a datetime as text),
the view stands beside it, made once by the worker:

    plain       msgpack bytes; the view is the same bytes
    with view   0xc1 "V", length of the value (4 bytes, big-endian), value, view
    reference   0xc1 "R", where to find a large one, view: see `references`

0xc1 is the one byte that msgpack never begins a value with.
"""

from __future__ import annotations

import base64
import dataclasses
import math
import struct
from collections.abc import Mapping
from typing import Any, cast

import msgpack

from manyhands.copies import still, too_deep
from manyhands.errors import DamagedValue, NotSerialisable
from manyhands.extension_types import pack_extension, plain_dict, unpack_extension, view_extension
from manyhands.types.files import is_apart
from manyhands.wire import BYTES_KEY, MAX_NESTING, MAX_SAFE_INTEGER

VIEW_MARK = b"\xc1V"
REFERENCE_MARK = b"\xc1R"
#: Bytes of a reference before its view: mark, digest, size.
REFERENCE_HEAD = 26
_HEADER = struct.Struct(">2sI")
#: Types whose view is the value itself, whatever they hold.
_SELF_VIEWED = frozenset({type(None), bool, str, float, bytes})


def encode(value: object, path: tuple[str, ...] = ()) -> bytes:
    """Encode a value as it is stored, without its view. Raises `NotSerialisable`, which names `path`."""
    try:
        return cast("bytes", msgpack.packb(value, default=pack_extension, strict_types=True))
    except NotSerialisable as error:
        raise NotSerialisable(path, error.kind, error.cure) from error
    except UnicodeEncodeError as error:
        raise NotSerialisable(path, "text with a lone surrogate", "text must be valid Unicode") from error
    except (ValueError, RecursionError) as error:
        kind = f"a {type(value).__name__} nested too deeply"
        cure = f"at most {MAX_NESTING} levels, and no value that contains itself ({error})"
        raise NotSerialisable(path, kind, cure) from error


def decode(encoded: bytes) -> Any:
    """Decode a stored value, with or without a view. Raises `DamagedValue`."""
    try:
        return msgpack.unpackb(value_part(encoded), ext_hook=unpack_extension, strict_map_key=False)
    except DamagedValue:
        raise
    except Exception as error:
        raise DamagedValue(f"{type(error).__name__}: {error}") from error


def encode_with_view(value: object, path: tuple[str, ...] = ()) -> bytes:
    """Encode a value as a field of the state: its view beside it where that differs."""
    # What most handlers assign is encoded once, without a look inside.
    if type(value) in _SELF_VIEWED or (type(value) is int and is_self_viewed(value)):
        return encode(value, path)
    value = still(value, path)
    check_value(value, path)
    encoded = encode(value, path)
    if is_self_viewed(value) or is_apart(value):
        return encoded
    try:
        shown = encode(view(value), path)
    except NotSerialisable as error:
        raise NotSerialisable(path, error.kind, error.cure) from error
    return encoded if shown == encoded else _HEADER.pack(VIEW_MARK, len(encoded)) + encoded + shown


def value_part(field: bytes) -> bytes:
    """Take the value out of a field. Raises `DamagedValue`, also for a reference, which holds none."""
    if field[:1] != b"\xc1":
        return field
    if field[:2] == REFERENCE_MARK:
        raise DamagedValue("it is large, and was not fetched")
    return field if field[:2] != VIEW_MARK else field[_HEADER.size : _view_start(field)]


def view_part(field: bytes) -> bytes:
    """Take the view, ready to be sent, out of a field. Raises `DamagedValue`."""
    if field[:1] != b"\xc1":
        return field
    return field[REFERENCE_HEAD:] if field[:2] == REFERENCE_MARK else field[_view_start(field) :]


def _view_start(field: bytes) -> int:
    if field[:2] != VIEW_MARK:
        return 0
    start = _HEADER.size + int.from_bytes(field[2 : _HEADER.size])
    if start >= len(field):
        raise DamagedValue("it ends before its view")
    return start


def checked_key(key: object, path: tuple[str, ...]) -> str:
    """Give a dict's key back. Raises `NotSerialisable` unless it is a string that can be stored."""
    if not isinstance(key, str):
        cure = f"keys of dicts are strings; use {str(key)!r}"
        raise NotSerialisable(path, f"a dict with the key {key!r} ({type(key).__name__})", cure)
    if not key.isascii():
        try:
            key.encode()
        except UnicodeEncodeError as error:
            raise NotSerialisable(path, f"a dict with the key {key!r}", "a key must be valid Unicode") from error
    # Of an Enum of strings its value.
    return str.__str__(key)


def check_value(value: object, path: tuple[str, ...], depth: int = 0) -> None:
    """Raise `NotSerialisable` for keys that are not strings, and for nesting that is too deep."""
    if depth > MAX_NESTING:
        raise too_deep(path, value)
    if isinstance(value, Mapping):
        for key, item in plain_dict(value).items():
            checked_key(key, path)
            check_value(item, path, depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            check_value(item, path, depth + 1)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for one in dataclasses.fields(value):
            check_value(getattr(value, one.name, None), path, depth + 1)


def is_self_viewed(value: object) -> bool:
    """Tell whether browsers get a value just as it is stored."""
    kind = type(value)
    if kind in _SELF_VIEWED:
        return True
    if kind is int:
        return -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER  # type: ignore[operator]
    if kind is list:
        return all(map(is_self_viewed, value))  # type: ignore[call-overload]
    if kind is dict:
        items = value.items()  # type: ignore[attr-defined]
        return all(type(key) is str and key[:1] != "_" and is_self_viewed(item) for key, item in items)
    return False


def view(value: object) -> Any:
    """Give what a browser gets of a value: only None, bool, int, float, str, bytes, lists and maps of them."""
    kind = type(value)
    if kind in _SELF_VIEWED:
        return value
    if kind is int and is_self_viewed(value):
        return value
    if kind in (list, tuple):
        return [view(item) for item in value]  # type: ignore[attr-defined]
    if isinstance(value, Mapping):
        shown = plain_dict(value).items()
        return {str.__str__(key): view(item) for key, item in shown if not key.startswith("_")}
    return view(view_extension(value))


def jsonable(shown: object) -> Any:
    """Turn a view into what JSON can carry: bytes as base64, NaN and infinities as null."""
    if isinstance(shown, float):
        return shown if math.isfinite(shown) else None
    if isinstance(shown, bytes):
        return {BYTES_KEY: base64.b64encode(shown).decode()}
    if isinstance(shown, dict):
        return {key: jsonable(item) for key, item in shown.items()}
    if isinstance(shown, list):
        return [jsonable(item) for item in shown]
    return shown
