"""Frames to envelopes and back, in both subprotocols. What a browser sends is taken to be hostile.

Besides what the formats themselves forbid, a frame may not hold a map with a key twice or with a key that is no
string, nesting beyond `max_nesting`, NaN or infinities in JSON, text that is not Unicode, types of msgpack's own, or
more maps, lists, keys and values than `MAX_CONTAINERS` and `MAX_ELEMENTS`: they cost up to a hundred times their bytes.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import msgpack

from manyhands import codec
from manyhands.envelopes import show
from manyhands.errors import BadFrame
from manyhands.wire import (
    BYTES_KEY,
    MAX_NESTING,
    MAX_SAFE_INTEGER,
    SUBPROTOCOL_JSON,
    SUBPROTOCOL_MSGPACK,
    Key,
    Type,
)

SUBPROTOCOLS = (SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK)

#: Bytes up to which a msgpack frame is decoded without a first pass. Headers that claim more elements than follow
#: make the decoder allocate once per nesting level; in a frame of this size that stays below 3 MB.
HARMLESS = 1024

#: Maps and lists in a frame. As many take about 0.2 s, in which no other connection is served.
MAX_CONTAINERS = 200_000
#: Keys and values in all of its maps and lists together. As many take about half a second and 150 MB.
MAX_ELEMENTS = 1_000_000
#: Characters of JSON that are counted at once, which bounds the memory of their parts.
_COUNTED = 64 * 1024

_SCALARS = frozenset({str, int, float, bool, type(None), bytes})
#: Bytes at the beginning of a frame in which the number of an event stands, if it can be told without the rest.
_HEAD = 64
_NUMBERED = re.compile(rf'\s*{{\s*"{Key.TYPE}"\s*:\s*"{Type.EVENT}"\s*,\s*"{Key.N}"\s*:\s*(\d+)\s*[,}}]', re.ASCII)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def decode_frame(data: str | bytes, subprotocol: str, max_nesting: int = MAX_NESTING) -> Any:
    """Decode a frame: text in JSON, bytes in msgpack. `max_nesting` is at most `MAX_NESTING`. Raises `BadFrame`."""
    if isinstance(data, str) is not (subprotocol == SUBPROTOCOL_JSON):
        got, kind = ("text", "binary") if isinstance(data, str) else ("binary", "text")
        raise BadFrame(f"{subprotocol} has {kind} frames, got a {got} one")
    try:
        value = _decode_json(data) if isinstance(data, str) else _decode_msgpack(data)
        _check_content(value, max_nesting)
    except (RecursionError, msgpack.StackError):
        raise BadFrame(f"the frame is nested too deeply; at most {max_nesting} levels") from None
    return value


def number_of(data: str | bytes) -> int | None:
    """Give the number of an event whose frame can't be decoded, where it begins with `type` and `n` as clients' do.

    Without it nobody could tell which event was refused, and it would be sent again and again.
    """
    if isinstance(data, str):
        found = _NUMBERED.match(data[:_HEAD])
        n: Any = int(found[1]) if found else None
    else:
        n = _packed_number(data[:_HEAD])
    return n if type(n) is int and 0 < n <= MAX_SAFE_INTEGER else None


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
    _check_amount(text)
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_json_map)
    except ValueError as error:
        raise BadFrame(f"the frame is not JSON: {error}") from None
    if _SURROGATE.search(text):
        _check_unicode(value)
    return value


def _check_amount(text: str) -> None:
    """Count maps, lists and values before any is built."""
    # Text that is quoted may hold as many brackets, commas and colons as it likes, which only an exact count tells.
    containers, separators = _count(text)
    if _is_harmless(containers, separators):
        return
    # Escapes stand in quoted text alone; without them, every quote begins or ends one.
    plain = text.replace("\\\\", "").replace('\\"', "")
    containers = separators = quoted = 0
    for at in range(0, len(plain), _COUNTED):
        parts = plain[at : at + _COUNTED].split('"')
        outside = "".join(parts[quoted::2])
        quoted = (quoted + len(parts) - 1) % 2
        more = _count(outside)
        containers, separators = containers + more[0], separators + more[1]
        if not _is_harmless(containers, separators):
            raise _too_much()


def _count(text: str) -> tuple[int, int]:
    return text.count("{") + text.count("["), text.count(",") + text.count(":")


def _is_harmless(containers: int, separators: int) -> bool:
    # A container that is not empty has one value more than commas.
    return containers <= MAX_CONTAINERS and containers + separators <= MAX_ELEMENTS


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise BadFrame(f"a number is beyond what JSON's readers know, got {show(text)}")
    return number


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


class _Counted:
    """What msgpack's decoder calls for each map and list that it has read: it counts them, and checks the maps."""

    __slots__ = ("_containers", "_elements")

    def __init__(self) -> None:
        self._containers = self._elements = 0

    def mapping(self, pairs: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
        self._count(2 * len(pairs))
        for key, _ in pairs:
            if type(key) is not str:
                raise BadFrame(f"keys of maps are strings, got {show(key)}")
        return _map(pairs)

    def sequence(self, items: list[Any]) -> list[Any]:
        self._count(len(items))
        return items

    def _count(self, elements: int) -> None:
        self._containers += 1
        self._elements += elements
        if self._containers > MAX_CONTAINERS or self._elements > MAX_ELEMENTS:
            raise _too_much()


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


def _decode_msgpack(data: bytes) -> Any:
    if len(data) > HARMLESS:
        _skim(data)
    counted, longest = _Counted(), min(len(data), MAX_ELEMENTS)
    try:
        return msgpack.unpackb(
            data, object_pairs_hook=counted.mapping, list_hook=counted.sequence, ext_hook=_refuse_extension,
            max_array_len=longest, max_map_len=longest,
        )  # fmt: skip
    except UnicodeDecodeError:
        raise BadFrame("text in the frame is not UTF-8") from None
    except msgpack.StackError:
        raise
    except (ValueError, msgpack.UnpackException, TypeError) as error:
        # The skimmed frame has all that it claims, so this is its one flaw.
        if len(data) > MAX_ELEMENTS and "exceeds max_" in str(error):
            raise _too_much() from None
        raise BadFrame(f"the frame is not msgpack: {error}") from None


def _packed_number(head: bytes) -> Any:
    unpacker = msgpack.Unpacker(max_buffer_size=_HEAD)
    unpacker.feed(head)
    try:
        unpacker.read_map_header()
        first = [unpacker.unpack() for _ in range(3)]
        return unpacker.unpack() if first == [Key.TYPE, Type.EVENT, Key.N] else None
    except (ValueError, msgpack.UnpackException, TypeError):
        return None


def _skim(data: bytes) -> None:
    """Walk over a frame without building anything, to see that all that its headers claim is there."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(data))
    unpacker.feed(data)
    try:
        unpacker.skip()
    except msgpack.StackError:
        raise
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
        raise RecursionError
    for item in value:
        if type(item) not in _SCALARS:
            _check_content(item, left - 1)


def _too_much() -> BadFrame:
    return BadFrame(f"a frame has at most {MAX_CONTAINERS} maps and lists, and {MAX_ELEMENTS} keys and values in them")
