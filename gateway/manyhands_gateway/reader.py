"""What a browser sends, cut from bytes into messages as RFC 6455 demands. Without I/O.

Every frame of every browser passes here, which is why it is ours: a frame that lies whole in what was read, as nearly
all do, is unmasked in one step.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from manyhands.errors import ManyHandsError
from manyhands.wire import Opcode

#: Close codes of RFC 6455.
NO_STATUS, PROTOCOL_ERROR, BAD_TEXT = 1005, 1002, 1007
#: Bytes that a control frame may carry.
MAX_CONTROL = 125

_FINAL, _RESERVED, _OPCODE = 0x80, 0x70, 0x0F
_MASKED, _SIZE = 0x80, 0x7F
#: A size of 7 bits may say that the size proper stands behind it: in so many bytes, and how much it is at least.
_WIDE = {126: (2, 126), 127: (8, 65536)}


_OPCODES = frozenset(map(int, Opcode))
#: The first bytes of a frame that is a message by itself.
_WHOLE = _WHOLE_TEXT, _WHOLE_BINARY = _FINAL | Opcode.TEXT, _FINAL | Opcode.BINARY


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a pong with the same payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """Answers a ping, or none."""


@dataclass(frozen=True, slots=True)
class TooBig:
    """A message has more bytes than it may. It is thrown away, and so is every one after it."""


@dataclass(frozen=True, slots=True)
class End:
    """The browser's close frame, or what is wrong with its bytes. Nothing that comes afterwards is looked at."""

    code: int
    reason: str = ""


#: Messages in text are `str`, binary ones `bytes`.
Item = str | bytes | Ping | Pong | TooBig | End


class _Broken(ManyHandsError):
    """The bytes are no frames of a browser; raised and caught in this module alone."""

    def __init__(self, reason: str, code: int = PROTOCOL_ERROR) -> None:
        self.end = End(code, reason)
        super().__init__(reason)


class FrameReader:
    """Reads one browser's frames, whatever the pieces in which they arrive."""

    __slots__ = ("_decoder", "_final", "_key", "_kind", "_left", "_parts", "_rest", "ended", "limit", "overflown")

    def __init__(self, limit: int) -> None:
        """`limit` is in bytes of a message."""
        self.limit = limit
        self.ended = self.overflown = False
        #: The beginning of a frame whose head, or control frame that itself, has not come whole.
        self._rest = b""
        #: The opcode of the message in the making, None between messages, and what has come of it: one buffer, not a
        #: list, since a hostile message may come in millions of parts.
        self._kind: int | None = None
        self._parts = bytearray()
        #: Tells of bad text before its message is whole.
        self._decoder: codecs.IncrementalDecoder | None = None
        #: Of a data frame under way: the bytes to come, whether it ends its message, and the next byte's mask.
        self._left, self._final, self._key = 0, False, b""

    def feed(self, data: bytes) -> list[Item]:
        """Take what was read, and give what it completes."""
        items: list[Item] = []
        if self.ended:
            return items
        try:
            self._rest = self._cut(self._rest + data if self._rest else data, items)
        except _Broken as broken:
            self._finish(broken.end, items)
        return items

    def _cut(self, data: bytes, items: list[Item]) -> bytes:
        """Cut off frame after frame; give what is left, the beginning of one."""
        at, end = self._go_on(data, 0, items) if self._left else 0, len(data)
        while end - at >= 2 and not self.ended:
            first, start = data[at], at + 6
            size = data[at + 1] - _MASKED
            if (
                first in _WHOLE
                and 0 <= size < 126 and start + size <= end
                and self._kind is None and size <= self.limit and not self.overflown
            ):  # fmt: skip
                at = start + size
                message = unmask(data[start:at], data[start - 4 : start])
                items.append(message if first == _WHOLE_BINARY else _text(message))
                continue
            found = _measure(data, at)
            if found is None:
                break
            start, size = found
            if first & _OPCODE < Opcode.CLOSE:
                self._begin(first & _OPCODE, size, items)
                self._left, self._final, self._key = size, bool(first & _FINAL), data[start - 4 : start]
                at = self._go_on(data, start, items)
            elif start + size > end:
                break
            else:
                at = start + size
                self._control(first & _OPCODE, unmask(data[start:at], data[start - 4 : start]), items)
        return b"" if self.ended else data[at:]

    def _begin(self, opcode: int, size: int, items: list[Item]) -> None:
        """Begin a data frame."""
        if opcode == Opcode.CONTINUATION:
            if self._kind is None:
                raise _Broken("a frame goes on with a message, but none has begun")
        elif self._kind is not None:
            raise _Broken("a message begins before the last one has ended")
        else:
            self._kind = opcode
            self._decoder = codecs.getincrementaldecoder("utf-8")() if opcode == Opcode.TEXT else None
        if len(self._parts) + size > self.limit and not self.overflown:
            self.overflown = True
            self._parts = bytearray()
            items.append(TooBig())

    def _go_on(self, data: bytes, at: int, items: list[Item]) -> int:
        """Take what has come of a data frame's payload; give the place behind it."""
        end = min(at + self._left, len(data))
        self._left -= end - at
        whole = self._final and not self._left
        if not self.overflown:
            part = unmask(data[at:end], self._key)
            turn = (end - at) % 4
            self._key = self._key[turn:] + self._key[:turn]
            self._parts += part
            if self._decoder is not None:
                _text(part, self._decoder, whole=whole)
        if whole:
            kind, self._kind = self._kind, None
            if not self.overflown:
                items.append(self._parts.decode() if kind == Opcode.TEXT else bytes(self._parts))
                self._parts = bytearray()
        return end

    def _control(self, opcode: int, payload: bytes, items: list[Item]) -> None:
        if opcode == Opcode.PING:
            items.append(Ping(payload))
        elif opcode == Opcode.PONG:
            items.append(Pong())
        else:
            self._finish(_read_close(payload), items)

    def _finish(self, end: End, items: list[Item]) -> None:
        self.ended = True
        self._rest, self._parts = b"", bytearray()
        items.append(end)


def unmask(payload: bytes, key: bytes) -> bytes:
    """Take a mask of 4 bytes off, from all bytes at once: as two large numbers."""
    size = len(payload)
    mask = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(mask)).to_bytes(size)


def _measure(data: bytes, at: int) -> tuple[int, int] | None:
    """Give where a frame's payload begins, and its bytes; None where its head has not come whole."""
    first, second = data[at], data[at + 1]
    opcode, size, start = first & _OPCODE, second & _SIZE, at + 6
    if first & _RESERVED:
        raise _Broken("a frame has reserved bits, and no extension was agreed")
    if opcode not in _OPCODES:
        raise _Broken(f"there is no opcode {opcode}")
    if not second & _MASKED:
        raise _Broken("a frame is not masked")
    if opcode >= Opcode.CLOSE and (size > MAX_CONTROL or not first & _FINAL):
        raise _Broken(f"a control frame comes in one piece of at most {MAX_CONTROL} bytes")
    if size in _WIDE:
        width, least = _WIDE[size]
        start += width
        if start <= len(data):
            size = int.from_bytes(data[at + 2 : at + 2 + width])
            if not least <= size < 2**63:
                raise _Broken("a frame's length is not written in as few bytes as may be")
    return (start, size) if start <= len(data) else None


def _text(data: bytes, decoder: codecs.IncrementalDecoder | None = None, *, whole: bool = True) -> str:
    try:
        return data.decode() if decoder is None else decoder.decode(data, whole)
    except UnicodeDecodeError:
        raise _Broken("text is not UTF-8", BAD_TEXT) from None


def _read_close(payload: bytes) -> End:
    if not payload:
        return End(NO_STATUS)
    code = int.from_bytes(payload[:2])
    if len(payload) == 1 or not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise _Broken("a close frame has no code that may be sent")
    return End(code, _text(payload[2:]))
