"""Plays the events of some sessions on one thread: begins all with one round trip, runs one handler after another, and
reads the answers to their commits at the end.

Nothing that ended waits for what runs: before a handler begins, the commits of all that ended before it have been sent,
and with them the note that it begins. So whatever the process dies of, the store knows which handlers had begun.

Handlers that have proved quick here begin some at a time, and their commits are sent together: each sending costs more
than many of them. Should one of them take the process with it all the same, those of its group have lost one attempt;
where only one is allowed, there are no groups.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from itertools import islice, takewhile
from typing import Protocol

from manyhands.errors import StoreRefused, TurnLost, Unavailable
from manyhands.store.turns import Begin, Commit, Committed, Elsewhere, Turn
from manyhands_worker.batch import Bell
from manyhands_worker.calls import call
from manyhands_worker.parts import Parts
from manyhands_worker.run import Ended, Run
from manyhands_worker.running import RETRY
from manyhands_worker.sitting import Answered, Sitting, new_token
from manyhands_worker.watcher import Watched

log = logging.getLogger("manyhands.turns")

#: Events that begin, and whose commits are sent, together, and seconds that a commit waits at most for others.
GROUP, GATHER = 32, 0.005
#: Seconds after which the store is asked before a session's next event begins: someone may have cancelled it.
ASK_AFTER = 0.005
#: The same before its first event begins, behind the other sessions of its batch.
WAITED_LONG = 0.025


class Table(Protocol):
    """What a player needs of `Turns`."""

    def ring(self, session: str, ring: int, queue: str, /) -> None:
        """See to it that a session which has more mail is played."""

    def is_full(self) -> bool:
        """Tell whether as many handlers are slow as may hold their turns."""
        ...

    def handed_off(self, slow: Player, heir: Player, /) -> None:
        """Let another thread go on with what a player leaves to its heir."""

    def came_back(self, slow: Player, /) -> None:
        """Note that a slow handler has returned or was detached."""


class Player:
    """One thread's work. The watcher may take all of it but the running handler away, and give it to an heir."""

    def __init__(self, parts: Parts, table: Table) -> None:
        self._parts, self._table = parts, table
        #: The thread that plays.
        self.thread = threading.current_thread()
        self._stream = parts.store.stream()
        self._rest: deque[Sitting] = deque()
        #: What was sent and not answered yet, in order.
        self._sent: list[tuple[Sitting, Run, Commit]] = []
        #: How many of them are not on their way yet, and since when, by `time.monotonic`.
        self._gathered, self._gathering = 0, 0.0
        # Guards the next two; held for a moment.
        self._lock = threading.Lock()
        self._running: Run | None = None
        #: Whether an heir goes on, and this thread has only its handler left.
        self._left = False

    # --- on the player's thread ---

    def play(self, bells: Sequence[Bell]) -> bool:
        """Take these sessions' turns and play them; False when an heir goes on."""
        self._begin(bells)
        return self.go_on()

    def go_on(self) -> bool:
        """Play what is begun; False when an heir goes on."""
        self.thread = threading.current_thread()
        # An heir finds commits that were sent: someone may wait for their answers.
        self._settle()
        while True:
            while self._rest:
                if self._table.is_full():
                    self._give_back_rest()
                elif not self._sit(self._rest.popleft()):
                    return False
            if not self._settle():
                return True

    def give_up(self) -> bool:
        """After a fault of ours: free what waits for the sessions here; tells whether an heir has the others."""
        for sitting in {*self._rest, *(one for one, _, _ in self._sent)}:
            sitting.abandon()
        self._rest.clear()
        self._sent.clear()
        self._stream.close()
        return self._left

    def _give_back_rest(self) -> None:
        """Give back what has not begun: as many handlers as may hold their turns here do so."""
        self._settle()
        rest, self._rest = self._rest, deque()
        for sitting in rest:
            try:
                sitting.give_back()
            except Exception:  # noqa: BLE001 - a fault of ours must not silence the worker; it is logged there
                sitting.abandon()

    def _begin(self, bells: Sequence[Bell]) -> None:
        parts = self._parts
        alone = len(bells) == 1
        sessions = [bell.session for bell in bells]
        begins = [
            Begin(one, new_token(), alone, parts.sessions.get(one), parts.reading.wanted_of(one)) for one in sessions
        ]
        for bell, turn in zip(bells, self._ask(begins), strict=True):
            match turn:
                case Turn():
                    self._take_up(bell, turn, started=alone)
                case Elsewhere():
                    parts.ringing.ring([(turn.session, turn.ring)], queue=turn.queue)
                    bell.release()
                case None:
                    bell.release()

    def _ask(self, begins: Sequence[Begin]) -> Sequence[Turn | Elsewhere | None]:
        """Ask for turns until the store answers: with the same tokens, so that none is taken which nobody plays."""
        running = self._parts.running
        while True:
            try:
                return self._parts.store.begin_all(begins, self._parts.queues)
            except Unavailable as error:
                log.warning("can't begin %d sessions: %s", len(begins), error)
                if running.stopping or isinstance(error, StoreRefused):
                    break
            except Exception:
                # A fault of ours must not keep those who wait for these sessions.
                log.exception("can't begin %d sessions", len(begins))
                break
            running.pause(RETRY)
        # The bells are lost, the mail is not: a reaper rings it again.
        return [None] * len(begins)

    def _take_up(self, bell: Bell, turn: Turn, *, started: bool) -> None:
        self._parts.sessions.put(turn.session)
        if bell.ring:
            self._parts.running.served(turn.queue, bell.ring)
        try:
            self._rest.append(Sitting(self._parts, self._table, bell, turn, started=started))
        except Exception:
            # A fault of ours must not silence the worker. The lease runs out, and the event is taken over.
            about = {"session": bell.session}
            log.exception("session %s, n %d: can't be begun", bell.session, turn.n, extra=about)
            bell.release()

    def _sit(self, sitting: Sitting) -> bool:
        """Play a session's events in a row; False when an heir goes on."""
        try:
            while (run := sitting.run) is not None:
                ended = self._play_one(sitting, run)
                if ended is None:
                    return True
                if self._left:
                    sitting.finish_alone(run, ended)
                    self._table.came_back(self)
                    return False
                self._send(sitting, run, ended)
        except Exception:  # noqa: BLE001 - a fault of ours must not silence the worker; it is logged there
            sitting.abandon()
            self._table.came_back(self)
            return not self._left
        return True

    def _play_one(self, sitting: Sitting, run: Run) -> Ended | None:
        """Run one event; None where it is given back, or goes on elsewhere."""
        if sitting.sent and (sitting.must_ask or time.monotonic() - sitting.asked > ASK_AFTER):
            self._settle()
            if sitting.run is not run:
                return None
        if not sitting.started and time.monotonic() - sitting.asked > WAITED_LONG:
            self._look_for_cancels(sitting)
        if not sitting.is_for_us(run):
            return None
        if refused := sitting.refusal(run):
            return refused
        if run.turn.attempt > 1:
            self._parts.meter.taken_over()
        if not self._may_gather(sitting, run):
            if not self._tell(sitting, run):
                return None
            self._gathered = 0
        if run.is_async:
            sitting.spawn(run)
            return None
        return self._call(sitting, run)

    def _look_for_cancels(self, sitting: Sitting) -> None:
        """Ask which of the events that have waited here are to be cancelled: one question for all of them."""
        waiting = {one: one.run for one in (sitting, *self._rest) if one.run is not None and not one.started}
        try:
            answers = self._parts.store.refresh_all([(run.session, run.version) for run in waiting.values()])
        except Unavailable as error:
            log.warning("can't ask what was cancelled: %s", error)
            return
        for one, answer in zip(waiting, answers, strict=True):
            one.take_in(answer)

    def _may_gather(self, sitting: Sitting, run: Run) -> bool:
        """Tell whether a handler may begin before what has been gathered is sent."""
        if not self._proved_quick(run):
            return False
        if not sitting.started:
            # With it, the next ones of the batch: it is they who come next, and nothing that may kill comes between.
            for one in takewhile(self._is_one_quick, (sitting, *islice(self._rest, GROUP - 1))):
                if one.run is not None:
                    self._start(one, one.run)
            return False
        return self._gathered < GROUP and (not self._gathered or time.monotonic() - self._gathering < GATHER)

    def _is_one_quick(self, sitting: Sitting) -> bool:
        run = sitting.run
        return run is not None and not sitting.has_more and run.turn.attempt == 1 and self._proved_quick(run)

    def _proved_quick(self, run: Run) -> bool:
        parts = self._parts
        return not run.is_async and parts.settings.max_attempts > 1 and parts.durations.is_quick(run.body.handler)

    def _start(self, sitting: Sitting, run: Run) -> None:
        if not sitting.started:
            self._stream.start(run.session, run.token)
            sitting.started = True

    def _tell(self, sitting: Sitting, run: Run) -> bool:
        """Send what has ended, and that this run begins; False where its turn was lost meanwhile."""
        while True:
            self._start(sitting, run)
            if self._stream.flush():
                return True
            self._settle()
            if sitting.run is not run:
                return False
            # Notes that these begin may have got lost with the connection; to note it twice does no harm.
            for one in (sitting, *self._rest):
                one.started = False
            if self._parts.running.is_out_of_time:
                raise Unavailable("Redis", "the process has no more time to wait for it")
            self._parts.running.pause(RETRY)

    def _call(self, sitting: Sitting, run: Run) -> Ended:
        with self._lock:
            self._running = run
        self._parts.watcher.watch(
            Watched(run, partial(self._leave, sitting, run), partial(self._detach_soon, sitting, run))
        )
        if self._parts.durations.is_slow(run.body.handler):
            self._leave(sitting, run)
        ended = call(self._parts, run)
        run.stow()
        self._parts.watcher.forget(run)
        with self._lock:
            self._running = None
        self._parts.durations.note(run)
        return ended

    def _send(self, sitting: Sitting, run: Run, ended: Ended) -> None:
        alone = not self._rest and not self._sent
        commit = sitting.end(run, ended, goes_on=alone)
        if commit is not None:
            self._stream.commit(commit)
            self._sent.append((sitting, run, commit))
            self._gathering = self._gathering if self._gathered else time.monotonic()
            self._gathered += 1

    def _settle(self) -> bool:
        """Read all answers; tells whether sessions go on with events that these have brought."""
        sent, self._sent = self._sent, []
        self._gathered = 0
        # Also where no commit was sent: notes that handlers begin are answered, too.
        answers = self._read()
        of_sitting: dict[Sitting, list[Answered]] = {}
        for (sitting, run, commit), answer in zip(sent, answers or [None] * len(sent), strict=True):
            of_sitting.setdefault(sitting, []).append((run, commit, answer))
        for sitting, answered in of_sitting.items():
            try:
                if sitting.settle(answered):
                    self._rest.append(sitting)
            except Exception:  # noqa: BLE001 - a fault of ours must not silence the worker; it is logged there
                sitting.abandon()
        return bool(self._rest)

    def _read(self) -> list[Committed | TurnLost | None]:
        try:
            return [answer for _, answer in self._stream.settle()]
        except Exception:
            # A fault of ours. What was sent may have been written or not: as if the connection had broken.
            log.exception("can't read what the store says")
            return []

    # --- on the watcher's thread ---

    def _detach_soon(self, sitting: Sitting, run: Run) -> None:
        # Where the turn limit is shorter than the time to a hand-off, nobody has taken over what waits here.
        self._leave(sitting, run)
        sitting.detach_soon(run, self)

    def _leave(self, sitting: Sitting, run: Run) -> None:
        """Leave everything but a slow handler to an heir."""
        with self._lock:
            if self._running is not run or self._left:
                return
            self._left = True
            heir = Player(self._parts, self._table)
            heir._rest, self._rest = self._rest, deque()
            heir._sent, self._sent = self._sent, []
            heir._stream, self._stream = self._stream, heir._stream
            sitting.left()
            self._parts.running.note_slow()
            # With the lock held: the handler may return this moment, and its thread must not come back before it went.
            self._table.handed_off(self, heir)
