"""What holds of every decoder, whatever it is fed: it gives a value, or raises the one error that it documents.

A target's check raises for a violation alone. Where a value was given, encoding it and decoding that gives it again,
and gives the same bytes again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from time import process_time
from typing import Any, NamedTuple

import msgpack
from hypothesis import strategies as st
from werkzeug.datastructures import EnvironHeaders

from fuzz import inputs
from fuzz.socket import check_stream
from manyhands import codec, fields
from manyhands.envelopes import CancelEvent, Event, Hello, parse
from manyhands.errors import BadFrame, DamagedValue, NotSerialisable
from manyhands.letters import decode_body, encode_body
from manyhands.paths import decode_names, encode_path
from manyhands.settings import Settings
from manyhands.trace_context import parse_traceparent
from manyhands.updates import seq_of
from manyhands.wire import MAX_SAFE_INTEGER, SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK
from manyhands_gateway.forwarded import believe, network_of
from manyhands_gateway.frames import decode_frame, encode_frame, transcode
from manyhands_gateway.handshake import find_flaw
from manyhands_gateway.origin import is_allowed
from manyhands_gateway.protocol import Accept, Cancel, Close, Join, Phase, Protocol, Reject
from manyhands_gateway.tokens import Tokens

#: Seconds of CPU that a decoder may take for an input of a few KB, with room for a machine that is busy.
LONGEST = 2.0
#: Characters of the longest text that an answer to a bad frame may have.
LONGEST_MESSAGE = 500
MAX_PAYLOAD = 2000
SETTINGS = Settings(secret_keys=("only-for-tests-0123456789",))


class Target(NamedTuple):
    """One decoder, what it is fed, and what must hold."""

    inputs: st.SearchStrategy[Any]
    check: Callable[[Any], None]


def same(one: object, other: object) -> bool:
    """Compare decoded values, NaN being equal to itself."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def check_answer(message: str, n: int | None) -> None:
    """Check what a browser is told of a bad frame."""
    assert len(message) <= LONGEST_MESSAGE
    assert n is None or 1 <= n <= MAX_SAFE_INTEGER
    encode_frame({"message": message, "n": n}, SUBPROTOCOL_MSGPACK)


def check_frame(data: str | bytes) -> None:
    """Decode a frame."""
    subprotocol = SUBPROTOCOL_JSON if isinstance(data, str) else SUBPROTOCOL_MSGPACK
    try:
        value = decode_frame(data, subprotocol)
    except BadFrame as error:
        check_answer(error.message, error.n)
        return
    encoded = encode_frame(value, subprotocol)
    again = decode_frame(encoded.decode() if isinstance(data, str) else encoded, subprotocol)
    assert same(again, value)
    assert encode_frame(again, subprotocol) == encoded


def check_envelope(value: object) -> None:
    """Check what a frame held."""
    try:
        envelope = parse(value)
    except BadFrame as error:
        check_answer(error.message, error.n)
    else:
        assert isinstance(envelope, (Hello, Event, CancelEvent))


def check_protocol(data: str | bytes) -> None:
    """Receive a frame, before the hello and after it."""
    subprotocol = SUBPROTOCOL_JSON if isinstance(data, str) else SUBPROTOCOL_MSGPACK
    for phase in (Phase.HELLO, Phase.OPEN):
        protocol = Protocol(subprotocol, MAX_PAYLOAD)
        protocol.phase = phase
        (action,) = protocol.receive(data)
        match action:
            case Accept(handler, _, body):
                assert phase is Phase.OPEN
                assert decode_body(body).handler == handler
                assert encode_body(decode_body(body)) == body
            case Reject(n, _, message):
                check_answer(message, n)
            case _:
                assert isinstance(action, Cancel | Join if phase is Phase.OPEN else Close | Join)


def check_letter(encoded: bytes) -> None:
    """Decode a letter's body."""
    try:
        body = decode_body(encoded)
        once = encode_body(body)
    except (DamagedValue, NotSerialisable):
        return
    assert encode_body(decode_body(once)) == once


def check_value(stored: bytes) -> None:
    """Decode a stored value, and view it."""
    try:
        value = codec.decode(stored)
        view = codec.view_part(stored)
    except DamagedValue:
        return
    assert isinstance(view, bytes)
    try:
        once = codec.encode_with_view(value)
    except NotSerialisable:
        return
    assert codec.encode_with_view(codec.decode(once)) == once
    json.dumps(codec.jsonable(codec.view(value)), allow_nan=False)


def check_path(field: bytes) -> None:
    """Decode a field's name."""
    try:
        path = decode_names(field)
    except DamagedValue:
        return
    assert encode_path(path) == field


def check_tree(stored: Mapping[bytes, bytes]) -> None:
    """Build a tree of fields, and encode what browsers may see of it."""
    try:
        encoded = fields.encode_public(fields.build_tree({}, stored))
    except DamagedValue:
        return
    assert isinstance(encoded, bytes)


def check_update(encoded: bytes) -> None:
    """Read an update's number, and turn the update into JSON."""
    shown = json.loads(transcode(encoded))
    assert shown["seq"] == seq_of(encoded)
    assert list(shown) == list(msgpack.unpackb(encoded, strict_map_key=False))


def check_number(encoded: bytes) -> None:
    """Read the number of what may be no update."""
    try:
        seq_of(encoded)
    except DamagedValue:
        return


def check_text(text: str) -> None:
    """Read a text wherever the gateway takes one from a request or a frame: nothing else than an answer comes of it."""
    environ = {
        "HTTP_SEC_WEBSOCKET_VERSION": "13",
        "HTTP_SEC_WEBSOCKET_KEY": text,
        "HTTP_HOST": text,
        "REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": text, "HTTP_X_FORWARDED_PROTO": text,
        "HTTP_X_FORWARDED_HOST": text,
    }  # fmt: skip
    believe(environ, [ip_network("127.0.0.0/8")])
    network_of(text)
    assert ip_address(environ["REMOTE_ADDR"])
    find_flaw("HTTP/1.1", EnvironHeaders(environ))
    assert not is_allowed(text, text[1:], ["https://elsewhere.example"])
    is_allowed(text, text, [])
    assert Tokens(SETTINGS).verify(text) is None
    parsed = parse_traceparent(text)
    assert parsed is None or parse_traceparent(parsed) == parsed


TARGETS: dict[str, Target] = {
    "msgpack frame": Target(inputs.MSGPACK_FRAMES, check_frame),
    "json frame": Target(inputs.JSON_FRAMES, check_frame),
    "envelope": Target(inputs.confused(), check_envelope),
    "protocol": Target(inputs.MSGPACK_FRAMES | inputs.JSON_FRAMES, check_protocol),
    "letter": Target(inputs.BODIES, check_letter),
    "value": Target(inputs.STORED, check_value),
    "path": Target(inputs.FIELDS | inputs.mutated(inputs.FIELDS) | inputs.ODD_MSGPACK, check_path),
    "tree": Target(inputs.TREES, check_tree),
    "update": Target(inputs.UPDATES, check_update),
    "number": Target(inputs.mutated(inputs.UPDATES), check_number),
    "text": Target(inputs.TEXTS, check_text),
    "socket": Target(st.tuples(inputs.STREAMS, st.lists(st.integers(0, 300), max_size=8)), check_stream),
}


def check(name: str, data: Any) -> None:
    """Check one input of a target, and that it took no longer than it may."""
    began = process_time()
    TARGETS[name].check(data)
    assert process_time() - began < LONGEST
