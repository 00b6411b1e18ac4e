"""What everything that runs events in one worker process has in common."""

from __future__ import annotations

import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from manyhands.keys import Keys
from manyhands.loaded_app import LoadedApp
from manyhands.metrics import Snapshot
from manyhands.settings import Settings
from manyhands.store.contract import Store
from manyhands.tracing import start_tracing
from manyhands_worker.burning import Burning
from manyhands_worker.defaults import DefaultsCache
from manyhands_worker.durations import Durations
from manyhands_worker.event_loop import EventLoop
from manyhands_worker.known_sessions import KnownSessions
from manyhands_worker.large_values import LargeValues
from manyhands_worker.lines import Lines
from manyhands_worker.listener import Listener
from manyhands_worker.meter import Meter
from manyhands_worker.reading import Reading
from manyhands_worker.ringing import Ringing
from manyhands_worker.run import Phase
from manyhands_worker.running import Running
from manyhands_worker.studio import Studio
from manyhands_worker.traces import Traces
from manyhands_worker.versions import OtherVersions
from manyhands_worker.waits import Waits
from manyhands_worker.watcher import Watcher

#: Threads that detach handlers, each for one round trip.
DETACHING_THREADS = 4


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one worker process."""

    settings: Settings
    store: Store
    app: LoadedApp
    ringing: Ringing
    running: Running
    watcher: Watcher
    loop: EventLoop
    #: Ours: plain handlers run here, and commits that must not hold up whoever asks for them.
    threads: ThreadPoolExecutor
    #: A few more, so that handlers which fill the others can still be detached.
    detaching: ThreadPoolExecutor
    versions: OtherVersions
    defaults: DefaultsCache
    meter: Meter
    traces: Traces
    #: None outside of `manyhands dev`.
    studio: Studio | None
    sessions: KnownSessions
    reading: Reading
    waits: Waits
    large: LargeValues
    durations: Durations
    listener: Listener
    lines: Lines
    burning: Burning
    #: The queues that this process serves; `""` is the common one.
    queues: tuple[str, ...]
    #: How many plain handlers may hold their turns at the same time.
    concurrency: int

    @classmethod
    def make(
        cls, settings: Settings, store: Store, app: LoadedApp, ringing: Ringing,
        *, concurrency: int, queues: tuple[str, ...], studio: Studio | None = None,
    ) -> Parts:  # fmt: skip
        """Make them; no thread runs before `start`."""
        keys = Keys(settings.namespace)
        # A thread for every slot and every detached handler, and some that finish commits meanwhile.
        threads = settings.max_detached[0] + 2 * concurrency + 16
        running, waits = Running(settings.max_detached, concurrency), Waits()
        listener = Listener(settings.redis, keys.worker(secrets.token_hex(8), queues))
        return cls(
            settings=settings,
            store=store,
            app=app,
            ringing=ringing,
            running=running,
            watcher=Watcher(settings.turn_limit, waits),
            loop=EventLoop(),
            threads=ThreadPoolExecutor(threads, thread_name_prefix="manyhands-turn"),
            detaching=ThreadPoolExecutor(DETACHING_THREADS, thread_name_prefix="manyhands-detach"),
            versions=OtherVersions(store, app.version),
            defaults=DefaultsCache(store, app, settings),
            meter=Meter(),
            traces=Traces(start_tracing(settings, "manyhands-worker")),
            studio=studio,
            sessions=KnownSessions(),
            reading=Reading(store, running, waits),
            waits=waits,
            large=LargeValues(store, running, waits, settings.value_cache),
            durations=Durations(),
            listener=listener,
            lines=Lines(settings.redis, keys.lines(secrets.token_hex(8))),
            burning=Burning(store, running, listener, keys.worker("*", queues), lambda: ringing.waiting(queues)),
            queues=queues,
            concurrency=concurrency,
        )

    def snapshot(self) -> Snapshot:
        """Give the process's numbers, for `/metrics`."""
        phases = Counter(run.phase for run in self.running.runs())
        return self.meter.snapshot(phases[Phase.TURN], phases[Phase.DETACHED], self.store.round_trips)

    def start(self) -> None:
        """Start the threads that watch handlers and run async ones."""
        self.watcher.start()
        self.loop.start()
        self.burning.start()
