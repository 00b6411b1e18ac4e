"""What a worker process is doing: its runs, its free slots, the doorbells it has served."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from manyhands.errors import StoreRefused, Unavailable

if TYPE_CHECKING:
    from manyhands_worker.run import Run

log = logging.getLogger("manyhands.turns")

Answer = TypeVar("Answer")

#: Seconds between two tries while Redis is away.
RETRY = 0.25
#: Seconds that runs get to finish after the process was told to go. With what follows it is gone within 25 s.
GRACE = 15.0
#: Seconds in which a repeated event that kills workers should have done so.
ALONE_FOR = 2.0


class Running:
    """The books of one process; any thread writes them."""

    def __init__(self, max_detached: tuple[int, int], concurrency: int) -> None:
        # Guards everything below; held for a moment.
        self._changed = threading.Condition()
        self._runs: set[Run] = set()
        #: How many of them are of async handlers.
        self._asynchronous = 0
        #: Those that began with a commit whose answer has not been read.
        self._unknown: set[Run] = set()
        self._detached: dict[Run, float] = {}
        self._max_plain, self._max_async = max_detached
        self._concurrency = concurrency
        self._busy = 0
        self._consuming = False
        #: Since when a slot is free and no doorbell has come, by `time.monotonic`. A free slot alone says little: when
        #: handlers are quick, Celery's loop may be the one that is behind.
        self._free_since = time.monotonic()
        self._latest_rings: dict[str, int | None] = {}
        self._stopping = threading.Event()
        #: Set when a plain handler turns out to be slow.
        self._slow = threading.Event()
        #: For how many seconds the bell has waited here that is played next.
        self.lag: Callable[[], float] = float
        #: When the process was told to go, by `time.monotonic`.
        self.stopping_since = float("inf")
        #: The latest run that was not the first attempt at its event, and until when it stays alone, by
        #: `time.monotonic`.
        self._repeat: Run | None = None
        self._repeat_until = 0.0

    def add(self, run: Run, *, follows: bool = False) -> None:
        """Note a run that begins. `follows`: with a commit on its way, so that the store may not know it yet."""
        with self._changed:
            self._runs.add(run)
            self._asynchronous += run.is_async
            if follows:
                self._unknown.add(run)

    def confirm(self, run: Run) -> None:
        """Note that the store knows of a run that followed another."""
        with self._changed:
            self._unknown.discard(run)

    def detached(self, run: Run) -> None:
        """Note that a run was detached, unless it has ended meanwhile."""
        with self._changed:
            if run in self._runs:
                self._detached[run] = time.monotonic()
                self._changed.notify_all()

    def remove(self, run: Run) -> None:
        """Note that a run has ended."""
        with self._changed:
            if run in self._runs:
                self._runs.remove(run)
                self._asynchronous -= run.is_async
            self._unknown.discard(run)
            self._detached.pop(run, None)
            if self._repeat is run:
                self._repeat = None
            self._changed.notify_all()

    def runs(self) -> list[Run]:
        """Give every run, whatever its phase."""
        with self._changed:
            return list(self._runs)

    def slow(self, seconds: float) -> list[Run]:
        """Give the plain handlers that have run for longer."""
        since = time.monotonic() - seconds
        with self._changed:
            return [run for run in self._runs if not run.is_async and run.began is not None and run.began < since]

    def wait_for_slow(self) -> None:
        """Wait until a plain handler turns out to be slow."""
        self._slow.wait()
        self._slow.clear()

    def note_slow(self) -> None:
        """Say that a plain handler is slow. Called by the watcher."""
        self._slow.set()

    def known_runs(self) -> list[Run]:
        """Give every run that the store certainly knows, or has known."""
        with self._changed:
            return [run for run in self._runs if run not in self._unknown]

    def detached_since(self) -> dict[Run, float]:
        """Give the detached runs and when they were detached, by `time.monotonic`."""
        with self._changed:
            return dict(self._detached)

    def wait_for_detached(self, given_up: threading.Event) -> None:
        """Wait until a run is detached that may need flushing, or until the caller has been given up: see `stir`."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._detached) or given_up.is_set())

    def stir(self) -> None:
        """Let those who wait look again."""
        with self._changed:
            self._changed.notify_all()

    def room(self) -> int:
        """Give how many handlers may run beside those that do, at least 1."""
        with self._changed:
            return max(1, self._room())

    @property
    def has_room(self) -> bool:
        """Whether one more handler may run, or the process is going down."""
        with self._changed:
            return self._has_room()

    def wait_for_room(self) -> None:
        """Wait while as many handlers run as may be detached, unless the process is going down."""
        with self._changed:
            self._changed.wait_for(self._has_room)

    def stop(self) -> None:
        """Let nobody wait for room any more: the process is going down. Called by the signal handler."""
        self.stopping_since = min(self.stopping_since, time.monotonic())
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def is_only_repeat(self, run: Run) -> bool:
        """Let events be repeated here one by one, since one of those that died together may have killed them all."""
        with self._changed:
            if self._repeat is None or time.monotonic() >= self._repeat_until:
                self._repeat, self._repeat_until = run, time.monotonic() + ALONE_FOR
            return self._repeat is run

    @property
    def is_out_of_time(self) -> bool:
        """Whether the process must go now, whatever is not answered."""
        return time.monotonic() - self.stopping_since > GRACE

    @property
    def stopping(self) -> bool:
        """Whether the process is going down."""
        return self._stopping.is_set()

    def _has_room(self) -> bool:
        return self._stopping.is_set() or self._room() > 0

    def _room(self) -> int:
        # Of which kind the next ones are, nobody knows before they have begun.
        plain = len(self._runs) - self._asynchronous
        return min(self._max_plain - plain, self._max_async - self._asynchronous)

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait until no run is left; tells whether that came true."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._runs, timeout)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Count a Celery task that holds a slot."""
        with self._changed:
            self._busy += 1
            self._free_since = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._free_since = time.monotonic()

    def consuming(self, consuming: bool) -> None:
        """Note that doorbells are taken from the queue from now on, or no longer."""
        with self._changed:
            self._consuming = consuming
            self._free_since = time.monotonic()
            self._changed.notify_all()

    def wait_until_consuming(self, timeout: float) -> None:
        """Wait until doorbells are taken."""
        with self._changed:
            self._changed.wait_for(lambda: self._consuming, timeout)

    def is_idle(self, seconds: float) -> bool:
        """Tell whether for so long a slot was free and no doorbell came, so that one would have been answered."""
        with self._changed:
            free = self._consuming and self._busy < self._concurrency and self._has_room()
            idle = free and time.monotonic() - self._free_since >= seconds
        return idle and self.lag() < seconds / 2

    def served(self, queue: str, ring: int) -> None:
        """Note the time of the ring, in the store's ms, of a doorbell that came through Celery and is served."""
        with self._changed:
            self._latest_rings[queue] = max(self._latest_rings.get(queue) or 0, ring)

    def latest_rings(self) -> dict[str, int | None]:
        """Give the latest ring that was served of each queue, in the store's ms."""
        with self._changed:
            return dict(self._latest_rings)

    def pause(self, seconds: float) -> None:
        """Wait between two tries."""
        time.sleep(seconds)

    def insist(self, act: Callable[[], Answer], what: str) -> Answer:
        """Ask the store until it answers: whoever waits for it does not learn that Redis was away for a while.

        Raises `StoreRefused`, since it would refuse again and again, and `Unavailable` once the process must go.
        """
        while True:
            try:
                return act()
            except StoreRefused:
                raise
            except Unavailable as error:
                log.warning("can't %s, trying again: %s", what, error)
                if self.is_out_of_time:
                    raise
                self.pause(RETRY)
