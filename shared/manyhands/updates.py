"""Updates and outcomes as bytes: encoded once by the worker, sent as they are to every browser.

An update begins with its `type` and `seq`, always at the same place and width, so that the store can write `seq` and
the gateway can read it without decoding anything.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manyhands import codec
from manyhands.errors import DamagedValue
from manyhands.packing import array_header, pack
from manyhands.paths import Path, wire_path
from manyhands.wire import Failure, Key, Type

#: `type`, `seq`, `set`, `unset`, `event`, `done` and, on done, `ok`, `result`, `error`; `mail` always.
_KEYS_PARTIAL, _KEYS_DONE = 7, 10
_SEQ_KEY: bytes = pack(Key.TYPE) + pack(Type.UPDATE) + pack(Key.SEQ)
_HEAD_PARTIAL = bytes([0x80 | _KEYS_PARTIAL]) + _SEQ_KEY
_HEAD_DONE = bytes([0x80 | _KEYS_DONE]) + _SEQ_KEY
#: Bytes before the number of an update: the same for all.
SEQ_OFFSET = len(_HEAD_DONE) + 1
_SEQ = struct.Struct(">Q")

#: Outcomes over this many bytes are not kept for `welcome`; the browser then learns only that the event has ended.
MAX_OUTCOME = 16 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an event ended. `result` is an encoded view."""

    ok: bool
    result: bytes = b"\xc0"
    error: tuple[Failure, str] | None = None
    mail: Sequence[Mapping[str, Any]] = ()


def encode_update(
    set_views: Sequence[tuple[Path, bytes]], unset: Sequence[Path], client: str, n: int, outcome: Outcome | None
) -> tuple[bytes, bytes]:
    """Encode an update as the parts before and after its `seq`. `outcome` is None for a partial update."""
    parts = [pack(Key.SET), array_header(len(set_views))]
    for path, view in set_views:
        parts += (b"\x92", wire_path(path), view)
    parts += (pack(Key.UNSET), array_header(len(unset)), *map(wire_path, unset))
    parts += (pack(Key.EVENT), pack({Key.CLIENT: client, Key.N: n}))
    parts += (pack(Key.DONE), pack(outcome is not None))
    if outcome:
        parts.append(_outcome_items(outcome))
    else:
        parts += (pack(Key.MAIL), b"\x90")
    return _HEAD_DONE if outcome else _HEAD_PARTIAL, b"".join(parts)


def encode_outcome(n: int, outcome: Outcome) -> bytes:
    """Encode what `welcome` says of an event that has ended; `b""` where it is too large to keep."""
    encoded = b"\x85" + pack(Key.N) + pack(n) + _outcome_items(outcome)
    return encoded if len(encoded) <= MAX_OUTCOME else b""


def _outcome_items(outcome: Outcome) -> bytes:
    error = {Key.CODE: outcome.error[0], Key.MESSAGE: outcome.error[1]} if outcome.error else None
    parts = (
        *(pack(Key.OK), pack(outcome.ok)),
        *(pack(Key.RESULT), outcome.result),
        *(pack(Key.ERROR), pack(error)),
        *(pack(Key.MAIL), codec.encode(list(outcome.mail), ("mail",))),
    )
    return b"".join(parts)


def splice(update: tuple[bytes, bytes], seq: int) -> bytes:
    """Join an update's parts around its number, as the store does."""
    return update[0] + b"\xcf" + _SEQ.pack(seq) + update[1]


def seq_of(update: bytes) -> int:
    """Read the number of an encoded update. Raises `DamagedValue`."""
    if len(update) < SEQ_OFFSET + _SEQ.size:
        raise DamagedValue("an update ends before its number")
    seq: int = _SEQ.unpack_from(update, SEQ_OFFSET)[0]
    return seq
