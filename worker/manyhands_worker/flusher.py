"""Sends the partial updates of detached runs and brings in what others have changed: one thread per process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from manyhands.errors import DamagedValue, LargeMissing, StoreRefused, Unavailable
from manyhands.store.contract import Store
from manyhands.store.turns import Commit, Ending
from manyhands_worker.room_commits import flush_rooms, refresh_rooms
from manyhands_worker.run import Phase, Run
from manyhands_worker.running import Running

log = logging.getLogger("manyhands.flusher")

#: The share of the interval by which a flush may come early, so that runs which are due at about the same time share a
#: round trip, and thousands of them are not looked at for each.
SLACK = 0.2
#: Threads that compute for partial updates. So many slow computed values at a time delay those of others.
COMPUTING_THREADS = 8


class Flusher:
    """The flusher's thread. It sleeps while nothing is detached."""

    def __init__(self, store: Store, running: Running, interval: float) -> None:
        self._store, self._running, self._interval = store, running, interval
        #: When each run is flushed next, by `time.monotonic`.
        self._due: dict[Run, float] = {}
        #: Runs that `_computing` flushes at the moment, or soon.
        self._apart: set[Run] = set()
        self._computing = ThreadPoolExecutor(COMPUTING_THREADS, thread_name_prefix="manyhands-compute")
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="manyhands-flusher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread soon."""
        self._given_up.set()
        self._running.stir()

    def _loop(self) -> None:
        while not self._given_up.is_set():
            self._running.wait_for_detached(self._given_up)
            try:
                wait = self._flush_due()
            except Unavailable as error:
                log.warning("partial updates wait: %s", error)
                wait = self._interval
            except Exception:
                # A fault of ours must not end all partial updates of the process.
                log.exception("flushing failed")
                wait = self._interval
            time.sleep(wait)
        self._computing.shutdown(wait=False)

    def _flush_due(self) -> float:
        """Flush what is due; gives the seconds until more is."""
        now = time.monotonic()
        since = self._running.detached_since()
        self._due = {run: self._due.get(run, began + self._interval) for run, began in since.items()}
        due = [run for run, at in self._due.items() if at <= now + SLACK * self._interval]
        for run in due:
            self._due[run] = max(self._due[run] + self._interval, now)
        apart = [run for run in due if run in self._apart or run.must_compute]
        for run in apart:
            self._flush_apart(run)
        if due := [run for run in due if run not in apart]:
            self._commit(due)
            self._refresh(due)
        next_due = min(self._due.values(), default=now + self._interval)
        return min(max(next_due - time.monotonic(), 0.001), self._interval)

    def _flush_apart(self, run: Run) -> None:
        """Flush a run on another thread: a function of the app's that never returns delays nobody else's updates."""
        if run not in self._apart:
            self._apart.add(run)
            self._computing.submit(self._flush_alone, run)

    def _flush_alone(self, run: Run) -> None:
        try:
            self._commit([run])
            self._refresh([run])
        except Unavailable as error:
            log.warning("a partial update waits: %s", error)
        except Exception:
            log.exception("%s | flushing failed", run.output.source)
        finally:
            self._apart.discard(run)

    def _commit(self, due: Iterable[Run]) -> None:
        prepared: list[tuple[Run, Commit]] = []
        # Most have assigned nothing since.
        due = [run for run in due if run.has_news()]
        # A run whose lock is taken is just being committed by its own thread.
        locked = [run for run in due if run.lock.acquire(blocking=False)]
        try:
            flush_rooms(self._store, locked)
            for run in locked:
                commit = self._prepare(run)
                if commit:
                    prepared.append((run, commit))
            answers = self._store.commit_all([commit for _, commit in prepared])
            for (run, commit), answer in zip(prepared, answers, strict=True):
                if not isinstance(answer, LargeMissing):
                    run.answered(commit, answer)
                elif not run.hold_again(answer):
                    log.error("%s | can't be committed: %s", run.output.source, answer)
                    run.lose()
        finally:
            for run in locked:
                run.lock.release()

    @staticmethod
    def _prepare(run: Run) -> Commit | None:
        try:
            return run.prepare(Ending.PARTIAL) if run.phase is Phase.DETACHED else None
        except StoreRefused as error:
            # It would be refused again and again, and hold up the updates of all others.
            log.error("%s | can't be committed: %s", run.output.source, error)
            run.lose()
            return None

    def _refresh(self, due: Sequence[Run]) -> None:
        sessions: dict[str, list[Run]] = {}
        for run in due:
            if run.phase is Phase.DETACHED:
                sessions.setdefault(run.session, []).append(run)
        known = [(session, min(run.version for run in runs)) for session, runs in sessions.items()]
        answers = self._store.refresh_all(known)
        for runs, answer in zip(sessions.values(), answers, strict=True):
            for run in runs if answer else ():
                assert answer is not None
                if (run.turn.client, run.turn.n) in answer.cancelled:
                    run.cancel()
                try:
                    run.refresh(answer)
                except DamagedValue as error:
                    log.error("%s | can't be shown what others changed: %s", run.output.source, error)
        refresh_rooms(self._store, due)
