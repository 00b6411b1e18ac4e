"""Sessions in memory, for tests: the same acts with the same answers, each under one lock.

Time is the store's own clock, which a test may move.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from manyhands import fields as field_ops
from manyhands.errors import TurnLost
from manyhands.settings import Settings
from manyhands.store import limits
from manyhands.store.contract import (
    Announcement,
    Commit,
    Committed,
    Ending,
    Fields,
    Letter,
    Receipt,
    Refresh,
    Session,
    Turn,
    Verdict,
    Waiting,
    Welcome,
)
from manyhands.store.memory_records import Mail, Record
from manyhands.store.numbering import Numbering
from manyhands.updates import splice
from manyhands.wire import MAX_SAFE_INTEGER


class MemoryStore:
    """The store of `store.contract`, in memory."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.clock = clock
        #: What was published, as `(session, update)`; a test's hub reads it.
        self.published: list[tuple[str, bytes]] = []
        # Guards everything below; held for one act.
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._announced: dict[str, tuple[Announcement, int]] = {}
        self._defaults: dict[str, Fields] = {}

    def _now(self) -> int:
        return int(self.clock() * 1000)

    def _find(self, session: str) -> Record | None:
        record = self._records.get(session)
        if record and record.expires <= self.clock():
            del self._records[session]
            return None
        return record

    def _renew_life(self, record: Record) -> None:
        record.expires = self.clock() + self.settings.session_ttl

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
        record.mailbox.append(Mail(letter.client, n, letter.body))
        self._renew_life(record)
        ring = self._ring(record) if not record.run and not record.rung else None
        return Receipt(Verdict.ACCEPTED, n, ring=ring)

    def _ring(self, record: Record) -> int:
        record.rung = self._now()
        return record.rung

    def welcome(self, session: str, client: str, seq: int | None) -> Welcome | None:
        """Read what a browser needs; None for an unknown or expired session."""
        with self._lock:
            record = self._find(session)
            if record is None:
                return None
            self._renew_life(record)
            mail = [*record.detached.values(), *record.mailbox]
            updates = None if seq is None else record.updates_since(seq)
            return Welcome(
                session=record.session,
                seq=record.seq,
                highest_n=record.clients.get(client, Numbering()).highest,
                pending=[one.n for one in mail if one.client == client],
                ended=[outcome for one, outcome in record.ended if one == client],
                updates=updates,
                fields=None if updates is not None else dict(record.fields),
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
            return [record.seq if record else None for record in found]

    def cancel(self, session: str, client: str, n: int, update: tuple[bytes, bytes], outcome: bytes) -> bool:
        """End a waiting event with this update, or mark a running one; False for an unknown `n`."""
        with self._lock:
            record = self._find(session)
            mail = [*record.detached.values(), *record.mailbox] if record else []
            wanted = next((one for one in mail if (one.client, one.n) == (client, n)), None)
            if record is None or wanted is None:
                return False
            first_runs = bool(record.run) and record.mailbox[0] is wanted
            if first_runs or wanted in record.detached.values():
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

    def begin(self, session: str, token: str) -> Turn | None:
        """Take the session's turn for its next event; None when nothing waits or another holds the turn."""
        with self._lock:
            record = self._find(session)
            if record is None:
                return None
            record.rung = 0
            if record.run == token:
                return self._begin_first(record, token, known=-1)
            if record.run and self._lease_holds(record, record.run):
                return None
            if record.run:
                record.leases.pop(record.run, None)
                record.run = ""
                if record.mailbox:
                    record.mailbox[0].lost_runs += 1
            for dead in reversed(self._dead_runs(record)):
                record.leases.pop(dead, None)
                mail = record.detached.pop(dead)
                mail.lost_runs += 1
                record.mailbox.appendleft(mail)
            return self._begin_first(record, token, known=-1) if record.mailbox else None

    def _lease_holds(self, record: Record, token: str) -> bool:
        return record.leases.get(token, 0) > self._now()

    def _dead_runs(self, record: Record) -> list[str]:
        return sorted(token for token in record.detached if not self._lease_holds(record, token))

    def _take_lease(self, record: Record, token: str) -> None:
        record.leases[token] = self._now() + round(self.settings.lease * 1000)

    def _begin_first(self, record: Record, token: str, known: int) -> Turn:
        mail = record.mailbox[0]
        record.fence += 1
        record.run = token
        self._take_lease(record, token)
        return Turn(
            session=record.session,
            token=token,
            fence=record.fence,
            attempt=mail.lost_runs + 1,
            client=mail.client,
            n=mail.n,
            body=mail.body,
            version=record.version,
            fields=None if known == record.version else dict(record.fields),
            cancelled=(mail.client, mail.n) in record.cancels,
        )

    def commit(self, commit: Commit) -> Committed:
        """Write. Raises `TurnLost` when the run has been given up."""
        with self._lock:
            record = self._find(commit.session)
            if record is None:
                raise TurnLost(f"session {commit.session} has expired")
            first = record.answers.get((commit.token, commit.k))
            if first:
                return self._repeat(record, commit, first)
            in_turn = record.run == commit.token
            if not in_turn and (commit.token not in record.detached or commit.ending is Ending.DETACH):
                raise TurnLost(f"session {commit.session}, client {commit.client}, n {commit.n}")
            self._write(record, commit)
            seq = self._send(record, commit.update) if commit.update else 0
            if commit.ending is Ending.FINAL:
                record.remember_end(commit.client, commit.outcome)
                record.cancels.discard((commit.client, commit.n))
            self._renew_life(record)
            answer = Committed(seq, record.version)
            record.answers[commit.token, commit.k] = answer
            if commit.ending is Ending.PARTIAL:
                return answer
            return self._end_turn(record, commit, answer) if in_turn else self._end_detached(record, commit, answer)

    def commit_all(self, commits: Sequence[Commit]) -> Sequence[Committed | TurnLost]:
        """Write several commits of different runs."""
        return [self._try_commit(commit) for commit in commits]

    def _try_commit(self, commit: Commit) -> Committed | TurnLost:
        try:
            return self.commit(commit)
        except TurnLost as error:
            return error

    def _repeat(self, record: Record, commit: Commit, first: Committed) -> Committed:
        if commit.next_token and record.run == commit.next_token:
            return replace(first, turn=self._begin_first(record, commit.next_token, known=-1))
        waits = bool(record.mailbox) or bool(self._dead_runs(record))
        return replace(first, ring=self._ring(record)) if waits and not record.run else first

    def _write(self, record: Record, commit: Commit) -> None:
        if not commit.ops:
            return
        record.version += 1
        field_ops.apply(record.fields, commit.ops)
        if record.detached:
            paths = [path for kind, path, _ in commit.ops if kind != field_ops.Op.BELOW]
            record.touched.update(dict.fromkeys(paths, record.version))
            while len(record.touched) > limits.TOUCHED_PATHS:
                oldest = min(record.touched, key=record.touched.__getitem__)
                record.floor = record.touched.pop(oldest)

    def _send(self, record: Record, update: tuple[bytes, bytes]) -> int:
        record.seq += 1
        encoded = splice(update, record.seq)
        record.log.append(encoded)
        while len(record.log) > limits.LOG_ENTRIES or sum(map(len, record.log)) > limits.LOG_BYTES:
            record.log.popleft()
        self.published.append((record.session.id, encoded))
        return record.seq

    def _end_detached(self, record: Record, commit: Commit, answer: Committed) -> Committed:
        mail = record.detached.pop(commit.token)
        record.leases.pop(commit.token, None)
        if not record.detached:
            record.touched.clear()
        if commit.ending is Ending.FINAL:
            return answer
        # Before the events that wait, but behind the one whose turn it is.
        record.mailbox.insert(1 if record.run else 0, mail)
        return replace(answer, ring=self._ring(record)) if not record.run and not record.rung else answer

    def _end_turn(self, record: Record, commit: Commit, answer: Committed) -> Committed:
        record.run = ""
        if commit.ending is Ending.DETACH:
            if not record.detached:
                record.floor = record.version
            record.detached[commit.token] = record.mailbox.popleft()
            self._take_lease(record, commit.token)
        else:
            record.leases.pop(commit.token, None)
            if commit.ending is Ending.FINAL:
                record.mailbox.popleft()
        dead = self._dead_runs(record)
        if not record.mailbox and not dead:
            return answer
        if commit.next_token and not dead:
            return replace(answer, turn=self._begin_first(record, commit.next_token, commit.version))
        return replace(answer, ring=self._ring(record))

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
            if version < record.floor and version != record.version:
                return Refresh(record.version, None, dict(record.fields), cancelled)
            touched = {path: at for path, at in record.touched.items() if at > version}
            above = {one for path in touched for one in field_ops.ancestors(path)}
            changed = {
                one: value
                for one, value in record.fields.items()
                if one in above or one.startswith(tuple(touched))
            }
            return Refresh(record.version, touched, changed, cancelled)

    def ring_overdue(self, served_before: int | None, idle: bool) -> Sequence[tuple[str, int]]:
        """Find sessions whose lease ran out or whose doorbell got lost, mark them rung, and give `(session, ring)`."""
        with self._lock:
            lost_before = max(served_before or 0, self._now() - limits.BELL_LOST if idle else 0)
            return [
                (session, self._ring(record))
                for session, record in self._records.items()
                if self._is_overdue(record, lost_before)
            ]

    def _is_overdue(self, record: Record, lost_before: int) -> bool:
        if record.run and self._lease_holds(record, record.run):
            return False
        if record.rung and record.rung >= lost_before:
            return False
        # Mail that was never rung and has no lease that ran out cannot be: accept rings at once.
        return bool(record.mailbox) or bool(self._dead_runs(record))

    def watch(self) -> bool:
        """Tell whether the caller is the one who looks for overdue runs; there is only one."""
        return True
