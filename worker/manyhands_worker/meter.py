"""Counts what one worker process does: one call when an event has ended, and numbers that are read when asked for."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Protocol

from manyhands.metrics import (
    MAX_HANDLERS,
    OTHERS,
    Distribution,
    Kind,
    Metric,
    Snapshot,
    added,
    process_families,
)

EVENTS = Metric(
    "manyhands_events_total", Kind.COUNTER, "Events that have ended, by handler and outcome.", ("handler", "outcome")
)
EVENT = Metric(
    "manyhands_event_seconds", Kind.HISTOGRAM,
    "From the moment an event reached its gateway to its final commit, by the clocks of both.",
)  # fmt: skip
STAGES = Metric(
    "manyhands_stage_seconds", Kind.HISTOGRAM, "How long an event, or its update, was at each stage.", ("stage",)
)
HANDLERS = Metric("manyhands_handler_seconds", Kind.HISTOGRAM, "How long handlers ran, by handler.", ("handler",))
RUNS = Metric("manyhands_worker_runs", Kind.GAUGE, "Events at work: in their turn, or detached.", ("state",))
DETACHED = Metric("manyhands_worker_detached_total", Kind.COUNTER, "Handlers that outlasted their turn.")
TAKEOVERS = Metric(
    "manyhands_worker_takeovers_total", Kind.COUNTER,
    "Events begun again here since another worker died or fell silent.",
)  # fmt: skip
LOST = Metric(
    "manyhands_worker_lost_total", Kind.COUNTER, "Events that another worker took over while they were at work here."
)
RUNG_AGAIN = Metric(
    "manyhands_worker_rung_again_total", Kind.COUNTER, "Sessions rung again, for a doorbell or a worker was lost."
)
ROUND_TRIPS = Metric(
    "manyhands_worker_round_trips_total", Kind.COUNTER, "How often the process waited for answers of Redis' scripts."
)
METRICS = (EVENTS, EVENT, STAGES, HANDLERS, RUNS, DETACHED, TAKEOVERS, LOST, RUNG_AGAIN, ROUND_TRIPS)

#: The outcome of an event whose handler has returned; the others are the codes of errors.
OK = "ok"


class Measured(Protocol):
    """What the meter reads of a run that has ended. Times are by `time.monotonic` unless said otherwise."""

    @property
    def handler(self) -> str:
        """The handler's name."""
        ...

    @property
    def outcome(self) -> str:
        """`ok` or the code of an error."""
        ...

    @property
    def posted(self) -> float | None:
        """When the event reached its gateway, by that machine's `time.time`; None where its letter does not say."""
        ...

    @property
    def taken(self) -> float:
        """When its turn was taken."""
        ...

    @property
    def began(self) -> float | None:
        """When its handler began; None where it never did."""
        ...

    @property
    def returned(self) -> float:
        """When its handler had returned."""
        ...


class Tallies:
    """The numbers of one handler."""

    __slots__ = ("outcomes", "ran")

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.ran = Distribution()


class Meter:
    """The numbers of one process; any thread calls any method."""

    def __init__(self) -> None:
        # Guards everything below; held for about a microsecond.
        self._lock = threading.Lock()
        self._handlers: dict[str, Tallies] = {}
        self._whole, self._waited, self._loaded, self._committed = (Distribution() for _ in range(4))
        self._counts: Counter[Metric] = Counter()

    def ended(self, run: Measured) -> None:
        """Count an event whose final commit is in: call it right after."""
        now = time.monotonic()
        taken, began, returned = run.taken, run.began, run.returned
        whole = None if run.posted is None else time.time() - run.posted
        with self._lock:
            tallies = self._handlers.get(run.handler) or self._first(run.handler)
            tallies.outcomes[run.outcome] += 1
            if whole is not None:
                self._whole.add(whole)
                self._waited.add(whole - (now - taken))
            if began is not None:
                self._loaded.add(began - taken)
                tallies.ran.add(returned - began)
            self._committed.add(now - returned)

    def detached(self) -> None:
        """Count a handler that outlasted its turn."""
        self._count(DETACHED)

    def taken_over(self) -> None:
        """Count an event that is begun again here."""
        self._count(TAKEOVERS)

    def lost(self) -> None:
        """Count an event that another worker has taken over."""
        self._count(LOST)

    def rung_again(self, sessions: int) -> None:
        """Count sessions that were rung again."""
        self._count(RUNG_AGAIN, sessions)

    def snapshot(self, in_turn: int, detached: int, round_trips: int = 0) -> Snapshot:
        """Give all numbers as they are now, with those of the runs at work and of the store."""
        with self._lock:
            ran = {name: added([one.ran]) for name, one in self._handlers.items()}
            outcomes = {(name, how): n for name, one in self._handlers.items() for how, n in one.outcomes.items()}
            whole, *stages = (added([one]) for one in (self._whole, self._waited, self._loaded, self._committed))
            counts = dict(self._counts)
        waited, loaded, committed = stages
        by_stage = {"waited": waited, "loaded": loaded, "ran": added(ran.values()), "committed": committed}
        return [
            EVENTS.family(outcomes),
            EVENT.family(whole),
            STAGES.family(by_stage),
            HANDLERS.family(ran),
            RUNS.family({"turn": in_turn, "detached": detached}),
            *(metric.family(counts.get(metric, 0)) for metric in (DETACHED, TAKEOVERS, LOST, RUNG_AGAIN)),
            ROUND_TRIPS.family(round_trips),
            *process_families(),
        ]

    def _count(self, metric: Metric, more: int = 1) -> None:
        with self._lock:
            self._counts[metric] += more

    def _first(self, handler: str) -> Tallies:
        if handler not in self._handlers and len(self._handlers) >= MAX_HANDLERS:
            handler = OTHERS
        return self._handlers.setdefault(handler, Tallies())
