"""msgpack as we use it where values are plain: numbers, text, bytes, lists and maps."""

from __future__ import annotations

from typing import Any, cast

import msgpack

#: Arrays of up to 15 items begin with one byte.
_SHORT_ARRAYS = [bytes([0x90 | length]) for length in range(16)]


def pack(value: object) -> bytes:
    """Encode a plain value. Raises `UnicodeEncodeError` for lone surrogates."""
    # The pure-Python packer can be told to give nothing, and so its type says it might.
    return cast("bytes", msgpack.packb(value))


def unpack(packed: bytes) -> Any:
    """Decode a plain value of ours."""
    return msgpack.unpackb(packed)


def array_header(length: int) -> bytes:
    """Encode the beginning of an array."""
    if length < 16:
        return _SHORT_ARRAYS[length]
    return cast("bytes", msgpack.Packer().pack_array_header(length))
