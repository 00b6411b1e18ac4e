"""What lies in a mailbox: one accepted event, as the gateway writes it and the worker reads it.

A letter is the client's id and the event's number, which the store's scripts read, and a body that only the worker
reads. The gateway has checked everything in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack

from manyhands import codec
from manyhands.errors import DamagedValue
from manyhands.packing import pack
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
    #: When the gateway got it, in seconds since 1970 by the gateway's clock; None in a letter that does not say.
    posted: float | None = field(default=None, compare=False)
    #: The span before, in the trace that the event belongs to: see `trace_context`. None where it belongs to none.
    traceparent: str | None = None


def encode_body(body: Body) -> bytes:
    """Encode a body. Raises `NotSerialisable` for a payload with, say, a lone surrogate."""
    repeaters = [[list(one.state), one.key, one.key_variable, one.value_variable] for one in body.context.repeaters]
    context = (body.context.event, body.context.target, repeaters)
    return codec.encode([body.handler, body.payload, *context, body.posted, body.traceparent], ("payload",))


def with_traceparent(encoded: bytes, before: str | None, traceparent: str) -> bytes:
    """Give an encoded body another traceparent than `before`: it stands at the end."""
    return encoded[: -len(pack(before))] + pack(traceparent)


def handler_in(encoded: bytes) -> str:
    """Give the handler of an encoded body, and decode nothing else of it."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(encoded))
    unpacker.feed(encoded)
    unpacker.read_array_header()
    return str(unpacker.unpack())


def decode_body(encoded: bytes) -> Body:
    """Decode a body. Raises `DamagedValue`."""
    parts = codec.decode(encoded)
    try:
        handler, payload, event, target, repeaters, *more = parts
        # A gateway of an earlier version wrote nothing more.
        posted, traceparent = more or (None, None)
        around = tuple(Repeater(tuple(path), key, name, value) for path, key, name, value in repeaters)
    except (TypeError, ValueError) as error:
        raise DamagedValue(f"it is no letter: {error}") from error
    if not isinstance(handler, str):
        raise DamagedValue("it is no letter: its handler has no name")
    if not isinstance(posted, float | None) or not isinstance(traceparent, str | None):
        raise DamagedValue("it is no letter: its time or its trace is none")
    return Body(handler, payload, Context(event, target, around), posted, traceparent)


