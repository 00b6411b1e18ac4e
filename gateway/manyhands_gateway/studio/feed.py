"""What the studio is told of: what workers say, and what this gateway has accepted and passed on, in one row.

The entries are numbered, and the last ones kept. Pages ask for those after a number and wait for the next.
"""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable, Collection, Mapping
from time import monotonic, time
from typing import Any

import gevent
import msgpack
from gevent.event import Event as Signal
from redis.exceptions import RedisError

from manyhands import envelopes
from manyhands.dev_feed import KEPT, START, DevFeed, Kind
from manyhands.letters import handler_in
from manyhands.settings import Settings
from manyhands.store.contract import Letter, Receipt, Verdict
from manyhands.wire import Key
from manyhands_gateway.connection import Connection
from manyhands_gateway.greenlets import spawn_forever

log = logging.getLogger(__name__)

#: Seconds that Redis is asked to wait for the next entry.
WAIT = 2.0
#: Seconds before Redis is asked again after it has failed.
PAUSE = 0.5
#: Bytes of an update that is shown; of a larger one its paths alone.
LARGEST_UPDATE = 262_144
#: What is told of an update.
TOLD = (Key.EVENT, Key.SHARED, Key.SET, Key.ADD, Key.UNSET, Key.DONE, Key.OK, Key.RESULT, Key.ERROR)


class StudioFeed:
    """The entries of one gateway process."""

    def __init__(self, settings: Settings, connections: Callable[[], Collection[Connection]]) -> None:
        self.workers = DevFeed(settings.redis, settings.namespace)
        #: Tells these numbers from those of the process before.
        self.epoch = secrets.token_hex(8)
        self._connections = connections
        self._entries: deque[tuple[int, dict[str, Any]]] = deque(maxlen=KEPT)
        self._number = 0
        self._came = Signal()
        self._greenlet: gevent.Greenlet | None = None
        self._going = False

    def start(self) -> None:
        """Begin to read what workers say."""
        self._greenlet = spawn_forever(self._run)

    def stop(self) -> None:
        """End it; whoever waits is answered."""
        self.leave()
        if self._greenlet is not None:
            self._greenlet.kill()

    def leave(self) -> None:
        """Let nobody wait any more: the process is going down."""
        self._going = True
        self._came.set()

    def since(self, number: int, wait: float) -> list[tuple[int, dict[str, Any]]]:
        """Give the entries after a number; where there are none, wait for the next one so many seconds."""
        deadline = monotonic() + wait
        while self._number <= number and not self._going and (left := deadline - monotonic()) > 0:
            self._came.wait(left)
        return [entry for entry in self._entries if entry[0] > number]

    def accepted(self, letter: Letter, receipt: Receipt) -> None:
        """Take note of an event that is in its mailbox. Called by the accepter."""
        if receipt.verdict is Verdict.ACCEPTED and not receipt.duplicate:
            event = {"client": letter.client, "n": receipt.n}
            about = {"session": letter.session, "event": event, "handler": handler_in(letter.body), "time": time()}
            self._add({"kind": Kind.ACCEPTED, **about})

    def watching(
        self, received: Callable[[bytes, bytes], None], session_of: Callable[[bytes], str | None]
    ) -> Callable[[bytes, bytes], None]:
        """Give what pub/sub is to call instead of the hub, which is called first."""

        def receive(channel: bytes, encoded: bytes) -> None:
            received(channel, encoded)
            session = session_of(channel)
            if session is not None:
                self._update(session, encoded)

        return receive

    def _update(self, session: str, encoded: bytes) -> None:
        now = time()
        try:
            update = msgpack.unpackb(encoded, strict_map_key=False)
        except ValueError:
            return
        told: dict[str, Any] = {name: update.get(name) for name in TOLD}
        if len(encoded) > LARGEST_UPDATE:
            paths = [[path, "… (too large to be shown here)"] for path, _ in told[Key.SET] or ()]
            told |= {Key.SET: paths, Key.RESULT: None}
        self._add({"kind": Kind.UPDATE, "session": session, "time": now, **told})

    def _add(self, entry: dict[str, Any]) -> None:
        self._number += 1
        self._entries.append((self._number, entry))
        came, self._came = self._came, Signal()
        came.set()

    def _run(self) -> None:
        since = START
        while True:
            try:
                for number, entry in self.workers.read(since, WAIT):
                    since = number
                    self._add(entry)
                    if entry["kind"] == Kind.LOG:
                        self._pass_on(entry)
            except (RedisError, OSError) as error:
                log.debug("the studio's entries can't be read: %s", error)
                gevent.sleep(PAUSE)

    def _pass_on(self, entry: Mapping[str, Any]) -> None:
        """Send a line to the pages of its session; what no event has printed goes to all."""
        session = entry["session"]
        envelope = envelopes.log(entry["level"], entry["text"], entry["event"], entry["time"])
        for connection in list(self._connections()):
            if connection.session is not None and session in (None, connection.session) and not connection.closing:
                connection.send(envelope)
