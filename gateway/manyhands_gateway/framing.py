"""WebSocket frames of ours as bytes (RFC 6455, section 5.2). They are unmasked, so that one serves many sockets."""

from __future__ import annotations

import struct

from manyhands.wire import SUBPROTOCOL_JSON

_FINAL_TEXT, _FINAL_BINARY, _CLOSE, _PING, _PONG = 0x81, 0x82, 0x88, 0x89, 0x8A

#: Bytes of UTF-8 that a close frame's reason may have: a control frame holds 125, the code takes 2.
MAX_REASON = 123

PING = bytes([_PING, 0])


def data_frame(payload: bytes, subprotocol: str) -> bytes:
    """Frame an encoded envelope."""
    first = _FINAL_TEXT if subprotocol == SUBPROTOCOL_JSON else _FINAL_BINARY
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 65536:
        return struct.pack(">BBH", first, 126, length) + payload
    return struct.pack(">BBQ", first, 127, length) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """Frame a close. A long reason is cut, between characters."""
    text = reason.encode()[:MAX_REASON].decode(errors="ignore").encode()
    return struct.pack(">BBH", _CLOSE, 2 + len(text), code) + text


def pong_frame(payload: bytes) -> bytes:
    """Answer a ping with its own payload, which is at most 125 bytes."""
    return bytes((_PONG, len(payload))) + payload
