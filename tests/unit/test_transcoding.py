"""Large views as JSON, piece by piece: the same as all at once, whatever does not fit into a window."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands.errors import DamagedValue
from manyhands_gateway import transcoding
from manyhands_gateway.frames import encode_json
from manyhands_gateway.transcoding import WINDOW, Transcoder

BIG = 3 * WINDOW
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text() | st.binary()
views = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=50)


def chunks_of(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def transcoded(view: Any, size: int = 1000) -> bytes:
    return b"".join(Transcoder(chunks_of(msgpack.packb(view), size)).pieces())


@pytest.mark.parametrize(
    "view",
    [
        "é€😀" * BIG, bytes(range(256)) * 1000, list(range(BIG)), {str(n): n for n in range(BIG)},
        {"columns": ["a"], "rows": [[n, "x" * 100, float("nan")] for n in range(5000)], "length": 3},
        {"x" * BIG: ["y" * BIG, {"z" * BIG: b"b" * BIG}]}, [[["x" * BIG]]], [float("nan")] * BIG, {"k": "x" * BIG},
        [{}, [], {"a": [{}] * BIG}], [b"x" * 1000] * 500, {"k" * 300: ["x" * BIG], "l": 1}, [1] * 15 + ["x" * BIG],
    ],
    ids=range(13),
)  # fmt: skip
def test_a_large_view_gives_the_same_json_as_at_once(view: Any) -> None:
    assert transcoded(view) == encode_json(view)
    pieces = list(Transcoder(chunks_of(msgpack.packb(view), 256 * 1024)).pieces())
    assert max(map(len, pieces)) < 8 * WINDOW


@given(views, st.integers(1, 50))
def test_any_view_gives_the_same_json_with_a_tiny_window(view: Any, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transcoding, "WINDOW", 36)
        assert json.loads(transcoded(view, size)) == json.loads(encode_json(view))


@pytest.mark.parametrize(
    "damage", [b"", b"\x91", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xa5abc", b"\x01\x02", b"\x81\x01"]
)
def test_what_is_no_view_is_damaged(damage: bytes) -> None:
    with pytest.raises(DamagedValue):
        list(Transcoder(iter([damage])).pieces())
