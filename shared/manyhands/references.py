"""Large fields: what stands for them in the state, and what browsers get of them over HTTP.

A field's stored bytes from `LARGE` on are its *content*, kept apart in chunks under their digest. In the state stands

    reference   0xc1 "R", digest (16 bytes), size of the content (8 bytes, big-endian), the view

where the view is what browsers are sent: the value's own up to `MOST_INLINE` bytes, else the URL of a *blob*, the part
of the content that a gateway serves without decoding anything. Of a table with an Arrow stream it is the stream alone.

A digest is keyed with a secret of the session's that no browser knows. So it tells nothing of what a value hides from
browsers, and who knows a blob's URL was told it in that very session.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from urllib.parse import quote

import msgpack

from manyhands import codec
from manyhands.errors import DamagedValue
from manyhands.packing import pack, unpack
from manyhands.types import Code
from manyhands.wire import BLOB_PATH, MOST_INLINE, Key

#: Bytes of a field from which on it is kept apart from the state.
LARGE = 16 * 1024
#: Bytes of a chunk: what Redis, a gateway and a worker move at a time, between other things that they do.
CHUNK = 256 * 1024
DIGEST = 16

#: The types of blobs that are no file: a view, which is served as JSON or, to whoever asks for it, as msgpack.
JSON, MSGPACK = "application/json", "application/x-msgpack"
ARROW = "application/vnd.apache.arrow.stream"

_HEAD = struct.Struct(f">2s{DIGEST}sQ")
#: msgpack's headers of extensions and of bytes: the size of their lengths.
_EXTENSIONS = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_BYTES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
#: The first byte of a table's view that holds a stream, a map of four, and what lies in it before the stream.
_WITH_ARROW, _BEFORE_ARROW = 0x84, 7
_TABLES = frozenset({Code.DATA_FRAME, Code.ARROW_TABLE, Code.POLARS})


@dataclass(frozen=True, slots=True)
class Reference:
    """What a large field is found by."""

    digest: bytes
    #: Bytes of the content.
    size: int


@dataclass(frozen=True, slots=True)
class Blob:
    """What a browser may fetch of a content: so many bytes from an offset, and their type."""

    offset: int
    length: int
    mime_type: str

    @property
    def is_view(self) -> bool:
        """Whether it is a view in msgpack, and not a file as it is."""
        return self.mime_type == JSON


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a large field."""

    digest: bytes
    data: bytes
    blob: Blob

    @property
    def reference(self) -> Reference:
        """What it is found by."""
        return Reference(self.digest, len(self.data))


def is_reference(field: bytes) -> bool:
    """Tell whether a stored value is a reference."""
    return field[:2] == codec.REFERENCE_MARK


def is_large(field: bytes) -> bool:
    """Tell whether a stored value is to be kept apart from the state."""
    # Markers of dicts with many keys are long, too, and so are references with their views.
    return len(field) >= LARGE and (field[:1] != b"\xc1" or field[:2] == codec.VIEW_MARK)


def read_reference(field: bytes) -> Reference:
    """Read a reference. Raises `DamagedValue`."""
    if len(field) <= codec.REFERENCE_HEAD:
        raise DamagedValue("a reference to a large value is cut off")
    _, digest, size = _HEAD.unpack_from(field)
    return Reference(digest, size)


def refer(session: str, field: bytes, key: bytes) -> tuple[bytes, Content]:
    """Make the reference that stands for a large field, and its content. `key`: the session's secret."""
    view = codec.view_part(field)
    data, blob = field, Blob(len(field) - len(view), len(view), JSON)
    file = _file_in(field) if len(view) > MOST_INLINE else None
    before_stream = _arrow_in(field, view) if len(view) > MOST_INLINE else 0
    if file is not None:
        # Of a file the view, its `data:` URL, is not kept.
        data, blob = file
    if before_stream:
        start = len(field) - len(view) + before_stream + 1 + _BYTES[view[before_stream]]
        blob = Blob(start, len(field) - start, ARROW)
    digest = _digest(data, key)
    if len(view) > MOST_INLINE:
        url = _url(session, digest)
        fetched = {Key.BLOB: url, Key.TYPE: blob.mime_type, Key.SIZE: blob.length}
        view = view[:before_stream] + pack(url if file else fetched)
    return _HEAD.pack(codec.REFERENCE_MARK, digest, len(data)) + view, Content(digest, data, blob)


def refer_file(session: str, field: bytes, key: bytes) -> tuple[str, Content]:
    """Make the URL of a file that the state need not hold, and its content. `field`: the file, without a view."""
    data, blob = _packed_file(field)
    digest = _digest(data, key)
    return _url(session, digest), Content(digest, data, blob)


def _digest(data: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=DIGEST, key=key).digest()


def _url(session: str, digest: bytes) -> str:
    return f"{BLOB_PATH}/{quote(session)}/{digest.hex()}"


def _file_in(field: bytes) -> tuple[bytes, Blob] | None:
    """Find the file that a field is, an image or one that the app has packed: its content, and where in it it lies."""
    value = codec.value_part(field)
    code = _extension(value)
    if code == Code.FILE:
        return _packed_file(value)
    if code in (Code.IMAGE, Code.DRAWING):
        start = len(field) - len(codec.view_part(field))
        # Of an image without pixels there is no picture, but then nothing is large.
        head = 1 + _BYTES[field[start]]
        mime_type = "image/png" if code == Code.IMAGE else codec.decode(field).mime_type
        return field, Blob(start + head, len(field) - start - head, mime_type)
    return None


def _arrow_in(field: bytes, view: bytes) -> int:
    """Find where in a table's view its Arrow stream begins, which is the last of it; 0: nowhere, or too far behind."""
    if _extension(codec.value_part(field)) not in _TABLES or view[0] != _WITH_ARROW:
        return 0
    unpacker = msgpack.Unpacker()
    unpacker.feed(view[:MOST_INLINE])
    try:
        unpacker.read_map_header()
        for _ in range(_BEFORE_ARROW):
            unpacker.skip()
    except msgpack.OutOfData:
        return 0
    return int(unpacker.tell())


def _extension(value: bytes) -> int | None:
    length = _EXTENSIONS.get(value[0])
    return None if length is None else value[1 + length]


def _packed_file(value: bytes) -> tuple[bytes, Blob]:
    # An extension that holds an array of two: the bytes, and behind them their type.
    at = 2 + _EXTENSIONS[value[0]] + 1
    start = at + 1 + _BYTES[value[at]]
    length = int.from_bytes(value[at + 1 : start])
    return value, Blob(start, length, unpack(value[start + length :]))


def chunks_of(data: bytes) -> list[memoryview]:
    """Cut a content into its chunks, without copying it."""
    view = memoryview(data)
    return [view[at : at + CHUNK] for at in range(0, len(data), CHUNK)]


def count_chunks(size: int) -> int:
    """Give how many chunks so many bytes have."""
    return -(-size // CHUNK)


def chunk_size(size: int, number: int) -> int:
    """Give how many bytes of a content of this size its chunk of a number has."""
    return min(CHUNK, size - number * CHUNK)


def chunk_name(digest: bytes, number: int) -> bytes:
    """Give the name by which a chunk is stored."""
    return digest + number.to_bytes(4, "big")
