"""Watches running handlers: none may hold up others for long.

After 10 ms the rest of its batch goes to another thread, as Go's scheduler takes the processor away from a thread that
blocks. After the turn limit the run is detached.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from manyhands_worker.run import Run
from manyhands_worker.waits import Waits

#: Seconds between two looks while anything runs. A handler may overrun its turn by about this much.
LOOK_INTERVAL = 0.005
#: Seconds that a handler may run before the rest of its batch goes to another thread.
HAND_OFF_AFTER = 0.01
#: Looks without any handler running after which the thread sleeps: waking it costs more than a look, and where there
#: are many handlers, another one begins soon.
LOOKS_AT_NOTHING = 20
#: Seconds from which on the process must have stood still as a whole: no short handler is to be detached for that. Less
#: is what busy threads take from one another, and must not let a long handler keep its turn.
STALL = 0.5


class Watched:
    """A running handler and what is to be done when it runs long."""

    __slots__ = ("detach", "grace", "hand_off", "run", "waited")

    def __init__(self, run: Run, hand_off: Callable[[], None] | None, detach: Callable[[], None]) -> None:
        self.run = run
        #: Called once, from the watcher's thread; must not block. None once it was called.
        self.hand_off = hand_off
        self.detach = detach
        #: Seconds added to the limits: what the watcher itself, and so most likely the handler, was kept waiting.
        self.grace = 0.0
        #: Seconds that its thread had waited for the store when it was first looked at; None before.
        self.waited: float | None = None

    def credit(self, late: float, most: float) -> None:
        """Credit what the watcher was kept waiting: a stall as a whole, a busy process up to a bound."""
        if late >= STALL:
            self.grace += late
        elif late > 0:
            self.grace = max(self.grace, min(self.grace + late, most))


class Watcher:
    """The watcher's thread. It sleeps while nothing runs."""

    def __init__(self, turn_limit: float, waits: Waits) -> None:
        self._turn_limit, self._waits = turn_limit, waits
        # Guards `_watched`; held for a dictionary operation.
        self._wake = threading.Condition()
        self._watched: dict[Run, Watched] = {}
        self._sleeps = True
        self._stopped = False
        self._thread = threading.Thread(target=self._loop, name="manyhands-watcher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for that: it asks other threads for what it must not do itself."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        self._thread.join()

    def hurry(self, limit: float) -> None:
        """Detach after at most so many seconds from now on: the process is going down."""
        self._turn_limit = min(self._turn_limit, limit)

    def watch(self, watched: Watched) -> None:
        """Watch a run whose handler is about to begin."""
        with self._wake:
            self._watched[watched.run] = watched
            if self._sleeps:
                self._wake.notify()

    def forget(self, run: Run) -> None:
        """Stop watching a run whose handler has returned, or which was detached."""
        with self._wake:
            self._watched.pop(run, None)

    def _loop(self) -> None:
        nothing = LOOKS_AT_NOTHING
        while not self._stopped:
            nothing = 0 if self._watched else nothing + 1
            if nothing > LOOKS_AT_NOTHING:
                with self._wake:
                    self._sleeps = not self._watched
                    self._wake.wait_for(lambda: bool(self._watched) or self._stopped)
                    self._sleeps = False
            before = time.monotonic()
            time.sleep(LOOK_INTERVAL)
            self._look(late=time.monotonic() - before - LOOK_INTERVAL)

    def _look(self, late: float) -> None:
        with self._wake:
            running = list(self._watched.values())
        now = time.monotonic()
        for watched in running:
            if watched.run.began is None:
                continue
            waited = self._waits.of(watched.run.thread)
            watched.waited = waited if watched.waited is None else watched.waited
            watched.credit(late, self._turn_limit)
            ran = now - watched.run.began - watched.grace
            if ran >= HAND_OFF_AFTER and watched.hand_off:
                hand_off, watched.hand_off = watched.hand_off, None
                hand_off()
            # What is read may be long in coming; that others need not wait for it is all that follows from that.
            if ran - (waited - watched.waited) >= self._turn_limit:
                self.forget(watched.run)
                watched.detach()
