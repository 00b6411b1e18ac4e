"""What is fed to the decoders: msgpack, JSON and WebSocket frames, valid, broken in their structure, and mutated."""

from __future__ import annotations

import json
import struct
from typing import Any

import msgpack
from hypothesis import strategies as st

from manyhands import codec, fields
from manyhands.letters import Body, Context, Repeater, encode_body
from manyhands.paths import encode_path
from manyhands.updates import Outcome, encode_update, splice
from manyhands.wire import Key, Type
from support.raw_socket import frame

Bytes = st.SearchStrategy[bytes]

#: Numbers around which encodings change, or beyond what somebody's integers hold.
NUMBERS = st.sampled_from(
    [0, 1, -1, 31, 32, -32, -33, 127, 128, 255, 256, 65535, 65536, 2**31, 2**32, 2**53 - 1, 2**53, 2**63, 2**64 - 1]
)
WORDS = st.sampled_from([*map(str, Key), *map(str, Type), "_secret", "$bytes", "é", "☃", "\x00", "increment", "todos"])
TEXT = WORDS | st.text(max_size=12)
SCALARS = st.none() | st.booleans() | NUMBERS | st.integers(-(2**63), 2**64 - 1) | st.floats() | TEXT | st.binary()
VALUES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXT, below, max_size=4),
    max_leaves=12,
)

REPEATERS = st.fixed_dictionaries(
    {"state": st.lists(TEXT, max_size=3), "key": TEXT | NUMBERS},
    optional={"keyVariable": TEXT, "valueVariable": TEXT},
)
CONTEXTS = st.fixed_dictionaries(
    {}, optional={"event": TEXT, "target": TEXT, "repeaters": st.lists(REPEATERS, max_size=3)}
)
ENVELOPES = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("hello"), "client": TEXT}, optional={"session": TEXT, "seq": NUMBERS | st.none()}
    ),
    st.fixed_dictionaries(
        {"type": st.just("event"), "handler": TEXT}, optional={"n": NUMBERS, "payload": VALUES, "context": CONTEXTS}
    ),
    st.fixed_dictionaries({"type": st.just("cancel"), "n": NUMBERS}),
)


@st.composite
def confused(draw: st.DrawFn, envelopes: st.SearchStrategy[Any] = ENVELOPES) -> Any:
    """Give an envelope in which some values, at any depth, are replaced by others."""
    return _confuse(draw, draw(envelopes), 0.2)


def _confuse(draw: st.DrawFn, value: Any, share: float) -> Any:
    if draw(st.floats(0, 1)) < share:
        return draw(VALUES)
    if isinstance(value, dict):
        return {key: _confuse(draw, item, share) for key, item in value.items()}
    return [_confuse(draw, item, share) for item in value] if isinstance(value, list) else value


@st.composite
def mutated(draw: st.DrawFn, valid: Bytes) -> bytes:
    """Give bytes that were valid: bits flipped, cut short, spliced, repeated, or with some put in."""
    data = bytearray(draw(valid))
    for _ in range(draw(st.integers(0, 4))):
        first, last = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        match draw(st.sampled_from(["flip", "cut", "drop", "repeat", "put", "splice"])):
            case "flip" if first < len(data):
                data[first] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del data[last:]
            case "drop":
                del data[first:last]
            case "repeat":
                data[last:last] = data[first:last] * draw(st.integers(1, 3))
            case "put":
                data[first:first] = draw(st.sampled_from(BOMBS) | st.binary(max_size=8))
            case _:
                data[first:last] = draw(valid)[first:]
    return bytes(data)


# --- msgpack ---

#: Headers of msgpack that claim more than can follow.
BOMBS = [
    b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x01", b"\xdc\xff\xff", b"\xde\xff\xff", b"\xda\xff\xff", b"\xdd\x00\x0f\xff\xff",
    b"\xc1", b"\xc1V\xff\xff\xff\xff", b"\xc1D", b"\xc1X", b"\x91" * 120, b"\x81\xa1a" * 600, b"\xdc\x04\x00" * 300,
]  # fmt: skip


def packed(value: object) -> bytes:
    """Encode as msgpack does."""
    return bytes(msgpack.packb(value))


def _extension(code: int, content: bytes) -> bytes:
    return struct.pack(">BIb", 0xC9, len(content), code) + content


def _some_map(pairs: list[tuple[bytes, bytes]]) -> bytes:
    return struct.pack(">BH", 0xDE, len(pairs)) + b"".join(map(b"".join, pairs))


def _some_list(items: list[bytes]) -> bytes:
    return struct.pack(">BH", 0xDC, len(items)) + b"".join(items)


_PIECES = st.one_of(
    SCALARS.map(packed),
    st.sampled_from(
        [*BOMBS, b"\xa2\xff\xfe", b"\xa3\xed\xa0\x80", b"\xca\x7f\xc0\x00\x00", b"\xcb\x7f\xf0" + b"\0" * 6]
    ),
    st.binary(max_size=4),
)
#: msgpack by its grammar: any type as a key, keys that come twice, any extension around anything.
ODD_MSGPACK = st.recursive(
    _PIECES,
    lambda below: st.one_of(
        st.lists(below, max_size=4).map(_some_list),
        st.lists(st.tuples(WORDS.map(packed) | below, below), max_size=4).map(_some_map),
        st.builds(_extension, st.integers(-1, 13) | st.integers(-128, 127), below),
    ),
    max_leaves=10,
)


@st.composite
def nested_msgpack(draw: st.DrawFn) -> bytes:
    """Give msgpack of any depth: lists, maps and extensions within each other."""
    data = draw(_PIECES)
    wraps = [lambda b: b"\x91" + b, lambda b: b"\x81\xa1a" + b, lambda b: _extension(1, b"\x91" + b)]
    wrap = draw(st.sampled_from(wraps))
    for _ in range(draw(st.integers(1, 40) | st.integers(90, 110) | st.integers(400, 1500))):
        data = wrap(data)
    return data


MSGPACK_FRAMES = st.one_of(
    ENVELOPES.map(packed), confused().map(packed), mutated(ENVELOPES.map(packed)), ODD_MSGPACK, mutated(ODD_MSGPACK),
    nested_msgpack(), st.binary(max_size=200),
)  # fmt: skip

# --- JSON ---


def _json(value: object) -> str:
    return json.dumps(value, default=lambda _: {"$bytes": "AAE="}, ensure_ascii=False)


_JSON_PIECES = st.one_of(
    SCALARS.map(_json),
    st.sampled_from(
        ["NaN", "-Infinity", "1e999", "-1E+9999999999", "1e-999", "9" * 4300, "9" * 4301, "0." + "1" * 5000, "-0", "01",
         '"\\ud800"', '"\\udfff\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"', '"\x00"', '"\\x"', "'a'", "tru", "", " ",
         '{"$bytes":"%"}', '{"$bytes":1}', '{"$bytes":"AA=="}', '{"$bytes":"AA==","$bytes":""}', "[],",
         "[" * 1000, '{"a":' * 150, '"' + "[" * 300 + '"', "\\", '"\\"']
    ),
)  # fmt: skip
#: JSON by its grammar, with keys that come twice, and tokens that are none.
ODD_JSON = st.recursive(
    _JSON_PIECES,
    lambda below: st.one_of(
        st.lists(below, max_size=4).map(lambda items: "[" + ",".join(items) + "]"),
        st.lists(st.tuples(WORDS.map(_json), below), max_size=4).map(
            lambda pairs: "{" + ",".join(f"{key}:{item}" for key, item in pairs) + "}"
        ),
        st.integers(1, 150).flatmap(lambda levels: below.map(lambda one: "[" * levels + one + "]" * levels)),
    ),
    max_leaves=10,
)


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


JSON_FRAMES = st.one_of(
    ENVELOPES.map(_json), confused().map(_json), ODD_JSON, st.text(max_size=100),
    mutated(st.one_of(ENVELOPES.map(_json), ODD_JSON).map(str.encode)).map(_text),
)  # fmt: skip

# --- what lies in the store ---


def _stored(value: object) -> bytes:
    return codec.encode_with_view(codec.decode(packed(value)))


def _letter(handler: str, payload: object, repeaters: list[list[str]]) -> bytes:
    around = tuple(Repeater(tuple(path), "0") for path in repeaters)
    return encode_body(Body(handler, payload, Context("click", None, around)))


PATHS = st.lists(TEXT, min_size=1, max_size=3).map(tuple)
FIELDS = PATHS.map(encode_path)
STORED = st.one_of(
    VALUES.map(_stored), ODD_MSGPACK, nested_msgpack(), mutated(VALUES.map(_stored)), mutated(ODD_MSGPACK),
    st.builds(lambda value: codec.encode_with_view({value, 1}), TEXT), st.binary(max_size=60),
)  # fmt: skip
LETTERS = st.builds(_letter, TEXT, VALUES, st.lists(st.lists(TEXT, max_size=2), max_size=2))
BODIES = LETTERS | mutated(LETTERS) | STORED
MARKERS = st.just(fields.CUT) | (FIELDS | mutated(FIELDS)).map(fields.DICT.__add__)
TREES = st.dictionaries(FIELDS | mutated(FIELDS), MARKERS | STORED, max_size=5)


def _update(views: list[tuple[tuple[str, ...], Any]], n: int, *, done: bool) -> bytes:
    shown = [(path, codec.encode(codec.view(value))) for path, value in views]
    return splice(encode_update(shown, [], "client", n, Outcome(ok=True) if done else None), n)


UPDATES = st.builds(
    _update, st.lists(st.tuples(PATHS, VALUES), max_size=3), st.integers(0, 2**64 - 1), done=st.booleans()
)

# --- headers, and what else is text ---

_WORDS = st.sampled_from(
    ["[", "]", ":", "::1", "::ffff:", "127.0.0.1", "%25eth0", ",", "http://", "https://", "//", "@", "xn--", ".", "..",
     "a" * 70, "\x00", "é", "\udcff", "²", "host", ":8000", ":99999", "00-", "0af7651916cd43dd8448eb211c80319c", "-",
     "b7ad6b7169203331", "-01", "AAAA", "=", "dGhlIHNhbXBsZSBub25jZQ=="]
)  # fmt: skip
TEXTS = st.lists(_WORDS, max_size=8).map("".join) | st.text(max_size=60)

# --- WebSocket ---


_PAYLOADS = st.one_of(
    ENVELOPES.map(_json).map(str.encode), JSON_FRAMES.map(str.encode), MSGPACK_FRAMES, st.binary(max_size=130),
    st.builds(lambda code, reason: struct.pack(">H", code) + reason, st.integers(0, 5001), st.binary(max_size=20)),
)  # fmt: skip
_WS_FRAMES = st.builds(
    frame, _PAYLOADS, st.sampled_from([1, 1, 1, 2, 0, 9, 10, 8, 3, 15]),
    fin=st.sampled_from([True, True, True, False]), rsv=st.sampled_from([0, 0, 0, 0, 0, 1, 4]),
    mask=st.none() | st.binary(min_size=4, max_size=4),
)  # fmt: skip
_GOOD_FRAMES = st.builds(
    frame, ENVELOPES.map(_json).map(str.encode), st.sampled_from([1, 1, 1, 9, 10]),
    mask=st.binary(min_size=4, max_size=4),
)  # fmt: skip
_STREAMS = st.lists(_GOOD_FRAMES | _WS_FRAMES, max_size=6).map(b"".join)
STREAMS = _STREAMS | mutated(_STREAMS) | st.binary(max_size=300)
