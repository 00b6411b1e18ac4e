"""Paths of the state, as tuples of strings and as Redis hash fields.

A field is the concatenation of its segments, each encoded as a msgpack string. Such an encoding is
self-delimiting, so a byte prefix that ends at a segment is exactly a subtree, fields sort with every ancestor
before its descendants, and the path as it goes over the wire is an array header before the field's own bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgpack

from manyhands.errors import AppError, DamagedValue
from manyhands.packing import array_header, pack

Path = tuple[str, ...]

#: Fields kept decoded. An app has few distinct paths, and decoding one costs more than looking it up.
CACHED_FIELDS = 16_384
#: Bytes of a damaged path that its error shows.
SHOWN = 100


@lru_cache(CACHED_FIELDS)
def segment(name: str) -> bytes:
    """Encode one segment. Raises `UnicodeEncodeError` for lone surrogates."""
    return pack(name)


@lru_cache(CACHED_FIELDS)
def encode_path(path: Path) -> bytes:
    """Encode a path as a field. The empty path, the root, is `b""`."""
    return b"".join(segment(name) for name in path)


@lru_cache(CACHED_FIELDS)
def decode_path(field: bytes) -> Path:
    """Decode a field. Raises `DamagedValue` if it is not one."""
    return decode_names(field)


def decode_names(field: bytes) -> Path:
    """Decode segments that are no field, such as a dict's keys, which may be many: without remembering them."""
    # Only strings are let through, so that damaged bytes can't claim lists or maps of any length.
    unpacker = msgpack.Unpacker(max_buffer_size=max(len(field), 1), max_array_len=0, max_map_len=0, max_ext_len=0)
    unpacker.feed(field)
    try:
        path = tuple(unpacker)
    except (ValueError, msgpack.UnpackException) as error:
        raise DamagedValue(f"{field[:SHOWN]!r} is not a path: {error}") from error
    if not all(isinstance(name, str) for name in path) or b"".join(map(segment, path)) != field:
        raise DamagedValue(f"{field[:SHOWN]!r} is not a path")
    return path


def wire_path(path: Sequence[str]) -> bytes:
    """Encode a path as it travels in an update: a msgpack array of strings."""
    return array_header(len(path)) + encode_path(tuple(path))


def is_public(path: Sequence[str]) -> bool:
    """Tell whether browsers may see a path: no segment begins with an underscore."""
    return not any(name.startswith("_") for name in path)


def parse_path(text: object, asked_by: str) -> Path:
    r"""Read a path as an app's author writes it: `user.name`; a dot within a key is `\.`. Raises `AppError`."""
    if isinstance(text, str):
        path = tuple(part.replace("\0", ".") for part in text.replace("\\.", "\0").split("."))
        if all(path):
            return path
    raise AppError(f"{asked_by} expected a path such as 'counter' or 'user.name', got {text!r}")


def overlap(one: Path, other: Path) -> bool:
    """Tell whether one path is the other, or lies above or below it."""
    return all(mine == theirs for mine, theirs in zip(one, other, strict=False))
