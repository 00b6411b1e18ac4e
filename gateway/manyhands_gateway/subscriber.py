"""The one pub/sub connection of a gateway process, which mends itself and then subscribes again to everything.

It is made of a plain connection of redis-py, since its `PubSub` may not be used by two greenlets at once, and since a
silent connection must be told from a dead one: we send a PING into the silence.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import gevent
from gevent.event import Event as Signal
from gevent.lock import BoundedSemaphore
from redis import ConnectionPool
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from manyhands.errors import Unavailable
from manyhands_gateway.greenlets import spawn_forever

log = logging.getLogger(__name__)

#: Seconds of silence after which Redis is asked whether it is there, and in which it must answer.
SILENCE = 10.0
#: Seconds that a join waits for its subscription.
CONFIRM_WITHIN = 5.0
#: Seconds before the next try to connect: the first, doubled up to the last.
FIRST_PAUSE, LAST_PAUSE = 0.05, 1.0
#: Channels named by one SUBSCRIBE.
CHUNK = 500

CONNECTION_ERRORS = (RedisError, OSError)


class Subscriber:
    """Channels of one process. `received` and `mended` are called in its own greenlet and must not wait."""

    def __init__(
        self, url: str, always: str, received: Callable[[bytes, bytes], None], mended: Callable[[], None]
    ) -> None:
        """`always` is a channel that is subscribed from the start, so that the connection always has one."""
        self._pool: Any = ConnectionPool.from_url(url, socket_timeout=SILENCE, socket_connect_timeout=2.0, protocol=2)
        self._always = always.encode()
        self._received, self._mended = received, mended
        self._wanted: dict[bytes, Signal] = {self._always: Signal()}
        self._connection: Any = None
        # Held while a command is being sent, so that two greenlets never mix their bytes.
        self._sending = BoundedSemaphore()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Start the greenlet that reads."""
        self._greenlet = spawn_forever(self._run)

    def stop(self) -> None:
        """End the connection."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self._give_up(self._connection)

    def subscribe(self, channel: bytes) -> None:
        """Subscribe and wait until Redis has confirmed it. Raises `Unavailable`."""
        confirmed = self._wanted.get(channel)
        if confirmed is None:
            confirmed = self._wanted[channel] = Signal()
            self._send("SUBSCRIBE", [channel])
        if not confirmed.wait(CONFIRM_WITHIN):
            raise Unavailable("Redis", f"no subscription within {CONFIRM_WITHIN:g} s")

    def unsubscribe(self, channel: bytes) -> None:
        """Drop a channel."""
        if self._wanted.pop(channel, None) is not None:
            self._send("UNSUBSCRIBE", [channel])

    def _send(self, command: str, channels: Iterable[bytes]) -> None:
        connection = self._connection
        if connection is None:
            return  # Whatever is wanted is subscribed once there is a connection.
        try:
            with self._sending:
                # redis-py connects a lost connection anew when it is sent to; this one belongs to the reader alone.
                if connection is self._connection:
                    connection.send_command(command, *channels, check_health=False)
        except CONNECTION_ERRORS:
            self._give_up(connection)

    def _give_up(self, connection: Any) -> None:
        if connection is not None and connection is self._connection:
            self._connection = None
            connection.disconnect()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                connection = self._connect()
                if pause != FIRST_PAUSE:
                    log.warning("pub/sub: connected again")
                pause = FIRST_PAUSE
                self._read(connection)
            except CONNECTION_ERRORS as error:
                if pause == FIRST_PAUSE:
                    log.warning("pub/sub: %s; connecting until it works", error)
            self._give_up(self._connection)
            gevent.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE)

    def _connect(self) -> Any:
        connection = self._pool.connection_class(**self._pool.connection_kwargs)
        connection.connect()
        for confirmed in self._wanted.values():
            confirmed.clear()
        self._connection = connection
        # The channel of our own goes last: its confirmation says that all the others are subscribed.
        channels = [channel for channel in self._wanted if channel != self._always] + [self._always]
        for first in range(0, len(channels), CHUNK):
            self._send("SUBSCRIBE", channels[first : first + CHUNK])
        return connection

    def _read(self, connection: Any) -> None:
        asked = False
        while connection is self._connection:
            try:
                # Parses what has come already, and waits for no longer than the socket's timeout.
                message = connection.read_response(disconnect_on_error=False)
            except RedisTimeoutError:
                if asked:
                    raise OSError(f"Redis was silent for {2 * SILENCE:g} s") from None
                asked = True
                self._send("PING", [])
            else:
                asked = False
                self._take(message)

    def _take(self, message: Any) -> None:
        kind, channel = message[0], message[1]
        if kind == b"message":
            self._received(channel, message[2])
        elif kind == b"subscribe":
            if channel in self._wanted:
                self._wanted[channel].set()
            if channel == self._always:
                self._mended()
