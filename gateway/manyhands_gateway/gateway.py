"""All parts of one gateway process, put together: made after the fork, ended in order."""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Callable
from time import monotonic
from typing import Any

import gevent

from manyhands import envelopes
from manyhands.doorbell import Doorbell
from manyhands.keys import Keys
from manyhands.metrics import Snapshot
from manyhands.settings import Settings
from manyhands.store.contract import Store
from manyhands.store.redis_store import RedisStore
from manyhands.tracing import start_tracing
from manyhands.wire import Close
from manyhands_gateway.accepter import Accepter
from manyhands_gateway.admission import Admission
from manyhands_gateway.arrivals import Arrivals
from manyhands_gateway.backlog import Backlog
from manyhands_gateway.connection import CLOSE_WITHIN, Connection
from manyhands_gateway.conversation import Services
from manyhands_gateway.handler_names import ASK_AGAIN, HandlerNames
from manyhands_gateway.housekeeper import Housekeeper
from manyhands_gateway.hub import Hub
from manyhands_gateway.meter import Meter
from manyhands_gateway.readiness import Readiness
from manyhands_gateway.ringer import Ringer
from manyhands_gateway.rooms import Rooms
from manyhands_gateway.sessions import Sessions
from manyhands_gateway.studio.feed import StudioFeed
from manyhands_gateway.subscriber import Subscriber
from manyhands_gateway.verification import Verification

log = logging.getLogger(__name__)

#: Seconds over which the browsers of a gateway that goes come back to the others.
SPREAD = 5.0
#: Seconds for what was accepted to be rung.
RING_WITHIN = 4.0
#: Seconds for events that have come to be accepted.
RECEIPTS_WITHIN = 2.0
#: Seconds between two looks whether all connections have gone.
LOOK = 0.05


class Gateway:
    """One process's parts."""

    def __init__(self, settings: Settings, store: Store | None = None, doorbell: Any = None) -> None:
        """Make the parts; nothing is sent to Redis or the broker before `start`."""
        self.settings = settings
        self.meter = Meter()
        self.arrivals = Arrivals(self.meter, start_tracing(settings, "manyhands-gateway"))
        self.store: Store = store or RedisStore.from_settings(settings)
        # With connections of its own: a crowd of joining browsers must not delay events.
        mailboxes: Store = store or RedisStore.from_settings(settings)
        # Nor must those who fetch large values, or send them.
        self.files: Store = store or RedisStore.from_settings(settings)
        self._doorbell = doorbell or Doorbell(settings)
        keys = Keys(settings.namespace)
        sessions = Sessions(settings, self.store)
        self.admission = Admission(settings)
        self.names = HandlerNames(self.store, ask_again=0.0 if settings.dev else ASK_AGAIN)
        self.hub = Hub(self.store, keys, sessions, settings.session_ttl, self.meter)
        self.rooms = Rooms(self.store, keys, settings.session_ttl, self.meter)
        self.hub.complete, self.hub.completed = self.rooms.complete, self.rooms.completed
        self.hub.on_other = self.rooms.received
        one_by_one = {"batch": 1, "young": sys.maxsize} if settings.one_task_per_event else {}
        self.ringer = Ringer(self._doorbell, **one_by_one)
        self.hub.on_update = self.ringer.updated
        self.backlog = Backlog(self.store, settings.max_waiting)
        self.accepter = Accepter(mailboxes, self.ringer, self.backlog)
        verification = Verification(self.store, self.hub, self.ringer)
        self.services = Services(
            self.store,
            sessions,
            self.names,
            self.hub,
            self.rooms,
            self.accepter,
            verification,
            self.arrivals,
            settings.route,
        )
        self.housekeeper = Housekeeper(sessions.defaults.renew, sessions.defaults.renew_after)
        self.readiness = Readiness(self.store, self._doorbell.ping)
        received: Callable[[bytes, bytes], None] = self.hub.received
        #: None outside of `manyhands dev`.
        self.studio: StudioFeed | None = None
        if settings.dev:
            self.studio = StudioFeed(settings, lambda: self.connections)
            received = self.studio.watching(received, lambda one: self.hub.session_of(one) or self.rooms.room_of(one))
            self.accepter.on_accepted = self.studio.accepted
        self.subscriber = Subscriber(settings.redis, keys.gateways(), received, self._mended)
        #: Set once the process is about to end: no more connections.
        self.draining = False

    @property
    def connections(self) -> set[Connection]:
        """The sockets that are open."""
        return self.housekeeper.connections

    @property
    def open_connections(self) -> int:
        """How many sockets are open."""
        return len(self.connections)

    @property
    def open_sessions(self) -> int:
        """How many sessions have a browser here."""
        return self.hub.sessions

    @property
    def waiting_events(self) -> int:
        """How many events wait over the whole deployment."""
        return self.backlog.events

    @property
    def mailbox_age(self) -> float:
        """Seconds for which the oldest session with mail has waited for a worker."""
        return self.backlog.oldest

    def snapshot(self) -> Snapshot:
        """Give this process's numbers, for `/metrics`."""
        return self.meter.snapshot(self)

    def start(self) -> None:
        """Start every greenlet of the process."""
        self.subscriber.start()
        self.hub.start(self.subscriber)
        self.rooms.start(self.subscriber)
        self.ringer.start()
        self.backlog.start()
        self.accepter.start()
        self.housekeeper.start()
        if self.studio is not None:
            self.studio.start()

    def _mended(self) -> None:
        self.hub.mended()
        self.rooms.mended()

    def drain(self) -> None:
        """Send every browser away, to come back elsewhere; returns when they have gone, or soon."""
        self.draining = True
        if self.studio is not None:
            self.studio.leave()
        log.info("going down: sending %d browsers to other gateways", len(self.connections))
        for connection in list(self.connections):
            connection.send(envelopes.restart(round(random.uniform(0, SPREAD), 3)))
            connection.protocol.closed()
        # Nothing new comes; what has come gets its receipt before the close.
        self._wait(lambda: not any(connection.unanswered for connection in self.connections), RECEIPTS_WITHIN)
        for connection in list(self.connections):
            connection.close(Close.RESTART, "the gateway restarts")
        self._wait(lambda: not self.connections, CLOSE_WITHIN + 1)

    def _wait(self, condition: Callable[[], bool], timeout: float) -> None:
        deadline = monotonic() + timeout
        while not condition() and monotonic() < deadline:
            gevent.sleep(LOOK)

    def stop(self) -> None:
        """End every greenlet. What was accepted is rung before, if the broker answers."""
        if self.studio is not None:
            self.studio.stop()
        self.accepter.stop()
        self.arrivals.flush()
        self.backlog.stop()
        self.ringer.stop(RING_WITHIN)
        self.housekeeper.stop()
        self.hub.stop()
        self.rooms.stop()
        self.subscriber.stop()
