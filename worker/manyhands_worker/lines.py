"""Hears when a room becomes that of a run which stands in line for it: one connection a process, made when needed.

Nothing depends on a word that gets lost: whoever waits asks again when the lease ends that it waits for, and when this
connection was away.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis import ConnectionPool
from redis.exceptions import RedisError

log = logging.getLogger("manyhands.rooms")

#: Seconds before the next try to connect.
PAUSE = 0.5
#: Seconds of silence after which Redis is asked whether it is there, and in which it must answer.
SILENCE = 10.0
#: Seconds that the first who waits in this process waits for the subscription.
SUBSCRIBED_WITHIN = 2.0


class Lines:
    """Those who wait in this process. Any thread may use it."""

    def __init__(self, url: str, channel: str) -> None:
        self._pool: Any = ConnectionPool.from_url(url, socket_timeout=SILENCE, socket_connect_timeout=2.0, protocol=2)
        self._name = channel
        self._subscribed = threading.Event()
        # Guards the next two; held for a moment.
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        #: What wakes those who wait, by their runs' tokens.
        self._waiting: dict[str, list[Callable[[], object]]] = {}

    @property
    def channel(self) -> str:
        """Where a token is to be published whose run has got its room; `""` while nobody would hear it."""
        return self._name if self._subscribed.is_set() else ""

    def listen(self) -> None:
        """Begin to listen, and wait until Redis has confirmed it, or for no longer than is bearable."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="manyhands-lines", daemon=True)
                self._thread.start()
        self._subscribed.wait(SUBSCRIBED_WITHIN)

    @contextmanager
    def waiting(self, token: str, wake: Callable[[], object]) -> Iterator[None]:
        """Call `wake`, from any thread, whenever it may be worth while to ask for a run's room again."""
        with self._lock:
            self._waiting.setdefault(token, []).append(wake)
        try:
            yield
        finally:
            with self._lock:
                self._waiting[token].remove(wake)
                if not self._waiting[token]:
                    del self._waiting[token]

    def wake(self, token: str) -> None:
        """Wake what waits for a run's room."""
        with self._lock:
            woken = list(self._waiting.get(token, ()))
        for wake in woken:
            wake()

    def _wake_all(self) -> None:
        with self._lock:
            tokens = list(self._waiting)
        for token in tokens:
            self.wake(token)

    def _run(self) -> None:
        while True:
            try:
                self._listen()
            except (RedisError, OSError) as error:
                log.warning("can't hear of rooms: %s", error)
            except Exception:
                # A fault of ours must not end it: those who wait would wait for leases to end.
                log.exception("hearing of rooms failed")
            self._subscribed.clear()
            time.sleep(PAUSE)

    def _listen(self) -> None:
        connection = self._pool.connection_class(**self._pool.connection_kwargs)
        try:
            connection.connect()
            connection.send_command("SUBSCRIBE", self._name, check_health=False)
            while True:
                if not connection.can_read(timeout=SILENCE):
                    connection.send_command("PING", check_health=False)
                    if not connection.can_read(timeout=SILENCE):
                        raise OSError(f"Redis was silent for {2 * SILENCE:g} s")
                kind, *rest = connection.read_response(timeout=None)
                if kind == b"message":
                    self.wake(rest[1].decode())
                elif kind == b"subscribe":
                    self._subscribed.set()
                    self._wake_all()
        finally:
            connection.disconnect()
