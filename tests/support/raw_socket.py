"""A client that may break every rule: the bytes of its handshake and of its frames are the test's own."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from support.browser import JSON

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
#: The header lines of a handshake that is in order.
HEADERS = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": JSON,
}


def frame(
    payload: bytes, opcode: int = TEXT, *, fin: bool = True, rsv: int = 0, mask: bytes | None = b"\x01\x80\xfe\x37"
) -> bytes:
    """Make a frame of RFC 6455, which need not be one that a client may send: without a mask where that is None."""
    size, bit = len(payload), 0 if mask is None else 0x80
    head = bytes(((0x80 if fin else 0) | rsv << 4 | opcode,))
    if size < 126:
        head += bytes((bit | size,))
    else:
        head += struct.pack(">BH", bit | 126, size) if size < 65536 else struct.pack(">BQ", bit | 127, size)
    if mask is None:
        return head + payload
    key = (mask * (size // 4 + 1))[:size]
    return head + mask + (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)


def close(code: int, reason: bytes = b"") -> bytes:
    """Make a close frame."""
    return frame(struct.pack(">H", code) + reason, CLOSE)


def handshake(
    changed: Mapping[str, str | None] | None = None, *, method: str = "GET", version: str = "HTTP/1.1"
) -> bytes:
    """Make the request for an upgrade, with some headers changed or, where None, left out."""
    headers = {**HEADERS, **(changed or {})}
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([f"{method} /_mh/ws {version}", *lines, "", ""]).encode("latin-1")


class Frame(NamedTuple):
    """A frame that the gateway sent."""

    opcode: int
    payload: bytes


class RawSocket:
    """One connection. Everything that the gateway sends must be frames as a server may send them."""

    def __init__(self, url: str, timeout: float = 10) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._timeout, self._rest = timeout, b""

    def __enter__(self) -> RawSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    # --- the handshake ---

    def request(self, changed: Mapping[str, str | None] | None = None, **line: str) -> tuple[int, dict[str, str]]:
        """Ask for an upgrade as `handshake` does; give status and headers."""
        self.send(handshake(changed, **line))
        return self.answer()

    def answer(self) -> tuple[int, dict[str, str]]:
        """Read the head of an answer; give status and headers."""
        while b"\r\n\r\n" not in self._rest:
            data = self._socket.recv(65536)
            assert data, f"no answer but {self._rest!r}"
            self._rest += data
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *others = head.decode("latin-1").split("\r\n")
        return int(first.split()[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in others)}

    def join(self, subprotocol: str = JSON) -> dict[str, object]:
        """Shake hands, say hello in JSON, and give the welcome."""
        assert self.request({"Sec-WebSocket-Protocol": subprotocol})[0] == 101
        self.send(frame(b'{"type":"hello","client":"raw"}'))
        welcome = self.read()
        assert welcome is not None
        envelope = json.loads(welcome.payload)
        assert envelope["type"] == "welcome"
        return dict(envelope)

    # --- frames ---

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def send_chopped(self, data: bytes) -> None:
        """Send each byte in a segment of its own."""
        for byte in data:
            self._socket.sendall(bytes((byte,)))

    def finish(self) -> None:
        """Send no more, and go on reading."""
        self._socket.shutdown(socket.SHUT_WR)

    def read(self) -> Frame | None:
        """Read a frame; None at the end of the stream."""
        head = self._exactly(2)
        if head is None:
            return None
        opcode, size = head[0] & 15, head[1]
        assert head[0] & 0x80, "a frame of the gateway is whole and has no reserved bits"
        assert not head[0] & 0x70, "a frame of the gateway is whole and has no reserved bits"
        assert opcode in (TEXT, BINARY, CLOSE, PING, PONG)
        assert size < 128, "a frame of a server is not masked"
        if size >= 126:
            size = int.from_bytes(self._exactly(2 if size == 126 else 8) or b"")
        payload = self._exactly(size)
        assert payload is not None, "the stream ends within a frame"
        return Frame(opcode, payload)

    def read_to_end(self) -> list[Frame]:
        """Read until the stream ends. Raises `TimeoutError` if it does not."""
        frames: list[Frame] = []
        deadline = time.monotonic() + self._timeout
        while one := self.read():
            frames.append(one)
            assert time.monotonic() < deadline, "the gateway goes on sending"
        return frames

    def read_bytes(self) -> bytes:
        """Read until the stream ends, whatever it is."""
        with contextlib.suppress(ConnectionResetError):
            while data := self._socket.recv(65536):
                self._rest += data
        return self._rest

    def _exactly(self, size: int) -> bytes | None:
        with contextlib.suppress(ConnectionResetError):
            while len(self._rest) < size and (data := self._socket.recv(65536)):
                self._rest += data
        if len(self._rest) < size:
            assert not self._rest, f"the stream ends within a frame: {self._rest!r}"
            return None
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def code_of(frames: Sequence[Frame]) -> int | None:
    """Give the code of the close frame, which is the last of them; None where there is none."""
    closes = [one for one in frames if one.opcode == CLOSE]
    assert closes in ([], list(frames[-1:])), "nothing follows a close frame"
    return struct.unpack_from(">H", closes[0].payload)[0] if closes else None
