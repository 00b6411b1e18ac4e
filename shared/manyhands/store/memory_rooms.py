"""Rooms in memory: the same acts with the same answers, each under the store's lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from manyhands import fields as field_ops
from manyhands.errors import LargeMissing, TurnLost
from manyhands.store import limits
from manyhands.store.contract import Session
from manyhands.store.memory_records import Record
from manyhands.store.rooms import RoomAnswer, RoomCommit, RoomCommitted, RoomHeld, RoomSnapshot, RoomTake, RoomTaken
from manyhands.store.turns import Ending

if TYPE_CHECKING:
    from manyhands.store.memory_turns import MemoryTurns


@dataclass(slots=True)
class Holding:
    """Who has a room, and who waits for it."""

    #: Its fields, its log and how long it lives.
    record: Record
    #: Who has it, or "", and until when, in ms.
    token: str = ""
    event: str = ""
    ends: int = 0
    line: list[RoomTake] = field(default_factory=list)
    #: Runs that go on beside others, and until when.
    beside: dict[str, int] = field(default_factory=dict)
    #: Events whose final commits are in, and since when, in ms; the oldest first.
    ended: dict[str, int] = field(default_factory=dict)
    #: Token to the number of its last commit, and the answer.
    answers: dict[str, tuple[int, RoomCommitted]] = field(default_factory=dict)


class MemoryRooms:
    """The store of `store.rooms`, in memory."""

    def __init__(self, store: MemoryTurns) -> None:
        self._store = store
        self._holdings: dict[str, Holding] = {}

    def take(self, take: RoomTake) -> RoomTaken | RoomHeld:
        """Take a room's lease, or stand in line for it."""
        with self._store._lock:
            holding, now = self._make(take.room), self._store._now()
            if holding.token == take.token:
                holding.ends = now + self._lease
            elif not holding.token or holding.ends <= now or holding.event == take.event:
                self._serve_line(holding, take)
            else:
                self._stand_in_line(holding, take)
            if holding.token != take.token:
                return RoomHeld(max(1, holding.ends - now) / 1000)
            holding.line = [one for one in holding.line if one.token != take.token]
            fields, whole = holding.record.read(take.wanted)
            return RoomTaken(holding.record.version, fields, whole, take.event in holding.ended)

    def leave(self, take: RoomTake) -> None:
        """Give a room up without a word, whether it is held or waited for."""
        with self._store._lock:
            holding = self._make(take.room)
            holding.line = [one for one in holding.line if one.token != take.token]
            self._forget(holding, take.token)
            if holding.token == take.token:
                self._pass_on(holding)

    def commit_all(self, commits: Sequence[RoomCommit]) -> Sequence[RoomAnswer]:
        """Write to several rooms."""
        with self._store._lock:
            return [self._commit(one) for one in commits]

    def renew(self, held: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Renew the leases of `(room, token)`; False for those that have been given up."""
        with self._store._lock:
            return [self._renew(self._make(room), token) for room, token in held]

    def snapshot(self, room: str, seq: int | None) -> RoomSnapshot:
        """Read what a browser needs, which has seen the updates up to `seq`, or nothing."""
        with self._store._lock:
            record = self._make(room).record
            updates = None if seq is None else record.updates_since(seq)
            return RoomSnapshot(record.seq, updates, None if updates is not None else dict(record.fields))

    def joined(self, session: str) -> Sequence[str]:
        """Give the names of the rooms that a session has joined; none for an unknown session."""
        with self._store._lock:
            record = self._store._find(session)
            return [] if record is None else list(record.rooms)

    @property
    def _lease(self) -> int:
        return round(self._store.settings.lease * 1000)

    def _make(self, room: str) -> Holding:
        record = self._store._find(room)
        if record is None:
            record = self._store._records[room] = Record(Session(room, "", ""), 0.0)
            self._holdings[room] = Holding(record)
        self._store._renew_life(record)
        return self._holdings[room]

    @staticmethod
    def _stand_in_line(holding: Holding, take: RoomTake) -> None:
        if take.channel and all(one.token != take.token for one in holding.line):
            holding.line.append(take)

    def _serve_line(self, holding: Holding, take: RoomTake) -> None:
        # Nobody has it, or one who was given up: silent for a lease, or an earlier attempt at the same event.
        if holding.line:
            self._stand_in_line(holding, take)
        self._pass_on(holding, take.token)
        if not holding.token:
            self._give(holding, take)

    def _give(self, holding: Holding, take: RoomTake) -> None:
        holding.token, holding.event = take.token, take.event
        holding.ends = self._store._now() + self._lease

    def _pass_on(self, holding: Holding, me: str = "") -> None:
        holding.token = holding.event = ""
        while holding.line and not holding.token:
            first = holding.line.pop(0)
            if first.token == me:
                self._give(holding, first)
            elif first.channel in self._store.listening:
                self._store.publish(first.channel, first.token.encode())
                self._give(holding, first)

    @staticmethod
    def _forget(holding: Holding, token: str) -> None:
        holding.beside.pop(token, None)
        if not holding.beside:
            holding.record.touched.clear()

    def _renew(self, holding: Holding, token: str) -> bool:
        ends = self._store._now() + self._lease
        if holding.token == token:
            holding.ends = ends
        elif token in holding.beside:
            holding.beside[token] = ends
        return token in (holding.token, *holding.beside)

    def _commit(self, commit: RoomCommit) -> RoomAnswer:
        holding = self._make(commit.room)
        k, first = holding.answers.get(commit.token, (0, None))
        if first is not None and k == commit.k:
            return first
        has_room = holding.token == commit.token
        if not has_room and commit.token not in holding.beside:
            return TurnLost(f"the lease of {commit.room}, token {commit.token}")
        missing = holding.record.shelf.missing(value for _, _, value in commit.ops)
        if missing:
            return LargeMissing(commit.room, missing)
        seq = 0
        if commit.event not in holding.ended:
            self._write(holding, commit)
            seq = self._store._send(holding.record, commit.update) if commit.update else 0
        answer = RoomCommitted(seq, holding.record.version)
        holding.answers[commit.token] = (commit.k, answer)
        self._end(holding, commit, has_room=has_room)
        return answer

    def _remember(self, ended: dict[str, int], event: str) -> None:
        now = self._store._now()
        ended.pop(event, None)
        ended[event] = now
        while (count := len(ended)) > limits.ROOM_EVENTS:
            oldest, since = next(iter(ended.items()))
            if since > now - limits.ROOM_EVENTS_FOR and count <= 10 * limits.ROOM_EVENTS:
                break
            del ended[oldest]

    def _write(self, holding: Holding, commit: RoomCommit) -> None:
        record = holding.record
        if not commit.ops:
            return
        record.version += 1
        field_ops.apply(record.fields, commit.ops)
        record.shelf.count(record.fields.values(), self._store._now())
        if holding.beside:
            paths = [path for kind, path, _ in commit.ops if kind != field_ops.Op.BELOW]
            record.touched.update(dict.fromkeys(paths, record.version))
            while len(record.touched) > limits.TOUCHED_PATHS:
                oldest = min(record.touched, key=record.touched.__getitem__)
                record.floor = record.touched.pop(oldest)

    def _end(self, holding: Holding, commit: RoomCommit, *, has_room: bool) -> None:
        if commit.ending is Ending.DETACH and has_room:
            if not holding.beside:
                holding.record.floor = holding.record.version
            holding.beside[commit.token] = self._store._now() + self._lease
        elif commit.ending in (Ending.FINAL, Ending.RETURN):
            self._forget(holding, commit.token)
        if commit.ending is Ending.FINAL and commit.event:
            self._remember(holding.ended, commit.event)
        if has_room and commit.ending is not Ending.PARTIAL:
            self._pass_on(holding)
