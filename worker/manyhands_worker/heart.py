"""Keeps a worker process known: renews leases, announces the app, and looks for overdue doorbells and leases."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from manyhands.errors import Unavailable
from manyhands.store.contract import Announcement, Fields, Store
from manyhands.verifiers import is_internal
from manyhands_worker.meter import Meter
from manyhands_worker.ringing import Ringing
from manyhands_worker.room_commits import renew_rooms
from manyhands_worker.run import Phase
from manyhands_worker.running import Running

log = logging.getLogger("manyhands.heart")

#: Seconds between two announcements of the app.
ANNOUNCE_INTERVAL = 5.0
#: Seconds between two looks for what is overdue, at most one of the whole fleet each.
REAP_INTERVAL = 1.0


class Heart:
    """The thread. A process whose heart stops for the length of a lease loses its runs."""

    def __init__(
        self, store: Store, running: Running, ringing: Ringing, lease: float, meter: Meter, queues: Sequence[str]
    ) -> None:
        """`queues`: those that this process serves."""
        self._store, self._running, self._ringing, self._meter = store, running, ringing, meter
        self._queues = queues
        #: Several tries fit into a lease.
        self._beat = min(lease / 5, REAP_INTERVAL)
        self._announcement: tuple[Announcement, Fields] | None = None
        self._announced = False
        self._announce_at = 0.0
        #: Called once, when the app was announced first: from then on gateways take events for its handlers.
        self.on_announced: Callable[[], None] = _nothing
        self._reap_at = 0.0
        #: The latest ring served of each queue when this thread last looked: every earlier doorbell has had its time.
        self._served_before: dict[str, int | None] = {}
        self._draining = False
        self._thread = threading.Thread(target=self._loop, name="manyhands-heart", daemon=True)

    def start(self, announcement: Announcement, defaults: Fields) -> None:
        """Start the thread, which announces the app as soon as doorbells are taken."""
        self._announcement = (announcement, defaults)
        self._thread.start()

    def drain(self) -> None:
        """Go on renewing leases, but look for no more work."""
        self._draining = True

    def _loop(self) -> None:
        # Announced earlier, the first click would wait for Celery to start. Without a broker events are to be accepted
        # all the same, and wait.
        self._running.wait_until_consuming(ANNOUNCE_INTERVAL)
        while True:
            try:
                self._renew()
                self._announce()
                self._reap()
            except Unavailable as error:
                log.warning("waiting for Redis: %s", error)
            except Exception:
                # A fault of ours must not let every lease of the process run out.
                log.exception("a heartbeat failed")
            time.sleep(self._beat)

    def _renew(self) -> None:
        # One that was given up must not keep its lease. One that the store may not know yet would be taken for lost.
        runs = [run for run in self._running.known_runs() if run.phase in (Phase.TURN, Phase.DETACHED)]
        if not runs:
            return
        held = self._store.renew([(run.session, run.token) for run in runs])
        for run, still_held in zip(runs, held, strict=True):
            if not still_held:
                run.lose_unless_ended()
        renew_rooms(self._store, runs)

    def _announce(self) -> None:
        if self._announcement and not self._draining and time.monotonic() >= self._announce_at:
            self._store.announce(*self._announcement, started=not self._announced)
            if not self._announced:
                announcement = self._announcement[0]
                count = sum(not is_internal(name) for name in announcement.handlers)
                log.info("serving %d handlers of version %s", count, announcement.version)
                self.on_announced()
            self._announced = True
            self._announce_at = time.monotonic() + ANNOUNCE_INTERVAL

    def _reap(self) -> None:
        now = time.monotonic()
        if self._draining or now < self._reap_at:
            return
        self._reap_at = now + REAP_INTERVAL
        served_before, self._served_before = self._served_before, self._running.latest_rings()
        idle = self._running.is_idle(REAP_INTERVAL)
        if self._store.watch(self._queues, idle=idle):
            asked = {queue: served_before.get(queue) for queue in self._queues}
            overdue = self._store.ring_overdue(asked, idle)
            if overdue:
                log.info("ringing %d sessions again", len(overdue))
                self._meter.rung_again(len(overdue))
            for one in overdue:
                self._ringing.ring([(one.session, one.ring)], queue=one.queue)


def _nothing() -> None:
    pass
