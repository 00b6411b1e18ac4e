"""Sessions in memory, for tests: the same acts with the same answers, each under one lock.

Time is the store's own clock, which a test may move.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from manyhands import fields as field_ops
from manyhands.abilities import Abilities
from manyhands.settings import Settings
from manyhands.store import limits
from manyhands.store.contract import Announcement, Fields, Letter, Overdue, Receipt, Session, Verdict, Waiting, Welcome
from manyhands.store.memory_records import Mail, Record
from manyhands.store.memory_rooms import MemoryRooms
from manyhands.store.memory_shelves import MemoryShelves
from manyhands.store.memory_turns import MemoryTurns
from manyhands.store.numbering import Numbering
from manyhands.store.turns import Refresh, Wanted
from manyhands.wire import MAX_SAFE_INTEGER


class MemoryStore(MemoryTurns, MemoryShelves):
    """The store of `store.contract`, in memory."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        super().__init__(settings, clock)
        self._announced: dict[str, tuple[Announcement, int]] = {}
        self._defaults: dict[str, Fields] = {}
        self.rooms = MemoryRooms(self)

    @property
    def round_trips(self) -> int:
        """How often this process has waited for the store: never."""
        return 0

    def ping(self) -> None:
        """Memory always answers."""

    # --- gateway ---

    def create(self, session: Session) -> None:
        """Create a session. Repeating it changes nothing."""
        with self._lock:
            if self._find(session.id) is None:
                made = Record(session, self.clock() + self.settings.session_ttl)
                made.tokens, made.tokens_at = self.settings.rate_burst, self._now()
                self._records[session.id] = made

    def delete(self, session: str) -> None:
        """End a session with all that it holds."""
        with self._lock:
            self._records.pop(session, None)

    def accept(self, letters: Sequence[Letter]) -> Sequence[Receipt]:
        """Append each letter to its session's mailbox, in order."""
        with self._lock:
            return [self._accept(letter) for letter in letters]

    def _accept(self, letter: Letter) -> Receipt:
        record = self._find(letter.session)
        if record is None:
            return Receipt(Verdict.UNKNOWN_SESSION)
        numbering = record.clients.get(letter.client, Numbering())
        n = numbering.highest + 1 if letter.n is None else letter.n
        if n > MAX_SAFE_INTEGER:
            return Receipt(Verdict.TOO_OLD, numbering.highest)
        if numbering.was_accepted(n):
            return Receipt(Verdict.ACCEPTED, n, duplicate=True)
        if numbering.is_forgotten(n):
            return Receipt(Verdict.TOO_OLD, n)
        if len(record.mailbox) >= self.settings.mailbox_limit:
            return Receipt(Verdict.MAILBOX_FULL, n, retry_after=1.0)
        now, rate = self._now(), self.settings.rate_limit
        tokens = min(self.settings.rate_burst, record.tokens + (now - record.tokens_at) * rate / 1000)
        if tokens < 1:
            return Receipt(Verdict.RATE_LIMITED, n, retry_after=(1 - tokens) / rate)
        record.tokens, record.tokens_at = tokens - 1, now
        record.clients[letter.client] = numbering.accepting(n)
        record.mailbox.append(Mail(letter.client, n, letter.body, letter.queue))
        self._renew_life(record)
        if record.run or record.rung:
            return Receipt(Verdict.ACCEPTED, n)
        ring, queue = self._ring(record)
        if record.near and record.near[0] == queue and record.near[1] in self.listening:
            self.publish(record.near[1], letter.session.encode())
            return Receipt(Verdict.ACCEPTED, n)
        return Receipt(Verdict.ACCEPTED, n, ring=ring, queue=queue)

    def welcome(
        self, session: str, client: str, seq: int | None, abilities: Abilities | None = None
    ) -> Welcome | None:
        """Read what a browser needs; None for an unknown or expired session."""
        with self._lock:
            record = self._find(session)
            if record is None:
                return None
            self._renew_life(record)
            if abilities is not None:
                record.arrow |= abilities.arrow
                record.plain |= not abilities.add
            mail = [*record.detached.values(), *record.mailbox]
            reads = abilities is None or abilities.add or seq is None or record.added <= seq
            updates = None if seq is None or not reads else record.updates_since(seq)
            return Welcome(
                session=record.session,
                seq=record.seq,
                highest_n=record.clients.get(client, Numbering()).highest,
                pending=[one.n for one in mail if one.client == client],
                ended=[outcome for one, outcome in record.ended if one == client],
                updates=updates,
                fields=None if updates is not None else dict(record.fields),
                rooms=list(record.rooms),
            )

    def updates_since(self, session: str, seq: int) -> Sequence[bytes] | None:
        """Read the updates after `seq`; None when they are no longer kept."""
        with self._lock:
            record = self._find(session)
            return record.updates_since(seq) if record else None

    def keep(self, sessions: Sequence[str]) -> Sequence[int | None]:
        """Renew the sessions' lives; give each one's `seq`, None for those that are gone."""
        with self._lock:
            found = [self._find(session) for session in sessions]
            for record in filter(None, found):
                self._renew_life(record)
                record.shelf.prune(self._now())
            return [record.seq if record else None for record in found]

    def cancel(self, session: str, client: str, n: int, update: tuple[bytes, bytes], outcome: bytes) -> bool:
        """End a waiting event with this update, or mark a running one; False for an unknown `n`."""
        with self._lock:
            record = self._find(session)
            mail = [*record.detached.values(), *record.mailbox] if record else []
            wanted = next((one for one in mail if (one.client, one.n) == (client, n)), None)
            if record is None or wanted is None:
                return False
            taken = list(record.mailbox)[: record.taken] if record.run else []
            if wanted in taken or wanted in record.detached.values():
                record.cancels.add((client, n))
                return True
            record.mailbox.remove(wanted)
            self._send(record, update)
            record.remember_end(client, outcome)
            return True

    def waiting(self, *, fresh: bool = False) -> Waiting:
        """Count what waits."""
        with self._lock:
            now, at_work = self._now(), [record for record in self._records.values() if record.at_work]
            oldest = min((record.rung for record in at_work if record.rung), default=now)
            return Waiting(sum(len(record.mailbox) for record in at_work), now - oldest, now)

    def announcement(self) -> Announcement | None:
        """Read the newest announcement."""
        with self._lock:
            return list(self._announced.values())[-1][0] if self._announced else None

    def announcements(self) -> Sequence[Announcement]:
        """Read the announcement of every version that has workers, and of the newest; the newest first."""
        with self._lock:
            return [one for one, _ in reversed(self._announced.values())]

    def handlers(self) -> frozenset[str]:
        """Read the names of the handlers of every version that is announced."""
        return frozenset(name for one in self.announcements() for name in one.handlers)

    def defaults(self, content_hash: str) -> Fields | None:
        """Read the fields of an app's defaults; None when they are gone."""
        with self._lock:
            return self._defaults.get(content_hash)

    # --- worker ---

    def announce(self, announcement: Announcement, defaults: Fields, *, started: bool = False) -> None:
        """Announce the app and store its defaults; repeated while the worker lives."""
        with self._lock:
            now, newest = self._now(), list(self._announced)[-1:]
            for version, (_, seen) in list(self._announced.items()):
                if now - seen >= (limits.NEWEST_VERSION_GONE if version in newest else limits.VERSION_GONE):
                    del self._announced[version]
            if started:
                self._announced.pop(announcement.version, None)
            self._announced[announcement.version] = (announcement, self._now())
            self._defaults[announcement.defaults] = dict(defaults)

    def renew(self, runs: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Renew the leases of `(session, token)` runs; False for those that have been given up."""
        with self._lock:
            held = []
            for session, token in runs:
                record = self._find(session)
                held.append(bool(record and token in record.leases))
                if record and token in record.leases:
                    self._take_lease(record, token)
            return held

    def refresh_all(self, known: Sequence[tuple[str, int]]) -> Sequence[Refresh | None]:
        """Read what changed in sessions since `(session, version)`; None where nothing did."""
        return [self._refresh(session, version) for session, version in known]

    def _refresh(self, session: str, version: int) -> Refresh | None:
        with self._lock:
            record = self._find(session)
            if record is None or (record.version == version and not record.cancels):
                return None
            cancelled = frozenset(record.cancels)
            if record.version == version:
                return Refresh(version, {}, {}, cancelled, whole=False)
            forgotten = version < record.floor
            touched = {path: at for path, at in record.touched.items() if at > version}
            fields, whole = record.read(Wanted() if forgotten else _around(touched))
            return Refresh(record.version, None if forgotten else touched, fields, cancelled, whole)

    def read(self, session: str, wanted: Wanted) -> tuple[Fields, bool]:
        """Read fields of a session's state, and tell whether these are all. An unknown session has none."""
        with self._lock:
            record = self._find(session)
            return record.read(wanted) if record else ({}, True)

    def ring_overdue(self, served_before: Mapping[str, int | None], idle: bool) -> Sequence[Overdue]:
        """Find sessions whose lease ran out or whose doorbell got lost, and mark them rung."""
        with self._lock:
            silent = self._now() - limits.BELL_LOST if idle else 0
            lost_before = {queue: max(ms or 0, silent) for queue, ms in served_before.items()}
            overdue = [name for name, record in self._records.items() if self._is_overdue(record, lost_before)]
            return [Overdue(name, *self._ring(self._records[name])) for name in overdue]

    def _is_overdue(self, record: Record, lost_before: Mapping[str, int]) -> bool:
        if record.run and self._lease_holds(record, record.run):
            return False
        if record.rung and record.rung >= lost_before.get(record.rung_queue, 0):
            return False
        # Mail that was never rung and has no lease that ran out cannot be: accept rings at once.
        return bool(record.mailbox) or bool(self._dead_runs(record))

    def others_listen(self, channel: str, pattern: str) -> bool:
        """Tell whether a worker process listens on another channel than this one, of those that a pattern fits."""
        return any(fnmatchcase(one, pattern) for one in self.listening - {channel})

    def watch(self, queues: Sequence[str] = (), *, idle: bool = False) -> bool:
        """Tell whether the caller is the one who looks for overdue runs; there is only one."""
        return True


def _around(paths: Iterable[bytes]) -> Wanted:
    """Want paths with what lies below and above them."""
    above = {one for path in paths for one in field_ops.ancestors(path)}
    return Wanted((*paths, *above), tuple(paths))
