"""Hears directly of sessions whose last turn this process had: `accept` publishes their next events on its channel.

Whoever clicks again soon need not wait for a message of Celery's. Nothing depends on it: where nobody listens, `accept`
has the session rung through Celery, and a bell that is published and lost is rung again by a reaper.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis import ConnectionPool
from redis.exceptions import RedisError

from manyhands_worker.batch import Bell

log = logging.getLogger("manyhands.listener")

#: Seconds before the next try to connect.
PAUSE = 0.5
#: Seconds of silence after which Redis is asked whether it is there, and in which it must answer.
SILENCE = 10.0
#: Bells that are read before they are played.
AT_ONCE = 256


class Listener:
    """Its thread waits for bells and plays them. Where a handler of theirs is slow, another thread takes its place."""

    def __init__(self, url: str, channel: str) -> None:
        # Reads wait as long as they like (`can_read` has its own timeout); this bounds sends, and messages cut short.
        self._pool: Any = ConnectionPool.from_url(url, socket_timeout=SILENCE, socket_connect_timeout=2.0, protocol=2)
        #: The channel's name, whether it is listened to or not.
        self.name = channel
        self._play: Callable[[Sequence[Bell]], None] | None = None
        # Guards the next four; held for a moment, or while a few bytes are sent.
        self._lock = threading.Lock()
        self._connection: Any = None
        #: Whether Redis has confirmed the subscription that is wanted.
        self._subscribed = False
        self._wanted = True
        #: The thread that listens.
        self._thread: threading.Thread | None = None

    def start(self, play: Callable[[Sequence[Bell]], None]) -> None:
        """Start listening. `play` plays sessions, on the thread that calls it."""
        self._play = play
        self._start_thread()

    @property
    def channel(self) -> str:
        """The channel on which this process listens, or `""` while it does not."""
        return self.name if self._subscribed and self._wanted else ""

    def pause(self) -> None:
        """Listen no more for a while, or for ever: what is accepted from now on is rung through Celery."""
        self._want(False)

    def go_on(self) -> None:
        """Listen again."""
        self._want(True)

    def replace(self, thread: threading.Thread) -> None:
        """Let another thread listen if this one does: a slow handler keeps it."""
        with self._lock:
            if self._thread is not thread:
                return
        self._start_thread()

    def heard(self) -> list[Bell]:
        """Give what came meanwhile, without waiting; nothing unless the caller is the thread that listens."""
        connection = self._connection
        if connection is None or not self._is_listening:
            return []
        try:
            return self._take_in(connection) if connection.can_read(timeout=0) else []
        except (RedisError, OSError):
            # The thread finds out when it listens again.
            self._close()
            return []

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name="manyhands-listener", daemon=True)
        with self._lock:
            self._thread = thread
        thread.start()

    def _want(self, wanted: bool) -> None:
        with self._lock:
            if self._wanted is wanted:
                return
            self._wanted = wanted
            try:
                if self._connection is not None:
                    command = "SUBSCRIBE" if wanted else "UNSUBSCRIBE"
                    self._connection.send_command(command, self.name, check_health=False)
            except (RedisError, OSError):
                # The reader finds out, and connects anew.
                self._subscribed = False

    def _run(self) -> None:
        while self._is_listening:
            try:
                self._listen()
            except (RedisError, OSError) as error:
                log.debug("can't listen: %s", error)
                self._close()
                time.sleep(PAUSE)
            except Exception:
                # A fault of ours must not end it: sessions would wait for the reaper.
                log.exception("listening failed")
                self._close()
                time.sleep(PAUSE)

    @property
    def _is_listening(self) -> bool:
        return self._thread is threading.current_thread()

    def _listen(self) -> None:
        """Take bells until another thread has taken this one's place."""
        connection = self._connection or self._connect()
        while self._is_listening and self._connection is connection:
            bells = self._read(connection)
            if bells:
                assert self._play is not None, "the listener has not been started"
                self._play(bells)

    def _connect(self) -> Any:
        connection = self._pool.connection_class(**self._pool.connection_kwargs)
        connection.connect()
        with self._lock:
            self._connection = connection
            if self._wanted:
                connection.send_command("SUBSCRIBE", self.name, check_health=False)
        return connection

    def _close(self) -> None:
        with self._lock:
            connection, self._connection, self._subscribed = self._connection, None, False
        if connection is not None:
            connection.disconnect()

    def _read(self, connection: Any) -> list[Bell]:
        if not connection.can_read(timeout=SILENCE):
            self._ask(connection)
            return []
        return self._take_in(connection)

    def _take_in(self, connection: Any) -> list[Bell]:
        bells: list[Bell] = []
        while len(bells) < AT_ONCE:
            kind, *rest = connection.read_response(timeout=None)
            if kind == b"message":
                bells.append(Bell(rest[1].decode()))
            elif kind == b"subscribe":
                self._subscribed = True
            elif kind == b"unsubscribe":
                self._subscribed = False
            if not connection.can_read(timeout=0):
                break
        return bells

    def _ask(self, connection: Any) -> None:
        # A connection without a word may be dead. Not subscribed, a connection answers otherwise, and is left alone.
        if not self._wanted:
            return
        with self._lock:
            connection.send_command("PING", check_health=False)
        if not connection.can_read(timeout=SILENCE):
            raise OSError(f"Redis was silent for {2 * SILENCE:g} s")
