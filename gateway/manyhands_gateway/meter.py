"""Counts what one gateway process does. Greenlets alone use it, and nothing here lets another one run: no locks."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Protocol

from manyhands.metrics import (
    MAX_HANDLERS,
    OTHERS,
    Distribution,
    Kind,
    Metric,
    Snapshot,
    process_families,
)
from manyhands.wire import Close, Key

EVENTS = Metric(
    "manyhands_gateway_events_total", Kind.COUNTER,
    "Events that browsers sent, by what became of them at the gateway.", ("handler", "outcome"),
)  # fmt: skip
STAGES = Metric(
    "manyhands_stage_seconds", Kind.HISTOGRAM, "How long an event, or its update, was at each stage.", ("stage",)
)
CONNECTIONS = Metric("manyhands_gateway_connections", Kind.GAUGE, "Sockets that are open.")
SESSIONS = Metric("manyhands_gateway_sessions", Kind.GAUGE, "Sessions that have a browser here.")
JOINS = Metric(
    "manyhands_gateway_joins_total", Kind.COUNTER,
    "Answers to `hello`, by what the browser got: a new session, its own again, or none.", ("kind",),
)  # fmt: skip
CLOSED = Metric(
    "manyhands_gateway_closed_total", Kind.COUNTER,
    "Sockets that have ended, by the close code that was sent; 4002 is a browser that read too slowly.", ("code",),
)  # fmt: skip
UPDATES = Metric("manyhands_gateway_updates_total", Kind.COUNTER, "Updates that came for sessions with a browser here.")
LOG_READS = Metric(
    "manyhands_gateway_log_reads_total", Kind.COUNTER, "Readings of a session's log, since an update was missing."
)
WAITING = Metric(
    "manyhands_waiting_events", Kind.GAUGE,
    "Events that wait in mailboxes over the whole deployment, as far as this process knows.",
)  # fmt: skip
AGE = Metric(
    "manyhands_mailbox_age_seconds", Kind.GAUGE,
    "For how long the oldest session with mail has waited for a worker, over the whole deployment.",
)  # fmt: skip
METRICS = (EVENTS, STAGES, CONNECTIONS, SESSIONS, JOINS, CLOSED, UPDATES, LOG_READS, WAITING, AGE)

#: The outcome of an event that is in its mailbox, and of one that had been there before.
ACCEPTED, DUPLICATE = "accepted", "duplicate"
#: The close code of a socket that ended without a close frame of ours, and of all that browsers may make up, which we
#: send back to them.
NO_CODE, OTHER_CODE = "none", "other"
CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1011, *Close})


class JoinKind(StrEnum):
    """What became of a `hello`."""

    NEW = "new"
    RESUMED = Key.RESUMED.value
    #: The session has expired, or its token is forged.
    UNKNOWN = "unknown"
    #: By the app's session verifiers.
    REFUSED = "refused"
    #: The browser was asked to say it again later.
    PUT_OFF = "put_off"


class Gauges(Protocol):
    """What the meter asks of the gateway when it is read."""

    @property
    def open_connections(self) -> int:
        """How many sockets are open."""
        ...

    @property
    def open_sessions(self) -> int:
        """How many sessions have a browser here."""
        ...

    @property
    def waiting_events(self) -> int:
        """How many events wait over the whole deployment."""
        ...

    @property
    def mailbox_age(self) -> float:
        """Seconds for which the oldest session with mail has waited for a worker."""
        ...


class Meter:
    """The numbers. One method a thing that happens; each takes well under a microsecond."""

    def __init__(self) -> None:
        self._events: dict[tuple[str, str], int] = {}
        self._handlers: set[str] = set()
        self._accepted, self._delivered = Distribution(), Distribution()
        self._joins: Counter[str] = Counter()
        self._closed: Counter[str] = Counter()
        self._log_reads = 0

    def event(self, handler: str, outcome: str) -> None:
        """Count an event. `handler` is one that workers have announced, or `""`."""
        try:
            self._events[handler, outcome] += 1
        except KeyError:
            self._first(handler, outcome)

    def accepted(self, handler: str, seconds: float) -> None:
        """Count an event that is in its mailbox, so many seconds after its frame was read."""
        self.event(handler, ACCEPTED)
        self._accepted.add(seconds)

    def delivered(self, seconds: float) -> None:
        """Count an update that was handed to all sockets of its session, so many seconds after it came."""
        self._delivered.add(seconds)

    def joined(self, kind: JoinKind) -> None:
        """Count an answer to `hello`."""
        self._joins[kind] += 1

    def closed(self, code: int | None) -> None:
        """Count a socket that has ended, and the code of the close frame that we sent, if we did."""
        self._closed[NO_CODE if code is None else str(int(code)) if code in CODES else OTHER_CODE] += 1

    def log_read(self) -> None:
        """Count a reading of a session's log."""
        self._log_reads += 1

    def snapshot(self, gauges: Gauges) -> Snapshot:
        """Give all numbers as they are now."""
        return [
            EVENTS.family(self._events),
            STAGES.family({"accepted": self._accepted, "delivered": self._delivered}),
            CONNECTIONS.family(gauges.open_connections),
            SESSIONS.family(gauges.open_sessions),
            JOINS.family(self._joins),
            CLOSED.family(self._closed),
            UPDATES.family(sum(self._delivered.counts)),
            LOG_READS.family(self._log_reads),
            WAITING.family(gauges.waiting_events),
            AGE.family(gauges.mailbox_age),
            *process_families(),
        ]

    def _first(self, handler: str, outcome: str) -> None:
        if handler and handler not in self._handlers:
            if len(self._handlers) >= MAX_HANDLERS:
                handler = OTHERS
            else:
                self._handlers.add(handler)
        self._events[handler, outcome] = self._events.get((handler, outcome), 0) + 1
