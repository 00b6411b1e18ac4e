"""Takes the turns of the sessions that a doorbell names.

Plain handlers run on threads of ours, one hop per batch; `async` ones on the event loop, holding no thread. The Celery
task waits for its batch, so that Celery takes no more work than there are free slots; what is detached does not count.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from manyhands.errors import Unavailable
from manyhands.settings import Settings
from manyhands.store.contract import Store
from manyhands_worker.batch import Batch
from manyhands_worker.defaults import DefaultsCache
from manyhands_worker.event_loop import EventLoop
from manyhands_worker.loader import LoadedApp
from manyhands_worker.ringing import Ringing
from manyhands_worker.running import Running
from manyhands_worker.sitting import Sitting, new_token
from manyhands_worker.versions import OtherVersions
from manyhands_worker.watcher import Watcher

log = logging.getLogger("manyhands.turns")


class Turns:
    """Everything that runs events in one worker process."""

    def __init__(self, settings: Settings, store: Store, app: LoadedApp, ringing: Ringing, concurrency: int) -> None:
        self.settings, self.store, self.app, self.ringing = settings, store, app, ringing
        self.running = Running(settings.max_detached, concurrency)
        self.watcher = Watcher(settings.turn_limit)
        self.loop = EventLoop()
        self.draining = False
        self.versions = OtherVersions(store, app.version)
        self.defaults = DefaultsCache(store, app, dev=settings.dev)
        # A thread for every slot and every detached handler, and some that finish commits meanwhile.
        threads = settings.max_detached[0] + 2 * concurrency + 16
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="manyhands-turn")

    def start(self) -> None:
        """Start the threads."""
        self.watcher.start()
        self.loop.start()

    def take_turns(self, bells: Sequence[tuple[str, int]]) -> None:
        """Take the turns of these sessions; returns when all are over or detached. Called by the Celery task."""
        self.running.wait_for_room()
        batch = Batch(bells)
        with self.running.slot():
            self.threads.submit(self.work, batch)
            batch.wait()

    def work(self, batch: Batch) -> None:
        """Take the turns of a batch until none waits; several threads may do so at once."""
        while taken := batch.take():
            session, ring = taken
            if self.draining:
                self.ringing.ring([(session, ring), *batch.give_up()])
                batch.release()
                return
            self.guarded(batch, partial(self._begin_session, batch, session, ring))

    def guarded(self, batch: Batch, act: Callable[[], None]) -> None:
        """Do one session's work. A fault of ours must not silence the worker: the event is taken over."""
        try:
            act()
        except Exception:
            log.exception("taking a turn failed")
            batch.release()

    def _begin_session(self, batch: Batch, session: str, ring: int) -> None:
        try:
            turn = self.store.begin(session, new_token())
        except Unavailable as error:
            # The bell is lost, the mail is not: a reaper rings it again.
            log.warning("can't begin session %s: %s", session, error)
            batch.release()
            return
        self.running.served(ring)
        Sitting(self, batch).play(turn)
