"""The hub: fan-out inside one gateway, from the process's one pub/sub connection to the connections of each session.

Pub/sub delivers at most once. What it lost is found in two ways, a gap in the numbers and a look at the sessions'
head numbers every few seconds, and is read from the store's log.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any, Protocol

import gevent
from gevent.event import Event as Signal

from manyhands.abilities import Abilities
from manyhands.errors import Unavailable
from manyhands.keys import Keys
from manyhands.store.contract import Store
from manyhands.wire import Close
from manyhands_gateway.delivery import Delivery
from manyhands_gateway.feed import Feed, Follower
from manyhands_gateway.greenlets import spawn_forever
from manyhands_gateway.meter import Meter
from manyhands_gateway.sessions import Greeting

log = logging.getLogger(__name__)

#: Seconds between two looks at the head numbers of sessions in which something happens, which also renew their lives.
CHECK_EVERY = 5.0
#: Seconds between two looks at the others, at most: of 10,000 idle sessions, the looks were the largest cost.
IDLE_CHECK_EVERY = 60.0
#: Looks in the life of a session that is kept by nothing else.
CHECKS_IN_A_LIFE = 8
#: Seconds that an update may take from the store to us before it counts as lost.
IN_FLIGHT = 0.25
#: Sessions asked about in one pipeline.
CHUNK = 256
#: Seconds before the log is read again when the store did not answer.
PAUSE = 0.5


class Channels(Protocol):
    """What the hub needs of the subscriber."""

    def subscribe(self, channel: bytes) -> None:
        """Subscribe, and wait for the confirmation. Raises `Unavailable`."""

    def unsubscribe(self, channel: bytes) -> None:
        """End a subscription."""


class Greeter(Protocol):
    """What the hub needs of the sessions."""

    def greet(
        self, session: str, client: str, seq: int | None, *, resumed: bool, secret: bool, abilities: Abilities
    ) -> Greeting | None:
        """Read a welcome; None for an unknown session. Raises `Unavailable`."""


class Hub:
    """The feeds of the sessions that have a browser here."""

    def __init__(
        self, store: Store, keys: Keys, greeter: Greeter, session_ttl: float = 86400.0, meter: Meter | None = None
    ) -> None:
        """`session_ttl` is in seconds."""
        self._store, self._keys, self._greeter = store, keys, greeter
        self._idle_check_every = min(IDLE_CHECK_EVERY, session_ttl / CHECKS_IN_A_LIFE)
        self._feeds: dict[bytes, Feed] = {}
        #: Sessions whose last browser here has left since the last look: their lives begin anew.
        self._left: set[str] = set()
        #: Sessions without a browser whose next update someone waits for.
        self._listening: dict[bytes, Signal] = {}
        self._check_now = Signal()
        self._channels: Channels | None = None
        self._meter = meter or Meter()
        self._greenlet: gevent.Greenlet | None = None
        #: Called with a session that has an update.
        self.on_update: Callable[[str], None] = _nothing
        #: Called with what pub/sub brought of other channels.
        self.on_other: Callable[[bytes, bytes], None] = _nothing
        #: Called with a connection and its welcome, which gives the welcome that is sent; may wait, and raise
        #: `Unavailable`. And then, with whether it was sent.
        self.complete: Callable[[Any, Greeting], Greeting] = lambda _, greeting: greeting
        self.completed: Callable[[Any, bool], None] = _nothing

    def session_of(self, channel: bytes) -> str | None:
        """Give the session whose updates come on a channel, if it has a browser here."""
        feed = self._feeds.get(channel)
        return None if feed is None else feed.session

    def start(self, channels: Channels) -> None:
        """Begin: `channels` must call `received` and `mended`."""
        self._channels = channels
        self._greenlet = spawn_forever(self._run)

    def stop(self) -> None:
        """Stop looking."""
        if self._greenlet is not None:
            self._greenlet.kill()

    @property
    def sessions(self) -> int:
        """How many sessions have a browser here."""
        return len(self._feeds)

    # --- called by the endpoint's greenlets ---

    def join(self, connection: Follower, session: str, seq: int | None, *, resumed: bool) -> bool:
        """Subscribe, read the welcome and send it; False when the session is gone. Raises `Unavailable`.

        `seq` is the last update that the browser has seen, or None.
        """
        assert self._channels is not None, "the hub has not been started"
        connection.session = session
        channel = self._keys.updates(session).encode()
        feed = self._feeds.get(channel)
        if feed is None:
            feed = self._feeds[channel] = Feed(session, channel)
        # Before the subscription: a feed that someone is joining is not dropped when its last member leaves.
        feed.join(connection)
        welcomed = False
        try:
            self._channels.subscribe(channel)
            welcomed = self._welcome(feed, connection, seq, resumed=resumed)
        finally:
            if not welcomed:
                self.leave(connection)
        return welcomed

    def leave(self, connection: Follower) -> None:
        """Forget a connection that has ended, or could not join."""
        session, connection.session = connection.session, None
        if session is None:
            return
        channel = self._keys.updates(session).encode()
        feed = self._feeds.get(channel)
        if feed is not None and feed.leave(connection):
            del self._feeds[channel]
            self._left.add(session)
            if self._channels is not None:
                self._channels.unsubscribe(channel)

    @contextlib.contextmanager
    def listening(self, session: str) -> Iterator[Signal]:
        """Give a signal that is set by the updates of a session which no browser knows. Raises `Unavailable`."""
        assert self._channels is not None, "the hub has not been started"
        channel = self._keys.updates(session).encode()
        heard = self._listening[channel] = Signal()
        try:
            self._channels.subscribe(channel)
            yield heard
        finally:
            del self._listening[channel]
            self._channels.unsubscribe(channel)

    def _welcome(self, feed: Feed, connection: Follower, seq: int | None, *, resumed: bool) -> bool:
        client, secret, abilities = connection.client, connection.secret, connection.abilities
        greeting = self._greeter.greet(feed.session, client, seq, resumed=resumed, secret=secret, abilities=abilities)
        if greeting is None:
            return False
        greeting, welcomed = self.complete(connection, greeting), False
        # It may have ended meanwhile, or have had its welcome when all of the session's browsers got one.
        if connection in feed.joining and not connection.closing:
            connection.greet(greeting)
            welcomed = True
            if feed.welcomed(connection, greeting.seq):
                self._fill_soon(feed)
        self.completed(connection, welcomed)
        return True

    # --- called by the subscriber's greenlet ---

    def received(self, channel: bytes, encoded: bytes) -> None:
        """Take in what pub/sub brought."""
        feed = self._feeds.get(channel)
        if feed is not None:
            came = monotonic()
            self.on_update(feed.session)
            if feed.receive(Delivery(encoded)):
                self._fill_soon(feed)
            self._meter.delivered(monotonic() - came)
        elif channel in self._listening:
            self._listening[channel].set()
        else:
            self.on_other(channel, encoded)

    def mended(self) -> None:
        """Look at all head numbers now: pub/sub was away."""
        self._check_now.set()

    # --- what pub/sub lost ---

    def _run(self) -> None:
        while True:
            mended = self._check_now.wait(CHECK_EVERY)
            self._check_now.clear()
            since = monotonic() - (0 if mended else self._idle_check_every)
            try:
                self._check([feed for feed in self._feeds.values() if feed.is_due(since)])
                self._renew_left()
            except Unavailable as error:
                log.warning("can't look for lost updates: %s", error)
                gevent.sleep(PAUSE)

    def _renew_left(self) -> None:
        left = sorted(self._left)
        self._left.clear()
        for first in range(0, len(left), CHUNK):
            self._store.keep(left[first : first + CHUNK])

    def _check(self, feeds: Sequence[Feed]) -> None:
        behind: list[tuple[Feed, int]] = []
        for first in range(0, len(feeds), CHUNK):
            chunk = feeds[first : first + CHUNK]
            seen = [feed.seq for feed in chunk]
            heads = self._store.keep([feed.session for feed in chunk])
            for feed, before, head in zip(chunk, seen, heads, strict=True):
                feed.looked_at = monotonic()
                self._compare(feed, before, head)
                if before is not None and head is not None and head > before:
                    behind.append((feed, head))
        if behind:
            gevent.sleep(IN_FLIGHT)
        for feed, head in behind:
            if feed.seq is not None and feed.seq < head and not feed.filling:
                self._fill_soon(feed)

    def _compare(self, feed: Feed, seen: int | None, head: int | None) -> None:
        if head is None:
            for connection in feed.connections:
                connection.close(Close.SESSION_UNKNOWN, "the session has expired")
        elif seen is not None and head < seen:
            # Redis was rolled back: numbers that browsers have seen will be given again to other updates.
            log.warning(
                "session %s fell back from update %d to %d; its browsers get the whole state", feed.session, seen, head,
                extra={"session": feed.session},
            )  # fmt: skip
            gevent.spawn(self._start_over, feed)

    def _fill_soon(self, feed: Feed) -> None:
        if not feed.filling:
            feed.filling = True
            gevent.spawn(self._fill, feed)

    def _fill(self, feed: Feed) -> None:
        try:
            self._read_log(feed)
        finally:
            # Whatever happened, the feed goes on; the next look at the head numbers finds what is still missing.
            feed.filling = False

    def _read_log(self, feed: Feed) -> None:
        """Read the log until nothing is missing, or nobody is there any more."""
        while self._feeds.get(feed.channel) is feed:
            before = feed.seq or 0
            try:
                self._meter.log_read()
                logged = self._store.updates_since(feed.session, before)
            except Unavailable as error:
                log.warning(
                    "can't read the updates of session %s: %s", feed.session, error, extra={"session": feed.session}
                )
                gevent.sleep(PAUSE)
                continue
            feed.filling = False
            gap = logged is None or feed.catch_up(Delivery(update) for update in logged)
            if not gap:
                return
            feed.filling = True
            if feed.seq == before:
                # The log is of no help.
                self._start_over(feed)
                return

    def _start_over(self, feed: Feed) -> None:
        """Give every browser of a session a fresh welcome with the whole state."""
        feed.start_over()
        feed.filling = False
        for connection in list(feed.joining):
            try:
                known = self._welcome(feed, connection, None, resumed=True)
            except Unavailable:
                # It will come back with its `seq`, to whichever gateway can answer.
                connection.close(Close.RESTART, "the session can't be read")
                continue
            if not known:
                connection.close(Close.SESSION_UNKNOWN, "the session has expired")


def _nothing(*_: object) -> None:
    pass
