"""One run of the load test: open the sessions, fire, drain, verify."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from manyhands.errors import Unavailable
from manyhands.load.client import Client
from manyhands.load.framing import HandshakeRefused
from manyhands.load.link import open_link
from manyhands.load.pacing import Schedule
from manyhands.load.plan import Plan
from manyhands.load.session import Session
from manyhands.load.tally import Tally

#: Sessions that are opened, or verified, at the same time: a handshake costs a gateway more than an event.
AT_ONCE = 50
#: Seconds within which each such group has to be joined.
OPEN_TIMEOUT = 20.0
#: Seconds that events may take to end once no more are fired. What has not ended then is lost.
DRAIN_TIMEOUT = 30.0
#: Seconds to wait after the last end for one that should not come.
SETTLE = 0.3
#: Seconds between two looks at the time when an open loop's events are due. It is part of their latency.
GRAIN = 0.001
#: Seconds after which a slow open loop looks whether it was stopped.
NAP = 0.2


@dataclass(frozen=True, slots=True)
class Result:
    """What a run has found."""

    plan: Plan
    tally: Tally
    #: Seconds that were measured: fewer than planned after an interrupt.
    measured: float
    #: The share of one core that the load generator took while it fired.
    cpu: float
    #: Seconds by which the load generator itself was late at worst; part of the latencies that it measured.
    lag: float


class Runner:
    """Plays a plan, once. `show` is called every second of the load, with the second and with the seconds so far."""

    def __init__(self, plan: Plan, tally: Tally, show: Callable[[Tally], None]) -> None:
        self.plan, self.tally, self._show = plan, tally, show
        self.clients: list[Client] = []
        self._firing = False
        self._lag = 0.0
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> Result:
        """Play the plan. Raises `Unavailable`, `HandshakeRefused`, `EventRefused`."""
        _allow_files(self.plan.sessions + 64)
        with self._interruptible():
            try:
                await self._open()
                began, cpu = time.perf_counter(), time.process_time()
                await self._load()
                ended, cpu = time.perf_counter(), time.process_time() - cpu
                await self._drain()
            finally:
                await self._end_tasks()
            self._raise_failure()
            await _in_groups(self.clients, lambda client: client.verify())
        measured = min(max(ended - began - self.plan.warmup, 0.0), self.plan.duration)
        return Result(self.plan, self.tally, measured, cpu / (ended - began), self._lag)

    # --- the phases ---

    async def _open(self) -> None:
        address = self.plan.address
        try:
            (await open_link(address, lambda _: None)).close()
        except HandshakeRefused as error:
            if error.status is not None and error.status < 500:
                raise
            raise Unavailable(address.url, error) from error
        except OSError as error:
            raise Unavailable(address.url, str(error) or "no answer in time") from error
        self.clients = [
            Client(address, Session(self.tally, self.plan.key), self.tally, self._fire_next)
            for _ in range(self.plan.sessions)
        ]
        await _in_groups(self.clients, self._join)

    async def _join(self, client: Client) -> None:
        self._start(client.run())
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                await client.joined.wait()
        except TimeoutError:
            self._raise_failure()
            raise Unavailable(self.plan.address.url, client.refusal or "no welcome in time") from None

    async def _load(self) -> None:
        self._firing = True
        now = time.perf_counter()
        self.tally.begin(now, self.plan.warmup, self.plan.duration)
        self._start(self._tick())
        length = self.plan.warmup + self.plan.duration
        if self.plan.rate is None:
            for client in self.clients:
                self._fire_next(client)
            await self._stopped_within(length)
        else:
            await self._pace(Schedule(self.plan.rate, now, now + length))
        self._firing = False

    async def _pace(self, schedule: Schedule) -> None:
        while (due := schedule.next) is not None:
            await asyncio.sleep(min(max(due - time.perf_counter(), GRAIN), NAP))
            if self._stop.is_set():
                return
            first = schedule.count
            for number, intended in enumerate(schedule.due(time.perf_counter()), first):
                client = self.clients[number % len(self.clients)]
                client.fire(self.plan.handler, self.plan.payload, intended)

    async def _drain(self) -> None:
        deadline = time.perf_counter() + DRAIN_TIMEOUT
        while self._failure is None and time.perf_counter() < deadline:
            if not any(client.session.outstanding for client in self.clients):
                break
            await asyncio.sleep(0.02)
        await asyncio.sleep(SETTLE)
        for client in self.clients:
            client.session.give_up()

    # --- its parts ---

    def _fire_next(self, client: Client) -> None:
        """Go on with a session that has nothing under way: the closed loop."""
        if self._firing and self.plan.rate is None:
            client.fire(self.plan.handler, self.plan.payload, time.perf_counter())

    async def _tick(self) -> None:
        due = time.perf_counter()
        while True:
            due += 1.0
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            now = time.perf_counter()
            self._lag = max(self._lag, now - due)
            self.tally.tick(now)
            self._show(self.tally)

    async def _stopped_within(self, seconds: float) -> bool:
        """Wait for so long, or until the run is stopped."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        return self._stop.is_set()

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._done)
        self._tasks.append(task)

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = self._failure or error
            self._stop.set()

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let the first Ctrl-C or SIGTERM end the load early, with a report; a second one ends the process."""
        loop = asyncio.get_running_loop()

        def stop(number: signal.Signals) -> None:
            self._stop.set()
            loop.remove_signal_handler(number)

        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, stop, number)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)


async def _in_groups(clients: Sequence[Client], act: Callable[[Client], Awaitable[None]]) -> None:
    """Do something with every client, with a limited number of them at a time."""
    for first in range(0, len(clients), AT_ONCE):
        await asyncio.gather(*map(act, clients[first : first + AT_ONCE]))


def _allow_files(number: int) -> None:
    """Raise the limit of open files as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < number:
        limit = number if hard == resource.RLIM_INFINITY else min(number, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
