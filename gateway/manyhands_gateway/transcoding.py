"""Turns a large view from msgpack into JSON, piece by piece: never much of it at once, and other greenlets in between.

What fits into a window is decoded and encoded as it is, some values at a time. Of what does not, a map or a list is
entered, and text or bytes are turned slice by slice.
"""

from __future__ import annotations

import base64
import codecs
from collections.abc import Iterator
from typing import Any

import msgpack

from manyhands.errors import DamagedValue
from manyhands.wire import BYTES_KEY
from manyhands_gateway.frames import encode_json

#: Bytes that are decoded at once, some milliseconds' work at most: a multiple of 3, for base64, and more than a key.
WINDOW = 48 * 1024
_LISTS, _MAPS = {0xDC: 2, 0xDD: 4}, {0xDE: 2, 0xDF: 4}
_TEXTS, _BYTES = {0xD9: 1, 0xDA: 2, 0xDB: 4}, {0xC4: 1, 0xC5: 2, 0xC6: 4}


class Transcoder:
    """The JSON of one view."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._buffer = bytearray()

    def pieces(self) -> Iterator[bytes]:
        """Give it, piece by piece. Raises `DamagedValue` for what is no view."""
        yield from self._items(1, 1)
        if self._fill(1):
            raise DamagedValue("more bytes follow a view")

    def _items(self, count: int, width: int) -> Iterator[bytes]:
        """Give so many values of a list, or with a width of 2 keys and values of a map, with commas between."""
        left = count
        while left:
            comma = b"," if left < count else b""
            found = self._decode(left * width, width)
            if found:
                shown = dict(zip(found[::2], found[1::2], strict=True)) if width > 1 else found
                left -= len(found) // width
                yield comma + encode_json(shown)[1:-1]
                continue
            yield comma
            if width > 1:
                yield from self._large()
                yield b":"
                yield from self._items(1, 1)
            else:
                yield from self._large()
            left -= 1

    def _decode(self, most: int, width: int) -> list[Any]:
        """Decode as many values as lie in the window as a whole, or none."""
        at_hand = self._fill(WINDOW)
        unpacker = msgpack.Unpacker(max_buffer_size=WINDOW, strict_map_key=False)
        unpacker.feed(memoryview(self._buffer)[: min(at_hand, WINDOW)])
        found: list[Any] = []
        ends = [0]
        try:
            while len(found) < most:
                found.append(unpacker.unpack())
                if len(found) % width == 0:
                    ends.append(unpacker.tell())
        except msgpack.OutOfData:
            pass
        except (ValueError, msgpack.UnpackException) as error:
            # What says that it is longer than the window is not even begun.
            if "exceeds max_" not in str(error):
                raise DamagedValue(f"a view is no msgpack: {error}") from error
        del found[len(found) - len(found) % width :]
        del self._buffer[: ends[-1]]
        return found

    def _large(self) -> Iterator[bytes]:
        """Give one value that may not fit into the window."""
        if not self._fill(1):
            raise DamagedValue("a view ends too early")
        first = self._buffer[0]
        if first in _LISTS:
            yield b"["
            yield from self._items(self._length(_LISTS[first]), 1)
            yield b"]"
        elif first in _MAPS or 0x80 <= first < 0x90:
            yield b"{"
            yield from self._items(self._length(_MAPS[first]) if first in _MAPS else self._take(1)[0] & 0x0F, 2)
            yield b"}"
        elif 0x90 <= first < 0xA0:
            yield b"["
            yield from self._items(self._take(1)[0] & 0x0F, 1)
            yield b"]"
        elif first in _TEXTS:
            yield from self._text(self._length(_TEXTS[first]))
        elif first in _BYTES:
            yield from self._base64(self._length(_BYTES[first]))
        else:
            # A short key, whose value is what does not fit.
            found = self._decode(1, 1)
            if not found:
                raise DamagedValue("a view ends too early")
            yield encode_json(found[0])

    def _text(self, length: int) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        yield b'"'
        for part in self._slices(length):
            yield encode_json(decoder.decode(part))[1:-1]
        yield b'"'

    def _base64(self, length: int) -> Iterator[bytes]:
        yield b'{"%b":"' % BYTES_KEY.encode()
        for part in self._slices(length):
            yield base64.b64encode(part)
        yield b'"}'

    def _slices(self, length: int) -> Iterator[bytes]:
        while length:
            part = self._take(min(length, WINDOW))
            length -= len(part)
            yield part

    def _length(self, width: int) -> int:
        return int.from_bytes(self._take(1 + width)[1:])

    def _take(self, count: int) -> bytes:
        if self._fill(count) < count:
            raise DamagedValue("a view ends too early")
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _fill(self, count: int) -> int:
        """Read on until so many bytes are at hand, if so many are left; give how many are."""
        while len(self._buffer) < count:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._buffer += chunk
        return len(self._buffer)
