"""What lies in a mailbox: one accepted event, as the gateway writes it and the worker reads it.

A letter is the client's id and the event's number, which the store's scripts read, and a body that only the worker
reads. The gateway has checked everything in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from manyhands import codec
from manyhands.errors import DamagedValue
from manyhands.paths import Path


@dataclass(frozen=True, slots=True)
class Repeater:
    """One repeater around the element that an event came from; the worker looks its value up."""

    state: Path
    key: str
    key_variable: str = "itemId"
    value_variable: str = "item"


@dataclass(frozen=True, slots=True)
class Context:
    """Where in the page an event came from."""

    event: str | None = None
    target: str | None = None
    #: The outermost first.
    repeaters: Sequence[Repeater] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """What a browser asked for."""

    handler: str
    payload: Any = None
    context: Context = field(default_factory=Context)


def encode_body(body: Body) -> bytes:
    """Encode a body. Raises `NotSerialisable` for a payload with, say, a lone surrogate."""
    repeaters = [[list(one.state), one.key, one.key_variable, one.value_variable] for one in body.context.repeaters]
    return codec.encode([body.handler, body.payload, body.context.event, body.context.target, repeaters], ("payload",))


def decode_body(encoded: bytes) -> Body:
    """Decode a body. Raises `DamagedValue`."""
    parts = codec.decode(encoded)
    try:
        handler, payload, event, target, repeaters = parts
        around = tuple(Repeater(tuple(path), key, name, value) for path, key, name, value in repeaters)
    except (TypeError, ValueError) as error:
        raise DamagedValue(f"it is no letter: {error}") from error
    if not isinstance(handler, str):
        raise DamagedValue("it is no letter: its handler has no name")
    return Body(handler, payload, Context(event, target, around))


