"""What Redis replies to the scripts, as the values of `store.contract`; and the other way round for a commit."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgpack

from manyhands.errors import DamagedValue, LargeMissing, TurnLost
from manyhands.store import limits
from manyhands.store.contract import Fields, Receipt, Session, Verdict
from manyhands.store.info import decode_info
from manyhands.store.turns import Ahead, Begin, Commit, Committed, Elsewhere, Following, Refresh, Turn, Wanted

log = logging.getLogger("manyhands.store")

#: The head of a letter: runs lost, n, length of queue, length of client. See _session.lua.
LETTER_HEAD = struct.Struct(">BQBH")


def read_fields(flat: Sequence[bytes]) -> Fields:
    """Read the fields of a state."""
    return dict(_pairs(flat))


def _pairs(flat: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


def pack_wanted(wanted: Wanted) -> bytes:
    """Pack what is wanted of a large state, for Lua's decoder, which knows no other strings than raw ones."""
    return cast("bytes", msgpack.packb([wanted.fields, wanted.subtrees], use_bin_type=False)) if wanted else b""


def read_session(session: str, defaults: bytes, version: bytes, info: bytes | None) -> Session:
    """Read what a session was created with; no headers where these can't be read: its events are run all the same."""
    try:
        headers, cookies = decode_info(info)
    except DamagedValue as error:
        log.error("session %s: %s", session, error.reason, extra={"session": session})
        headers, cookies = dict[str, str](), dict[str, str]()
    return Session(session, defaults.decode(), version.decode(), headers, cookies)


def read_receipt(reply: Sequence[Any]) -> Receipt:
    """Read what accept.lua replies."""
    verdict, n, duplicate, ring, retry_ms, *queue = reply
    return Receipt(
        verdict=Verdict(verdict.decode()),
        n=int(n) if n else None,
        duplicate=bool(duplicate),
        ring=None if ring == b"" else int(ring),
        queue=queue[0].decode() if queue else "",
        retry_after=None if retry_ms == b"" else int(retry_ms) / 1000,
    )


def read_begun(begin: Begin, reply: Sequence[Any] | None) -> Turn | Elsewhere | None:
    """Read what begin.lua replies."""
    if reply is None:
        return None
    if len(reply) == 2:
        return Elsewhere(begin.session, reply[0].decode(), reply[1])
    return _read_turn(begin, begin.token, reply)


def _read_turn(asked: Begin | Commit, token: str, reply: Sequence[Any]) -> Turn:
    session, about = asked.session, asked.about
    fence, attempt, client, n, body, version, described, cancelled, fields, ahead, queue, whole, arrow = reply
    return Turn(
        session=about or (read_session(session, *described) if described else Session(session, "", "")),
        token=token,
        fence=fence,
        attempt=attempt,
        client=client.decode(),
        n=int(n),
        body=body,
        version=int(version),
        fields=None if fields is None else read_fields(fields),
        cancelled=bool(cancelled),
        ahead=[_read_letter(letter) for letter in ahead],
        queue=queue.decode(),
        arrow=bool(arrow),
        whole=bool(whole),
        wanted=asked.wanted,
    )


def _read_letter(letter: bytes) -> Ahead:
    _, n, queue, client = LETTER_HEAD.unpack_from(letter)
    start = LETTER_HEAD.size + queue
    return Ahead(letter[start : start + client].decode(), n, letter[start + client :])


def read_refresh(reply: Sequence[Any] | None) -> Refresh | None:
    """Read what refresh.lua replies."""
    if reply is None:
        return None
    version, touched, fields, cancelled, whole = reply
    paths = None if touched is None else {path: int(at) for path, at in _pairs(touched)}
    events = frozenset((one[8:].decode(), int.from_bytes(one[:8], "big")) for one in cancelled)
    return Refresh(int(version), paths, read_fields(fields), events, bool(whole))


def read_committed(commit: Commit, reply: Sequence[Any]) -> Committed | TurnLost | LargeMissing:
    """Read what commit.lua replies."""
    if reply[0] == b"lost":
        return TurnLost(f"session {commit.session}, client {commit.client}, n {commit.n}")
    if reply[0] == b"missing":
        return LargeMissing(commit.session, reply[1:])
    seq, version, ring, *rest = reply
    if ring != b"":
        return Committed(seq, int(version), ring=int(ring), queue=rest[0].decode())
    if not rest:
        return Committed(seq, int(version))
    if len(rest[0]) == 2:
        fence, cancelled = rest[0]
        return Committed(seq, int(version), following=Following(int(fence), bool(cancelled)))
    return Committed(seq, int(version), _read_turn(commit, commit.next_token or "", rest[0]))


#: The arguments of commit.lua that are always the same.
BOUNDS = (limits.LOG_ENTRIES, limits.LOG_BYTES, limits.OUTCOMES, limits.TOUCHED_PATHS)


def commit_arguments(commit: Commit, channel: str) -> tuple[bytes | str | int, ...]:
    """Spell the arguments of commit.lua. `channel`: of the session's updates."""
    head, tail = commit.update or (b"", b"")
    near = f"{commit.queue} {commit.near}" if commit.near else ""
    return (
        *(commit.token, commit.k, commit.ending.value, head, tail, channel, commit.client, commit.n, commit.outcome),
        *(commit.next_token or "", commit.version, near, commit.ahead, *BOUNDS),
        " ".join(f"{'+' if joins else '-'}{name}" for name, joins in commit.joined),
        pack_wanted(commit.wanted),
        _pack_grown(commit),
        *(part for op in commit.ops for part in op),
    )


def _pack_grown(commit: Commit) -> bytes:
    """Pack the update in full. For a view that is also written to the state, the number of its op stands."""
    if commit.grown is None:
        return b""
    grown = commit.grown
    numbers = {(field, value): number for number, (_, field, value) in enumerate(commit.ops, 1)}
    parts: list[bytes | str | int] = [grown.head, grown.before, grown.after]
    for one in grown.texts:
        parts += (one.field, one.base, one.name, numbers.get((one.field, one.view), one.view))
    return cast("bytes", msgpack.packb(parts, use_bin_type=False))
