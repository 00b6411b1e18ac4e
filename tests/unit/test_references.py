"""What stands for a large field, and what of its content browsers may fetch."""

from __future__ import annotations

import hashlib

import msgpack
import numpy as np
import pytest
from PIL import Image

import manyhands as mh
from manyhands import codec, fields
from manyhands.errors import DamagedValue
from manyhands.references import (
    CHUNK,
    LARGE,
    chunk_size,
    chunks_of,
    count_chunks,
    is_large,
    is_reference,
    read_reference,
    refer,
)
from manyhands.types.files import kept_apart
from manyhands.wire import MOST_INLINE

KEY = b"k" * 16


def encoded(value: object) -> bytes:
    with kept_apart():
        return codec.encode_with_view(value)


@pytest.mark.parametrize("size", [LARGE, MOST_INLINE - 5, MOST_INLINE, 70_000, 2**17])
def test_a_reference_has_the_view_or_where_to_fetch_it(size: int) -> None:
    field = encoded("x" * size)
    reference, content = refer("s", field, KEY)
    assert (is_large(field), is_large(reference), is_reference(reference)) == (True, False, True)
    assert read_reference(reference) == content.reference
    assert codec.decode(content.data) == "x" * size
    view = msgpack.unpackb(codec.view_part(reference))
    part = content.data[content.blob.offset :][: content.blob.length]
    assert msgpack.unpackb(part) == "x" * size
    if len(field) > MOST_INLINE:
        url = f"/_mh/blob/s/{content.digest.hex()}"
        assert view == {"$blob": url, "type": "application/json", "size": len(field)}
    else:
        assert view == "x" * size


def test_of_a_value_with_a_view_the_view_is_fetched() -> None:
    array = np.arange(20_000, dtype="i8")
    reference, content = refer("s", encoded(array), KEY)
    shown = content.data[content.blob.offset :][: content.blob.length]
    assert msgpack.unpackb(shown) == array.tolist()
    assert np.array_equal(codec.decode(content.data), array)
    assert len(reference) < 200


@pytest.mark.parametrize("size", [24_000, MOST_INLINE, MOST_INLINE + 1, 2**16 - 1, 2**16, 300_000])
def test_a_file_is_fetched_as_it_is(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    reference, content = refer("s", encoded(mh.pack_bytes(data, "image/webp")), KEY)
    view = msgpack.unpackb(codec.view_part(reference))
    if size > 24_000:
        assert view == f"/_mh/blob/s/{content.digest.hex()}"
        assert (content.data[content.blob.offset :][: content.blob.length], content.blob.mime_type) == (
            data, "image/webp",
        )  # fmt: skip
        assert len(content.data) < size + 50
    else:
        assert view.startswith("data:image/webp;base64,")
    assert codec.decode(content.data).data == data


def test_an_image_is_fetched_as_png() -> None:
    noise = hashlib.shake_128(b"x").digest(3 * 200 * 200)
    reference, content = refer("s", encoded(Image.frombytes("RGB", (200, 200), noise)), KEY)
    png = content.data[content.blob.offset :][: content.blob.length]
    assert png.startswith(b"\x89PNG")
    assert png.endswith(b"IEND\xaeB`\x82")
    assert content.blob.mime_type == "image/png"
    assert msgpack.unpackb(codec.view_part(reference)).startswith("/_mh/blob/s/")


def test_a_url_of_a_room_is_one_of_a_path() -> None:
    reference, _ = refer("room:a b/ü?", encoded("x" * 50_000), KEY)
    assert msgpack.unpackb(codec.view_part(reference))["$blob"].startswith("/_mh/blob/room%3Aa%20b/%C3%BC%3F/")


def test_digests_differ_from_key_to_key_and_tell_nothing_without_it() -> None:
    field = encoded("x" * 50_000)
    digests = {refer("s", field, key)[1].digest for key in (b"a" * 16, b"b" * 16)}
    assert len(digests) == 2
    assert hashlib.blake2b(field, digest_size=16).digest() not in digests


def test_markers_and_references_are_never_large() -> None:
    marker = fields.encode_marker(dict.fromkeys(map(str, range(10_000))))
    assert len(marker) > LARGE
    assert not is_large(marker)
    assert not is_large(fields.CUT)


def test_a_content_is_cut_into_chunks_that_make_it_again() -> None:
    for size in (1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK):
        data = bytes(size)
        chunks = chunks_of(data)
        assert [len(one) for one in chunks] == [chunk_size(size, at) for at in range(count_chunks(size))]
        assert b"".join(chunks) == data


@pytest.mark.parametrize("damage", [slice(0, 2), slice(0, 25), slice(0, 26)])
def test_a_reference_that_is_cut_off_is_damaged(damage: slice) -> None:
    reference, _ = refer("s", encoded("x" * 50_000), KEY)
    with pytest.raises(DamagedValue):
        read_reference(reference[damage])
    with pytest.raises(DamagedValue, match="was not fetched"):
        codec.decode(reference)
