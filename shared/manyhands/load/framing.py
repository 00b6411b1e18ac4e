"""The client's half of a WebSocket (RFC 6455) without I/O: the handshake, and frames to and from bytes.

It does only what a load generator needs: an event (one frame sent, two received, each in a read of its own) costs 27 µs
of CPU with asyncio, where the same with the library websockets and its C speed-ups costs 53 µs.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from random import getrandbits

from manyhands.errors import ManyHandsError
from manyhands.load.address import Address
from manyhands.wire import SUBPROTOCOL_MSGPACK
from manyhands.wire import Opcode as Opcode

#: What RFC 6455 adds to a client's key before both sides hash it.
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#: Bytes of the longest message that is put together; a deployment that sends more than this is not one of ours.
MAX_MESSAGE = 256 * 2**20
#: Bytes of the longest answer to a handshake.
MAX_ANSWER = 64 * 2**10


class HandshakeRefused(ManyHandsError):
    """What answers at the address does not open a WebSocket. `status` is None where it does not speak HTTP."""

    def __init__(self, address: Address, status: int | None, reason: str) -> None:
        self.status = status
        super().__init__(f"{address.url} is no gateway that would have us: {reason}")


class BrokenFrame(ManyHandsError):
    """The bytes that came are no frames of a WebSocket server."""


class Handshake:
    """The opening of one socket: `request` is what is sent, `feed` takes the answer."""

    def __init__(self, address: Address, subprotocol: str = SUBPROTOCOL_MSGPACK) -> None:
        self.address, self.subprotocol = address, subprotocol
        self._key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._answer = b""

    @property
    def request(self) -> bytes:
        """The bytes to send first. There is no Origin: it is no page of a browser that asks."""
        return (
            f"GET {self.address.path} HTTP/1.1\r\nHost: {self.address.host_header}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {self._key}\r\nSec-WebSocket-Protocol: {self.subprotocol}\r\n"
            "User-Agent: manyhands-load\r\n\r\n"
        ).encode()

    def feed(self, data: bytes) -> bytes | None:
        """Take bytes; None while the answer is not complete, then the bytes after it. Raises `HandshakeRefused`."""
        self._answer += data
        head, end, rest = self._answer.partition(b"\r\n\r\n")
        if not end:
            if len(self._answer) > MAX_ANSWER:
                raise HandshakeRefused(self.address, None, "its answer has no end")
            return None
        self._check(head.decode("latin-1").split("\r\n"))
        return rest

    def _check(self, lines: list[str]) -> None:
        version, _, status = lines[0].partition(" ")
        if not version.startswith("HTTP/") or not status[:3].isdigit():
            raise HandshakeRefused(self.address, None, "it does not speak HTTP")
        if status[:3] != "101":
            raise HandshakeRefused(self.address, int(status[:3]), f"it answers {status}")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        expected = base64.b64encode(hashlib.sha1((self._key + _GUID).encode()).digest()).decode()
        if headers.get("sec-websocket-accept") != expected:
            raise HandshakeRefused(self.address, 101, "its Sec-WebSocket-Accept is wrong")
        if (chosen := headers.get("sec-websocket-protocol")) != self.subprotocol:
            raise HandshakeRefused(self.address, 101, f"it speaks {chosen}, not {self.subprotocol}")


def encode_frame(payload: bytes, opcode: Opcode = Opcode.BINARY) -> bytes:
    """Make one masked frame. The mask is random, as proxies expect, and applied to all bytes at once."""
    size = len(payload)
    key = getrandbits(32).to_bytes(4)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2)
    else:
        head = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8)
    mask = int.from_bytes((key * (size // 4 + 1))[:size])
    return head + key + (int.from_bytes(payload) ^ mask).to_bytes(size)


class FrameReader:
    """Cuts what arrives into messages, whatever the pieces in which it comes."""

    def __init__(self) -> None:
        self._rest = b""
        #: The frames of a message in pieces; its opcode is None between messages.
        self._pieces: list[bytes] = []
        self._opcode: int | None = None

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take bytes and give the messages, control frames included, that they complete. Raises `BrokenFrame`."""
        data = self._rest + data if self._rest else data
        messages: list[tuple[int, bytes]] = []
        position, available = 0, len(data)
        while available - position >= 2:
            first, size = data[position], data[position + 1]
            start = position + 2
            if size >= 126:
                wide = {126: 2, 127: 8}.get(size)
                if wide is None:
                    raise BrokenFrame("a server's frames are not masked, got one that is")
                size = int.from_bytes(data[start : start + wide])
                start += wide
                if size > MAX_MESSAGE and start <= available:
                    raise BrokenFrame(f"a frame has at most {MAX_MESSAGE} bytes, got one of {size}")
            if start + size > available:
                break
            position = start + size
            payload = data[start:position]
            if first & 0xF0 == 0x80 and first != 0x80:
                messages.append((first & 15, payload))
            else:
                messages.extend(self._join(first, payload))
        self._rest = data[position:]
        return messages

    def _join(self, first: int, payload: bytes) -> list[tuple[int, bytes]]:
        """Take a frame of a message that comes in several."""
        if first & 0x70:
            raise BrokenFrame("a frame has reserved bits, and no extension was agreed")
        if (first & 15 == Opcode.CONTINUATION) is (self._opcode is None):
            raise BrokenFrame("a message in pieces is out of order")
        self._opcode = first & 15 if self._opcode is None else self._opcode
        self._pieces.append(payload)
        if not first & 0x80:
            return []
        whole = (self._opcode, b"".join(self._pieces))
        self._pieces, self._opcode = [], None
        return [whole]
