"""Rooms in Redis: each act one Lua script, each a single round trip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from manyhands.errors import LargeMissing, TurnLost
from manyhands.keys import Keys
from manyhands.store import limits, replies
from manyhands.store.rooms import RoomAnswer, RoomCommit, RoomCommitted, RoomHeld, RoomSnapshot, RoomTake, RoomTaken
from manyhands.store.scripts_loader import Script, load_script

#: Runs scripts of sessions in one round trip: each with its session and arguments.
Pipeline = Callable[[Iterable[tuple[Script, str, Sequence[Any]]]], list[Any]]

#: The arguments of room_commit.lua that are always the same.
BOUNDS = (limits.LOG_ENTRIES, limits.LOG_BYTES, limits.TOUCHED_PATHS, limits.ROOM_EVENTS, limits.ROOM_EVENTS_FOR)


class RedisRooms:
    """The store of `store.rooms`, in Redis."""

    def __init__(self, keys: Keys, pipeline: Pipeline) -> None:
        self._keys, self._pipeline = keys, pipeline

    def take(self, take: RoomTake) -> RoomTaken | RoomHeld:
        """Take a room's lease, or stand in line for it."""
        wanted = replies.pack_wanted(take.wanted)
        answer = self._run("room_take", take.room, take.token, take.event, take.channel, wanted)
        if isinstance(answer, int):
            return RoomHeld(max(answer, 1) / 1000)
        version, is_repeat, fields, whole = answer
        return RoomTaken(int(version), replies.read_fields(fields), bool(whole), bool(is_repeat))

    def leave(self, take: RoomTake) -> None:
        """Give a room up without a word, whether it is held or waited for."""
        self._run("room_leave", take.room, take.token, take.event, take.channel)

    def commit_all(self, commits: Sequence[RoomCommit]) -> Sequence[RoomAnswer]:
        """Write to several rooms, in one round trip."""
        script = load_script("room_commit")
        answers = self._pipeline([(script, one.room, self._arguments(one)) for one in commits])
        return [_read_committed(one, answer) for one, answer in zip(commits, answers, strict=True)]

    def renew(self, held: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Renew the leases of `(room, token)`; False for those that have been given up."""
        script = load_script("room_renew")
        return [bool(one) for one in self._pipeline([(script, room, (token,)) for room, token in held])]

    def snapshot(self, room: str, seq: int | None) -> RoomSnapshot:
        """Read what a browser needs, which has seen the updates up to `seq`, or nothing."""
        number, updates, fields = self._run("room_snapshot", room, "" if seq is None else seq)
        return RoomSnapshot(number, updates, None if updates is not None else replies.read_fields(fields))

    def joined(self, session: str) -> Sequence[str]:
        """Give the names of the rooms that a session has joined; none for an unknown session."""
        names: bytes = self._run("joined", session)
        return names.decode().split()

    def _run(self, name: str, room: str, *arguments: Any) -> Any:
        return self._pipeline([(load_script(name), room, arguments)])[0]

    def _arguments(self, commit: RoomCommit) -> tuple[Any, ...]:
        head, tail = commit.update or (b"", b"")
        return (
            *(commit.token, commit.k, commit.ending.value, head, tail, self._keys.updates(commit.room), commit.event),
            *BOUNDS,
            *(part for op in commit.ops for part in op),
        )


def _read_committed(commit: RoomCommit, answer: Sequence[Any]) -> RoomAnswer:
    if answer[0] == b"lost":
        return TurnLost(f"the lease of {commit.room}, token {commit.token}")
    if answer[0] == b"missing":
        return LargeMissing(commit.room, answer[1:])
    seq, version = answer
    return RoomCommitted(seq, int(version))
