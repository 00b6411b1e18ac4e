"""Turns in memory: how they begin, what a commit does, how they end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice, takewhile

from manyhands import fields as field_ops
from manyhands.errors import LargeMissing, TurnLost
from manyhands.settings import Settings
from manyhands.store import limits
from manyhands.store.memory_records import Record
from manyhands.store.turns import Ahead, Begin, Commit, Committed, Elsewhere, Ending, Following, Turn, Wanted
from manyhands.updates import splice


class MemoryStream:
    """The stream of `store.contract`."""

    def __init__(self, store: MemoryTurns) -> None:
        self._store = store
        self._answers: list[tuple[Commit, Committed | TurnLost | None]] = []

    def commit(self, commit: Commit) -> None:
        """Write a commit."""
        answer = self._store.commit_all([commit])[0]
        self._answers.append((commit, None if isinstance(answer, LargeMissing) else answer))

    def start(self, session: str, token: str) -> None:
        """Note that a run's handler begins."""
        self._store.start(session, token)

    def flush(self) -> bool:
        """Nothing waits to be sent."""
        return True

    def close(self) -> None:
        """Forget what was not asked for."""
        self._answers.clear()

    def settle(self) -> list[tuple[Commit, Committed | TurnLost | None]]:
        """Give all answers."""
        answers, self._answers = self._answers, []
        return answers


class MemoryTurns:
    """What `MemoryStore` does for workers."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.clock = clock
        #: What was published, as `(session, update)`, and to workers as `(channel, session)`; a test's hub reads it.
        self.published: list[tuple[str, bytes]] = []
        #: Channels of workers that listen.
        self.listening: set[str] = set()
        # Guards everything below; held for one act.
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}

    def publish(self, channel: str, message: bytes) -> None:
        """Publish an update of a session or a room, or a word to a worker's channel. Called with the lock held."""
        self.published.append((channel, message))

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

    def _ring(self, record: Record) -> tuple[int, str]:
        dead = self._dead_runs(record)
        mail = record.detached[dead[0]] if dead else record.mailbox[0]
        record.rung, record.rung_queue = self._now(), mail.queue
        return record.rung, mail.queue

    def begin(self, session: str, token: str) -> Turn | None:
        """Take the session's turn for its next event; None when nothing waits or another holds the turn."""
        turn = self.begin_all([Begin(session, token)])[0]
        assert not isinstance(turn, Elsewhere), "a caller that serves any queue was sent elsewhere"
        return turn

    def begin_all(self, begins: Sequence[Begin], queues: Sequence[str] = ()) -> Sequence[Turn | Elsewhere | None]:
        """Take several sessions' turns. `queues`: those that the caller serves; none: any."""
        with self._lock:
            return [self._begin(one, queues) for one in begins]

    def _begin(self, begin: Begin, queues: Sequence[str]) -> Turn | Elsewhere | None:
        record = self._find(begin.session)
        if record is None:
            return None
        record.rung = 0
        if record.run == begin.token:
            return self._begin_first(record, begin.token, -1, begin.wanted, starts=begin.starts)
        if record.run and self._lease_holds(record, record.run):
            return None
        if record.run:
            record.leases.pop(record.run, None)
            if record.mailbox and record.began == record.run:
                record.mailbox[0].lost_runs += 1
            record.run = ""
        for dead in reversed(self._dead_runs(record)):
            record.leases.pop(dead, None)
            mail = record.detached.pop(dead)
            mail.lost_runs += 1
            record.mailbox.appendleft(mail)
        if not record.mailbox:
            return None
        if queues and record.mailbox[0].queue not in queues:
            ring, queue = self._ring(record)
            return Elsewhere(begin.session, queue, ring)
        return self._begin_first(record, begin.token, -1, begin.wanted, starts=begin.starts)

    def start(self, session: str, token: str) -> None:
        """Note that the handler of a run begins that had waited in its worker."""
        with self._lock:
            record = self._find(session)
            if record and record.run == token:
                record.began = token

    def _lease_holds(self, record: Record, token: str) -> bool:
        return record.leases.get(token, 0) > self._now()

    def _dead_runs(self, record: Record) -> list[str]:
        return sorted(token for token in record.detached if not self._lease_holds(record, token))

    def _take_lease(self, record: Record, token: str) -> None:
        record.leases[token] = self._now() + round(self.settings.lease * 1000)

    def _begin_first(self, record: Record, token: str, known: int, wanted: Wanted, *, starts: bool) -> Turn:
        mail = record.mailbox[0]
        record.fence += 1
        record.run = token
        record.began = token if starts else record.began
        self._take_lease(record, token)
        behind = () if record.detached else islice(record.mailbox, 1, 16)
        ahead = list(
            takewhile(
                lambda one: not one.lost_runs and one.queue == mail.queue and (one.client, one.n) not in record.cancels,
                behind,
            )
        )
        record.taken = len(ahead) + 1
        fields, whole = (None, True) if known == record.version else record.read(wanted)
        return Turn(
            session=record.session,
            token=token,
            fence=record.fence,
            attempt=mail.lost_runs + 1,
            client=mail.client,
            n=mail.n,
            body=mail.body,
            version=record.version,
            fields=fields,
            cancelled=(mail.client, mail.n) in record.cancels,
            ahead=[Ahead(one.client, one.n, one.body) for one in ahead],
            queue=mail.queue,
            arrow=record.arrow,
            whole=whole,
            wanted=wanted,
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
            missing = record.shelf.missing(value for _, _, value in commit.ops)
            if missing:
                raise LargeMissing(commit.session, missing)
            in_full = commit.grown is not None and not record.may_add(commit.grown)
            self._write(record, commit)
            record.note_joined(commit.joined)
            update = commit.grown.in_full() if commit.grown and in_full else commit.update
            seq = self._send(record, update) if update else 0
            if commit.grown and not in_full:
                record.added = seq
            if commit.ending is Ending.FINAL:
                self._remember_end(record, commit.client, commit.outcome)
                record.cancels.discard((commit.client, commit.n))
            self._renew_life(record)
            answer = Committed(seq, record.version)
            record.answers[commit.token, commit.k] = answer
            if commit.ending is Ending.PARTIAL:
                return answer
            return self._end_turn(record, commit, answer) if in_turn else self._end_detached(record, commit, answer)

    def commit_all(self, commits: Sequence[Commit]) -> Sequence[Committed | TurnLost | LargeMissing]:
        """Write several commits of different runs."""
        return [self._try_commit(commit) for commit in commits]

    def _try_commit(self, commit: Commit) -> Committed | TurnLost | LargeMissing:
        try:
            return self.commit(commit)
        except (TurnLost, LargeMissing) as error:
            return error

    def stream(self) -> MemoryStream:
        """Make a stream of commits, which are answered at once."""
        return MemoryStream(self)

    def _repeat(self, record: Record, commit: Commit, first: Committed) -> Committed:
        if commit.next_token and record.run == commit.next_token:
            return replace(first, turn=self._begin_first(record, commit.next_token, -1, commit.wanted, starts=True))
        waits = bool(record.mailbox) or bool(self._dead_runs(record))
        return self._rung(record, first) if waits and not record.run else first

    def _rung(self, record: Record, answer: Committed) -> Committed:
        ring, queue = self._ring(record)
        return replace(answer, ring=ring, queue=queue)

    def _write(self, record: Record, commit: Commit) -> None:
        if not commit.ops:
            return
        record.version += 1
        field_ops.apply(record.fields, commit.ops)
        record.shelf.count(record.fields.values(), self._now())
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
        self.publish(record.session.id, encoded)
        return record.seq

    @staticmethod
    def _remember_end(record: Record, client: str, outcome: bytes) -> None:
        if outcome:
            record.ended.append((client, outcome))

    def _end_detached(self, record: Record, commit: Commit, answer: Committed) -> Committed:
        mail = record.detached.pop(commit.token)
        record.leases.pop(commit.token, None)
        if not record.detached:
            record.touched.clear()
        if commit.ending is Ending.FINAL:
            return answer
        # Before the events that wait, but behind the one whose turn it is.
        record.mailbox.insert(1 if record.run else 0, mail)
        record.taken = min(record.taken, 1)
        return self._rung(record, answer) if not record.run and not record.rung else answer

    def _end_turn(self, record: Record, commit: Commit, answer: Committed) -> Committed:
        record.run = ""
        queue = record.mailbox[0].queue
        if commit.ending is Ending.DETACH:
            if not record.detached:
                record.floor = record.version
            record.detached[commit.token] = record.mailbox.popleft()
            self._take_lease(record, commit.token)
        else:
            record.leases.pop(commit.token, None)
            if commit.ending is Ending.FINAL:
                record.mailbox.popleft()
                record.near = (commit.queue, commit.near) if commit.near else None
        dead = self._dead_runs(record)
        if not record.mailbox and not dead:
            return answer
        if not commit.next_token or dead or record.mailbox[0].queue != queue:
            return self._rung(record, answer)
        turn = self._begin_first(record, commit.next_token, commit.version, commit.wanted, starts=True)
        if commit.ending is Ending.FINAL and commit.ahead:
            record.taken = commit.ahead
            return replace(answer, following=Following(turn.fence, turn.cancelled))
        return replace(answer, turn=turn)
