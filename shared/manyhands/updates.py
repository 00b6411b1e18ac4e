"""Updates and outcomes as bytes: encoded once by the worker, sent as they are to every browser.

An update begins with its `type` and `seq`, always at the same place and width, so that the store can write `seq` and
the gateway can read it without decoding anything.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgpack

from manyhands.errors import DamagedValue
from manyhands.packing import array_header, pack
from manyhands.paths import Path, wire_path
from manyhands.store.turns import Grown, GrownText
from manyhands.wire import Failure, Key, Type

#: `type`, `seq`, `set`, `unset`, `event`, `done` and, on done, `ok`, `result`, `error`; `mail` always.
_KEYS_PARTIAL, _KEYS_DONE = 7, 10
#: Of a room's update: `type`, `seq`, `shared`, `set`, `unset`; of its whole state: `type`, `seq`, `shared`, `state`.
_KEYS_ROOM, _KEYS_ROOM_STATE = 5, 4
_SEQ_KEY: bytes = pack(Key.TYPE) + pack(Type.UPDATE) + pack(Key.SEQ)
_HEAD_PARTIAL, _HEAD_DONE, _HEAD_ROOM, _HEAD_ROOM_STATE = (
    bytes([0x80 | keys]) + _SEQ_KEY for keys in (_KEYS_PARTIAL, _KEYS_DONE, _KEYS_ROOM, _KEYS_ROOM_STATE)
)
_JOINED, _ADD, _SHARED = pack(Key.JOINED), pack(Key.ADD), pack(Key.SHARED)
# Written with every update, so encoded once.
_SET, _UNSET, _N, _RESULT, _ERROR = (pack(key) for key in (Key.SET, Key.UNSET, Key.N, Key.RESULT, Key.ERROR))
_EVENT = pack(Key.EVENT) + b"\x82" + pack(Key.CLIENT)
_DONE = {done: pack(Key.DONE) + pack(done) for done in (False, True)}
_OK = {ok: pack(Key.OK) + pack(ok) for ok in (False, True)}
_MAIL = pack(Key.MAIL)
_NO_MAIL = _MAIL + b"\x90"
_NO_ERROR = _ERROR + b"\xc0"
#: Bytes before the number of an update: the same for all.
SEQ_OFFSET = len(_HEAD_DONE) + 1
_SEQ = struct.Struct(">Q")

#: Bytes of a result, which travels in the update and in the log of updates. What is larger belongs into the state, of
#: which browsers fetch large values on their own.
MAX_RESULT = 2**20
#: Outcomes over this many bytes are not kept for `welcome`; the browser then learns only that the event has ended.
MAX_OUTCOME = 16 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an event ended. `result` is an encoded view, `mail` encoded pieces of it."""

    ok: bool
    result: bytes = b"\xc0"
    error: tuple[Failure, str] | None = None
    mail: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Growth:
    """A text whose beginning browsers have: its view, and the view of what was added."""

    path: Path
    #: The state's field, and the SHA-1 of what it held, in hex.
    field: bytes
    base: str
    view: bytes
    added: bytes


def encode_update(
    set_views: Sequence[tuple[Path, bytes]],
    unset: Sequence[Path],
    client: str,
    n: int,
    outcome: Outcome | None,
    joined: Sequence[tuple[str, bool]] = (),
    mail: Sequence[bytes] = (),
) -> tuple[bytes, bytes]:
    """Encode an update as the parts before and after its `seq`.

    `outcome` is None for a partial update, which has `mail` of its own. `joined`: the rooms that the session joins,
    with True, and leaves.
    """
    head, parts = _HEAD_DONE if outcome else _HEAD_PARTIAL, [*_changes(set_views, unset)]
    parts += _event_items(client, n, outcome, mail)
    if joined:
        head = _with_one_more(head)
        parts.insert(0, _JOINED + pack(dict(joined)))
    return head, b"".join(parts)


def encode_growth(
    growths: Sequence[Growth],
    set_views: Sequence[tuple[Path, bytes]],
    unset: Sequence[Path],
    client: str,
    n: int,
    outcome: Outcome | None,
    mail: Sequence[bytes] = (),
) -> tuple[tuple[bytes, bytes], Grown]:
    """Encode an update that says of some texts only what was added; and the same in full.

    `set_views` are the others, none of them above or below a text.
    """
    head = _HEAD_DONE if outcome else _HEAD_PARTIAL
    changes = _changes(set_views, unset)
    event = b"".join(_event_items(client, n, outcome, mail))
    added = (b"\x92" + wire_path(one.path) + one.added for one in growths)
    short = b"".join((_ADD, array_header(len(growths)), *added, *changes, event))
    first, after = _changes(set_views, unset, len(growths))
    texts = [GrownText(one.field, one.base, b"\x92" + wire_path(one.path), one.view) for one in growths]
    return (_with_one_more(head), short), Grown(head, first, after + event, texts)


def adds(update: bytes) -> bool:
    """Tell whether an encoded update says of texts only what was added."""
    return update.startswith(_ADD, SEQ_OFFSET + _SEQ.size)


def _with_one_more(head: bytes) -> bytes:
    # A map of fewer than sixteen keys says in its first byte how many.
    return bytes([head[0] + 1]) + head[1:]


def _event_items(client: str, n: int, outcome: Outcome | None, mail: Sequence[bytes]) -> list[bytes]:
    items = [_EVENT, pack(client), _N, pack(n), _DONE[outcome is not None]]
    return items + ([*_outcome_items(outcome)] if outcome else [_mail_item(mail)])


def encode_room_update(
    name: str, set_views: Sequence[tuple[Path, bytes]], unset: Sequence[Path]
) -> tuple[bytes, bytes]:
    """Encode a room's update as the parts before and after its `seq`."""
    return _HEAD_ROOM, b"".join((_SHARED, pack(name), *_changes(set_views, unset)))


def encode_room_state(name: str, seq: int, state: bytes) -> bytes:
    """Encode what a browser gets of a room as a whole: its public state, or None when it has been left."""
    return splice((_HEAD_ROOM_STATE, b"".join((_SHARED, pack(name), pack(Key.STATE), state))), seq)


def joined_in(update: bytes) -> Mapping[str, bool]:
    """Tell which rooms an encoded update says that its session joins, with True, and leaves. Most say nothing of it."""
    if not update.startswith(_JOINED, SEQ_OFFSET + _SEQ.size):
        return {}
    unpacker = msgpack.Unpacker(max_buffer_size=len(update))
    unpacker.feed(update[SEQ_OFFSET + _SEQ.size + len(_JOINED) :])
    joined: dict[str, bool] = unpacker.unpack()
    return joined


def _changes(set_views: Sequence[tuple[Path, bytes]], unset: Sequence[Path], more: int = 0) -> tuple[bytes, bytes]:
    """Encode `set` and `unset`. Of `set`, so many more are to be put in between."""
    parts = [_SET, array_header(len(set_views) + more)]
    for path, view in set_views:
        parts += (b"\x92", wire_path(path), view)
    return b"".join(parts), b"".join((_UNSET, array_header(len(unset)), *map(wire_path, unset)))


def encode_outcome(n: int, outcome: Outcome) -> bytes:
    """Encode what `welcome` says of an event that has ended: without mail where that is too much to keep.

    It is `b""` where it is still too large.
    """
    for one in (outcome, replace(outcome, mail=())):
        encoded = b"".join((b"\x85", _N, pack(n), *_outcome_items(one)))
        if len(encoded) <= MAX_OUTCOME:
            return encoded
    return b""


def _outcome_items(outcome: Outcome) -> Sequence[bytes]:
    error = outcome.error
    return (
        *(_OK[outcome.ok], _RESULT, outcome.result),
        _ERROR + pack({Key.CODE: error[0], Key.MESSAGE: error[1]}) if error else _NO_ERROR,
        _mail_item(outcome.mail),
    )


def _mail_item(mail: Sequence[bytes]) -> bytes:
    return b"".join((_MAIL, array_header(len(mail)), *mail)) if mail else _NO_MAIL


def splice(update: tuple[bytes, bytes], seq: int) -> bytes:
    """Join an update's parts around its number, as the store does."""
    return update[0] + b"\xcf" + _SEQ.pack(seq) + update[1]


def seq_of(update: bytes) -> int:
    """Read the number of an encoded update. Raises `DamagedValue`."""
    if len(update) < SEQ_OFFSET + _SEQ.size:
        raise DamagedValue("an update ends before its number")
    seq: int = _SEQ.unpack_from(update, SEQ_OFFSET)[0]
    return seq
