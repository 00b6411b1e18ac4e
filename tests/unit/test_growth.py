"""Texts that grow: what an update says of them, and when it says everything."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from manyhands import fields
from manyhands.mutations import Mutation
from manyhands.paths import Path, encode_path
from manyhands.updates import Outcome, splice
from manyhands_worker.changes import Changes, encode_changes
from manyhands_worker.growth import LEAST, MOST, Texts

BASE = "é" * LEAST
TEXT: Path = ("messages", "7", "text")


def assign(*values: tuple[Path, object]) -> Changes:
    return encode_changes([Mutation(path, value is None, value) for path, value in values], {}, any_defaults=False)


def stored(**texts: str) -> dict[bytes, bytes]:
    return {encode_path((name,)): value for name, text in texts.items() for _, _, value in assign(((name,), text)).ops}


def encode(texts: Texts, changes: Changes, outcome: Outcome | None = None) -> tuple[Any, Any]:
    """Give what an update says, and the same update in full."""
    update, grown = texts.encode_update(changes, "c", 1, outcome, [])
    said = msgpack.unpackb(splice(update, 1))
    return said, msgpack.unpackb(splice(grown.in_full(), 1)) if grown else said


@pytest.mark.parametrize("outcome", [None, Outcome(ok=True)])
def test_of_a_text_that_grew_only_what_was_added_is_said(outcome: Outcome | None) -> None:
    texts = Texts(stored(a=BASE).get)
    said, in_full = encode(texts, assign((("b",), 1), (("a",), BASE + " and ü"), (("c",), None)), outcome)
    assert said.pop("add") == [[["a"], " and ü"]]
    assert said["set"] == [[["b"], 1]]
    assert in_full["set"] == [[["b"], 1], [["a"], BASE + " and ü"]]
    assert {**said, "set": in_full["set"]} == in_full


def test_what_a_run_has_written_itself_is_added_to_next() -> None:
    texts = Texts({}.get)
    text, added = BASE, []
    for word in ("", " one", " two", " three"):
        text += word
        changes = assign((TEXT, text))
        said, in_full = encode(texts, changes)
        texts.committed(changes.ops)
        assert in_full["set"] == [[list(TEXT), text]]
        added.append(said.get("add"))
    assert added == [None, [[list(TEXT), " one"]], [[list(TEXT), " two"]], [[list(TEXT), " three"]]]


def test_texts_in_a_dict_that_the_run_has_assigned_are_added_to() -> None:
    texts = Texts({}.get)
    texts.committed(assign((TEXT[:-1], {"by": "model", "text": BASE})).ops)
    said, _ = encode(texts, assign((TEXT, BASE + "!")))
    assert said["add"] == [[list(TEXT), "!"]]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BASE, "other" + BASE),
        (BASE, BASE[:-1]),
        ("short", "short and longer" + BASE),
        (BASE, None),
        (BASE, [BASE]),
        (BASE, BASE.encode() + b"!"),
        (BASE, 7),
    ],
)
def test_what_does_not_begin_with_what_was_there_is_said_in_full(before: str, after: object) -> None:
    said, in_full = encode(Texts(stored(a=before).get), assign((("a",), after)))
    assert "add" not in said
    assert said == in_full


def test_bytes_that_were_there_are_no_text_to_add_to() -> None:
    before = {encode_path(("a",)): assign((("a",), BASE.encode())).ops[0][2]}
    said, _ = encode(Texts(before.get), assign((("a",), BASE + "!")))
    assert "add" not in said


def test_a_text_assigned_twice_or_below_a_new_dict_is_said_in_full() -> None:
    known = {encode_path(TEXT): stored(a=BASE)[encode_path(("a",))]}
    twice = assign((TEXT, BASE + "!"))
    twice.add(assign((TEXT, BASE + "!?")))
    below = assign((TEXT[:1], {}))
    below.add(assign((TEXT, BASE + "!")))
    for changes in (twice, below):
        said, _ = encode(Texts(known.get), changes)
        assert "add" not in said
        assert said["set"][-1] == [list(TEXT), msgpack.unpackb(changes.set_views[-1][1])]


def test_an_update_that_tells_of_rooms_says_everything() -> None:
    update, grown = Texts(stored(a=BASE).get).encode_update(assign((("a",), BASE + "!")), "c", 1, None, [("r", True)])
    assert grown is None
    assert msgpack.unpackb(splice(update, 1))["set"] == [[["a"], BASE + "!"]]


def test_a_run_remembers_the_latest_texts_alone() -> None:
    texts = Texts({}.get)
    for n in range(MOST + 1):
        texts.committed(assign(((str(n),), BASE)).ops)
    said = [encode(texts, assign(((str(n),), BASE + "!")))[0] for n in range(MOST + 1)]
    assert ["add" in one for one in said] == [False] + [True] * MOST


def test_of_what_a_run_writes_it_keeps_texts_alone() -> None:
    texts = Texts({}.get)
    written = assign((("bytes",), BASE.encode()), (("list",), [BASE]), (("dict",), {BASE: 1}), (("text",), BASE))
    texts.committed(written.ops)
    assert list(texts._own) == [encode_path(("text",))]


def test_what_is_stored_is_the_whole_text() -> None:
    changes = assign((("a",), BASE + "!"))
    encode(Texts(stored(a=BASE).get), changes)
    kept: dict[bytes, bytes] = stored(a=BASE)
    fields.apply(kept, changes.ops)
    assert kept == stored(a=BASE + "!")
