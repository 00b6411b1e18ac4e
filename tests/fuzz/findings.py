"""Inputs that broke a decoder once: the target, what was wrong, and the input."""

from __future__ import annotations

from typing import Any

from manyhands.codec import VIEW_MARK
from manyhands.fields import CUT, DICT


def nested_extensions(levels: int) -> bytes:
    """Give tuples within tuples."""
    data = b"\xc0"
    for _ in range(levels):
        content = b"\x91" + data
        data = b"\xc9" + len(content).to_bytes(4) + b"\x01" + content
    return data


FINDINGS: list[tuple[str, str, Any]] = [
    ("value", "200 extension types within each other overran the stack and ended the process", nested_extensions(200)),
    ("value", "as many as it takes to overrun Python's own stack", nested_extensions(3000)),
    ("value", "a field that ends within its header raised struct.error", VIEW_MARK + b"\x00"),
    ("value", "a field that ends before its view showed nothing", VIEW_MARK + b"\x00\x00\x00\x05\xc0"),
    (
        "value",
        "a number of over 4,300 digits raised ValueError when it was shown",
        b"\xc8\x0b\xb8\x04\x7f" + b"\0" * 2999,
    ),
    ("letter", "a value that is no list raised TypeError", b"\x01"),
    ("letter", "a list of too few raised ValueError", b"\x92\xa1a\x01"),
    ("letter", "repeaters that are none raised TypeError", b"\x95\xa1a\xc0\xc0\xc0\x91\x01"),
    ("letter", "a handler that is no text was given as it came", b"\x95\x90\xc0\xc0\xc0\x90"),
    ("number", "an update that ends before its number raised struct.error", b""),
    ("tree", "a field without a name raised IndexError", {b"": b"\xc0"}),
    ("tree", "a dict without a name raised IndexError", {b"": DICT + b"\xa4type"}),
    ("tree", "a deletion without a name raised IndexError", {b"": CUT}),
]
