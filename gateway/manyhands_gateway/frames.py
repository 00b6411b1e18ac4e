"""Frames to envelopes and back, in both subprotocols. What a browser sends is taken to be hostile.

Besides what the formats themselves forbid, a frame may not hold a map with a key twice or with a key that is no
string, nesting beyond `MAX_NESTING`, NaN or infinities in JSON, text that is not Unicode, or types of msgpack's own.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import msgpack

from manyhands import codec
from manyhands.envelopes import show
from manyhands.errors import BadFrame
from manyhands.wire import BYTES_KEY, MAX_NESTING, SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK

SUBPROTOCOLS = (SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK)

#: Bytes up to which a msgpack frame is decoded without a first pass. Headers that claim more elements than follow
#: make the decoder allocate once per nesting level; in a frame of this size that stays below 3 MB.
HARMLESS = 1024

_SCALARS = frozenset({str, int, float, bool, type(None), bytes})
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def decode_frame(data: str | bytes, subprotocol: str) -> Any:
    """Decode a frame: text in JSON, bytes in msgpack. Raises `BadFrame`."""
    if isinstance(data, str) is not (subprotocol == SUBPROTOCOL_JSON):
        got, kind = ("text", "binary") if isinstance(data, str) else ("binary", "text")
        raise BadFrame(f"{subprotocol} has {kind} frames, got a {got} one")
    value = _decode_json(data) if isinstance(data, str) else _decode_msgpack(data)
    _check_content(value, MAX_NESTING)
    return value


def encode_frame(envelope: object, subprotocol: str) -> bytes:
    """Encode an envelope of views."""
    if subprotocol == SUBPROTOCOL_JSON:
        return encode_json(envelope)
    return pack(envelope)


def encode_json(value: object) -> bytes:
    """Encode a view as JSON."""
    # Most values are JSON as they are; those that hold bytes, NaN or infinities raise and are converted.
    try:
        return _json.encode(value).encode()
    except (TypeError, ValueError):
        return _json.encode(codec.jsonable(value)).encode()


def pack(value: object) -> bytes:
    """Encode a view as msgpack."""
    packed: Any = msgpack.packb(value)
    return bytes(packed)


def transcode(encoded: bytes) -> bytes:
    """Turn the msgpack of an envelope of ours into JSON."""
    return encode_json(msgpack.unpackb(encoded, strict_map_key=False))


def _decode_json(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_json_map)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise BadFrame(f"the frame is not JSON: {error}") from None
    if _SURROGATE.search(text):
        _check_unicode(value)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise BadFrame(f"JSON has no {name}")


def _json_map(pairs: Sequence[tuple[str, Any]]) -> Any:
    if len(pairs) == 1 and pairs[0][0] == BYTES_KEY:
        return _decode_base64(pairs[0][1])
    return _map(pairs)


def _map(pairs: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise BadFrame("a map has the same key twice")
    return made


def _msgpack_map(pairs: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    for key, _ in pairs:
        if type(key) is not str:
            raise BadFrame(f"keys of maps are strings, got {show(key)}")
    return _map(pairs)


def _decode_base64(text: object) -> bytes:
    if not isinstance(text, str):
        raise BadFrame(f"`{BYTES_KEY}` is base64, got {show(text)}")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadFrame(f"`{BYTES_KEY}` is base64, got {show(text)}") from None


def _check_unicode(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False, default=lambda _: None).encode()
    except UnicodeEncodeError:
        raise BadFrame("text is not Unicode: a surrogate stands alone") from None
    except RecursionError:
        raise _too_deep() from None


def _decode_msgpack(data: bytes) -> Any:
    if len(data) > HARMLESS:
        _skim(data)
    try:
        return msgpack.unpackb(data, object_pairs_hook=_msgpack_map, ext_hook=_refuse_extension)
    except UnicodeDecodeError:
        raise BadFrame("text in the frame is not UTF-8") from None
    except msgpack.StackError:
        raise _too_deep() from None
    except (ValueError, msgpack.UnpackException, TypeError) as error:
        raise BadFrame(f"the frame is not msgpack: {error}") from None


def _skim(data: bytes) -> None:
    """Walk over a frame without building anything, to see that all that its headers claim is there."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(data))
    unpacker.feed(data)
    try:
        unpacker.skip()
    except msgpack.StackError:
        raise _too_deep() from None
    except (ValueError, msgpack.UnpackException) as error:
        raise BadFrame(f"the frame is not msgpack: {error}") from None


def _refuse_extension(code: int, data: bytes) -> NoReturn:
    raise BadFrame(f"a frame holds no extension types, got {code}")


def _check_content(value: Any, left: int) -> None:
    if isinstance(value, msgpack.Timestamp):
        _refuse_extension(-1, b"")
    if type(value) is dict:
        value = value.values()
    elif type(value) is not list:
        return
    if left == 0:
        raise _too_deep()
    for item in value:
        if type(item) not in _SCALARS:
            _check_content(item, left - 1)


def _too_deep() -> BadFrame:
    return BadFrame(f"the frame is nested too deeply; at most {MAX_NESTING} levels")
