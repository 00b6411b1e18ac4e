"""Notices that handlers of this process compute for long, and leaves new work to other processes meanwhile.

Python runs one thread at a time: whoever comes to a process that computes waits for the interpreter again and again.
Handlers that wait, for a database or a timer, cost nobody anything.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from manyhands.errors import Unavailable
from manyhands.store.contract import Store
from manyhands_worker.listener import Listener
from manyhands_worker.run import Run
from manyhands_worker.running import Running
from manyhands_worker.watcher import HAND_OFF_AFTER

log = logging.getLogger("manyhands.burning")

#: Seconds between two looks while any slow plain handler runs.
LOOK = 0.02
#: The share of the time, in which slow handlers have a core or wait for one, from which on they compute; and the share
#: of a core below which a whole process does not, which is cheaper to know.
SHARE, PROCESS_SHARE = 0.3, 0.1
#: Looks in a row without computing after which work is taken again.
CALM = 5
#: Looks in a row that find doorbells waiting before one is taken all the same: nobody else has time either.
PATIENCE = 2
#: Seconds for which it is believed who else listens.
KNOWN_FOR = 0.5


class Burning:
    """The thread that looks. It sleeps while every handler is quick."""

    def __init__(
        self, store: Store, running: Running, listener: Listener, alike: str, waiting: Callable[[], int]
    ) -> None:
        """`alike` is the pattern of the channels of those that serve the same queues; `waiting` gives how many
        doorbells lie in this process's queues, and raises `Unavailable`.
        """
        self._store, self._running, self._listener, self._waiting = store, running, listener, waiting
        self._alike = alike
        #: Called when doorbells may be taken again.
        self.on_calm: Callable[[], None] = _nothing
        self._holds = False
        #: Whether one message may be asked for all the same, and whether one was.
        self._let_through = self._expected = False
        self._others = (0.0, False)
        self._thread = threading.Thread(target=self._loop, name="manyhands-burning", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def holds(self) -> bool:
        """Whether doorbells are left to other processes. Called by Celery's thread before it asks for one."""
        if self._holds and self._let_through:
            self._let_through = False
            self._expected = True
            return False
        return self._holds

    def declines(self) -> bool:
        """Tell whether doorbells that have just come are to be rung again: they had been asked for before."""
        expected, self._expected = self._expected, False
        return self._holds and not expected

    def _loop(self) -> None:
        while True:
            self._running.wait_for_slow()
            try:
                self._watch()
            except Exception:
                # A fault of ours must not keep the process from work.
                log.exception("looking at slow handlers failed")
            self._hold(False)

    def _watch(self) -> None:
        """Look until no slow handler is left."""
        calm, found, used = 0, 0, _cpu(self._running.slow(HAND_OFF_AFTER))
        while slow := self._running.slow(HAND_OFF_AFTER):
            began, process = time.monotonic(), time.process_time()
            time.sleep(LOOK)
            took = time.monotonic() - began
            now = _cpu(slow) if time.process_time() - process >= PROCESS_SHARE * took else {}
            computes = sum(now[one] - used.get(one, now[one]) for one in now) >= SHARE * took
            used = now
            calm = 0 if computes else calm + 1
            self._hold((computes or (self._holds and calm < CALM)) and self._others_listen())
            found = found + 1 if self._holds and self._waits() else 0
            if found >= PATIENCE:
                found = 0
                self._let_through = True
                self.on_calm()

    def _hold(self, holds: bool) -> None:
        if holds == self._holds:
            return
        self._holds = holds
        if holds:
            self._listener.pause()
        else:
            if not self._running.stopping:
                self._listener.go_on()
                if self._running.stopping:
                    # It was told to go this moment.
                    self._listener.pause()
            self.on_calm()

    def _others_listen(self) -> bool:
        at, others = self._others
        if time.monotonic() - at > KNOWN_FOR:
            try:
                others = self._store.others_listen(self._listener.name, self._alike)
            except Unavailable:
                others = False
            self._others = (time.monotonic(), others)
        return others

    def _waits(self) -> bool:
        try:
            return self._waiting() > 0
        except Unavailable:
            return False


def _cpu(runs: list[Run]) -> dict[int, float]:
    """Give the seconds that the threads of some runs had a core or waited for one, as far as the system tells."""
    used: dict[int, float] = {}
    for run in runs:
        try:
            # On a thread that has ended, asking for its clock would be fatal; reading a file is not.
            ran, waited, _ = Path(f"/proc/self/task/{run.thread}/schedstat").read_text("ascii").split()
        except (OSError, ValueError):
            continue
        used[run.thread] = (int(ran) + int(waited)) / 1e9
    return used


def _nothing() -> None:
    pass
