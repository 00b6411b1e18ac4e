"""What a store promises of rooms: state that sessions share, and who may write it.

A room has its own lease, which one run holds at a time; those who wait for it are served in their order. It is named
by `manyhands.keys.room`. What is the same for a room and a session, `Store.keep`, `updates_since`, `read` and
`refresh_all`, takes either. Times are the store's own. Every method raises `Unavailable` when the store does not
answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from manyhands.errors import LargeMissing, TurnLost
from manyhands.store.turns import NOTHING, Ending, Wanted


@dataclass(frozen=True, slots=True)
class RoomTake:
    """A run's wish for a room's lease. Repeated with the same token, it gets what that token has."""

    room: str
    token: str
    #: What the run is an attempt at, as `event_of` spells it. A later attempt takes the lease of an earlier one.
    event: str
    #: Where the caller hears that the room is its own: the token is published there. `""`: it does not stand in line.
    channel: str = ""
    wanted: Wanted = NOTHING


@dataclass(frozen=True, slots=True)
class RoomTaken:
    """The room is the caller's until it commits."""

    version: int
    fields: Mapping[bytes, bytes]
    #: Whether `fields` is all that the room has; if not, they are what was `wanted`, as far as it is there.
    whole: bool = True
    #: The event's final commit is in, though its worker died before the session's: what this run writes is dropped.
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class RoomHeld:
    """Another run has the room. Ask again when its lease ends, unless the token is published before."""

    seconds: float


@dataclass(frozen=True, slots=True)
class RoomCommit:
    """One atomic write of a run to a room."""

    room: str
    token: str
    #: 1, 2, 3 … per run and room. A repeated one gets the first answer again and writes nothing.
    k: int
    #: `DETACH`: the lease ends, and the run may go on writing, beside others. `RETURN`: the event will be run again.
    ending: Ending
    #: Remembered by a final commit, so that no other run of the same event writes; `""`: it has written nothing.
    event: str = ""
    #: See `manyhands.fields.Op`.
    ops: Sequence[tuple[str, bytes, bytes]] = ()
    #: The encoded update around the place where the store writes `seq`; None: nothing is sent.
    update: tuple[bytes, bytes] | None = None


@dataclass(frozen=True, slots=True)
class RoomCommitted:
    """The answer to a commit that was let through."""

    #: Of the update that was sent, or 0.
    seq: int
    version: int


#: Given up, or refused since it refers to large values that are not in the store: then nothing of it is written.
RoomAnswer = RoomCommitted | TurnLost | LargeMissing


@dataclass(frozen=True, slots=True)
class RoomSnapshot:
    """What a browser needs of a room, read at one moment."""

    seq: int
    #: The updates since the browser's `seq`, oldest first; None: they are no longer kept, see `fields`.
    updates: Sequence[bytes] | None
    #: All fields of the room; None where `updates` is not.
    fields: Mapping[bytes, bytes] | None


class RoomStore(Protocol):
    """The acts on rooms. A room begins empty, when it is first named, and lives as a session does."""

    def take(self, take: RoomTake) -> RoomTaken | RoomHeld:
        """Take a room's lease, or stand in line for it."""
        ...

    def leave(self, take: RoomTake) -> None:
        """Give a room up without a word, whether it is held or waited for."""
        ...

    def commit_all(self, commits: Sequence[RoomCommit]) -> Sequence[RoomAnswer]:
        """Write to several rooms, in one round trip."""
        ...

    def renew(self, held: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Renew the leases of `(room, token)`; False for those that have been given up."""
        ...

    def snapshot(self, room: str, seq: int | None) -> RoomSnapshot:
        """Read what a browser needs, which has seen the updates up to `seq`, or nothing."""
        ...

    def joined(self, session: str) -> Sequence[str]:
        """Give the names of the rooms that a session has joined; none for an unknown session."""
        ...


def event_of(session: str, client: str, n: int) -> str:
    """Spell which event a run is an attempt at."""
    return f"{session} {n} {client}"
