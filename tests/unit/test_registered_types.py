"""An app's own types are stored by its functions; files that it packs are shown as URLs."""

from __future__ import annotations

import io
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgpack
import pytest

import manyhands as mh
from manyhands import codec
from manyhands.errors import AppError, DamagedValue, NotSerialisable
from manyhands.mutations import Mutation
from manyhands.types import REGISTERED, Code
from manyhands_worker.changes import encode_changes


class Whole(Fraction):
    pass


@pytest.fixture(autouse=True)
def _forget_types(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = dict(REGISTERED)
    monkeypatch.setattr("manyhands.extension_types.types.REGISTERED", kept)
    monkeypatch.setattr("manyhands.types.registered.REGISTERED", kept)
    monkeypatch.setattr("manyhands.types.registered._UNPACKERS", {})


def register_fractions(**more: Any) -> None:
    mh.register_type(Fraction, pack=Fraction.as_integer_ratio, unpack=lambda pair: Fraction(*pair), **more)


def test_a_registered_type_comes_back_at_any_depth() -> None:
    register_fractions()
    value = [{"a": (Fraction(1, 3), 2**70)}, {Fraction(2, 3)}]
    assert codec.decode(codec.encode_with_view(value)) == value


def test_browsers_get_the_view_of_a_registered_type_or_else_what_it_is_packed_as() -> None:
    register_fractions()
    assert codec.view([Fraction(1, 3)]) == [[1, 3]]
    register_fractions(view=str)
    assert codec.view([Fraction(1, 3)]) == ["1/3"]


def test_a_subclass_of_a_registered_type_is_refused_since_it_would_come_back_as_less() -> None:
    register_fractions()
    with pytest.raises(NotSerialisable, match=r"test_registered_types\.Whole"):
        codec.encode_with_view(Whole(1))


def test_a_type_that_is_registered_no_more_is_a_damaged_value() -> None:
    packed = msgpack.packb(["fractions", "Fraction", [1, 3]])
    with pytest.raises(DamagedValue, match=r"has not registered the type fractions\.Fraction"):
        codec.decode(msgpack.packb(msgpack.ExtType(Code.REGISTERED, packed)))


def test_an_unpack_that_raises_is_a_damaged_value() -> None:
    register_fractions()
    stored = msgpack.packb(msgpack.ExtType(Code.REGISTERED, msgpack.packb(["fractions", "Fraction", [1, 0]])))
    with pytest.raises(DamagedValue, match="ZeroDivisionError"):
        codec.decode(stored)


def test_what_a_type_is_packed_as_must_be_storable() -> None:
    mh.register_type(Fraction, pack=lambda _: {1: 2}, unpack=Fraction)
    with pytest.raises(NotSerialisable, match=r'state\["a"\] holds a dict with the key 1'):
        codec.encode_with_view(Fraction(1), ("a",))


def test_a_pack_that_raises_is_called_once_and_named() -> None:
    calls = []

    def pack(value: Fraction) -> str:
        calls.append(value)
        raise RuntimeError("no connection")

    mh.register_type(Fraction, pack=pack, unpack=Fraction)
    (error,) = encode_changes([Mutation(("a",), False, Fraction(1))], {}, any_defaults=False).errors
    assert 'state["a"] holds a value that raised RuntimeError while it was stored (no connection)' in str(error)
    assert calls == [Fraction(1)]


@pytest.mark.parametrize("cls", [int, dict, OrderedDict, "Fraction", Fraction(1)])
def test_what_needs_or_allows_no_registering_says_so(cls: Any) -> None:
    with pytest.raises(AppError, match=r"register_type got .*; expected"):
        mh.register_type(cls, pack=str, unpack=Fraction)


def test_a_packed_file_comes_back_and_is_shown_as_a_url(tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    path.write_bytes(b"\x89PNG")
    file = mh.pack_file(path)
    with path.open("rb") as opened:
        assert mh.pack_file(opened) == file
    assert file == mh.pack_bytes(b"\x89PNG", "image/png") == mh.pack_file(str(path), "image/png")
    assert codec.decode(codec.encode_with_view([file])) == [file]
    assert codec.view(file) == "data:image/png;base64,iVBORw=="


def test_bytes_of_an_unknown_type_are_something_to_save() -> None:
    assert mh.pack_file(io.BytesIO(b"")).mime_type == mh.pack_bytes(b"").mime_type == "application/octet-stream"


@pytest.mark.parametrize(("data", "mime_type"), [("text", "text/plain"), (b"", "png"), (b"", "text/html,<script>")])
def test_what_is_no_file_says_what_is_expected(data: Any, mime_type: str) -> None:
    with pytest.raises(AppError, match=r"pack_bytes got .*; expected"):
        mh.pack_bytes(data, mime_type)


def test_a_file_that_is_damaged_is_refused() -> None:
    for content in (["text", "text/plain"], [b"", "text/html,<script>"], [b""]):
        with pytest.raises(DamagedValue):
            codec.decode(msgpack.packb(msgpack.ExtType(Code.FILE, msgpack.packb(content))))
