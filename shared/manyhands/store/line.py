"""Lines to Redis: connections that are written to now and read later, and the few that a process keeps of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from manyhands.store.redis_client import COMMAND_TIMEOUT, POOL_SIZE

#: What says that a connection is of no use any more.
BROKEN = (RedisConnectionError, RedisTimeoutError, OSError)
#: Seconds between two tries, doubled up to the last.
FIRST_PAUSE, LAST_PAUSE = 0.02, 0.2


class Line:
    """One connection, used by one thread (or greenlet) at a time. After an error it is broken: close it."""

    __slots__ = ("_connection", "waiting")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        #: Commands that were sent and whose answers have not been read.
        self.waiting = 0

    def send(self, packed: bytes, count: int) -> None:
        """Send so many packed commands. Does not wait for their answers."""
        self._connection.send_packed_command([packed], check_health=False)
        self.waiting += count

    def read(self) -> list[Any]:
        """Read the answers to all that was sent, in order; what Redis refused is an exception among them."""
        answers = []
        while self.waiting:
            answers.append(self._read_one())
            self.waiting -= 1
        return answers

    def _read_one(self) -> Any:
        try:
            return self._connection.read_response()
        except ResponseError as error:
            return error

    def is_stale(self) -> bool:
        """Tell whether the other side has closed the connection, or said what nobody asked for."""
        try:
            return bool(self._connection.can_read(timeout=0))
        except BROKEN:
            return True

    def close(self) -> None:
        """Close the connection."""
        self._connection.disconnect()


class Lines:
    """The lines of one process. At most `POOL_SIZE` are lent at a time; whoever asks for more waits."""

    def __init__(self, client: redis.Redis) -> None:
        self._pool: Any = client.connection_pool
        #: The line that was used last is lent first, so that few stay in use.
        self._free: list[Line] = []
        self._room = threading.BoundedSemaphore(POOL_SIZE)
        #: How often a line was given back, each time after one wait for answers. Threads may lose a count: no harm.
        self.round_trips = 0

    def close(self) -> None:
        """Close those that nobody uses."""
        while (line := self._pop()) is not None:
            line.close()

    def take(self) -> Line:
        """Take a line for a while. Raises what redis-py raises when there is no connection."""
        if not self._room.acquire(timeout=COMMAND_TIMEOUT):
            raise RedisTimeoutError(f"all {POOL_SIZE} connections were in use for {COMMAND_TIMEOUT:g} s")
        try:
            return self._pop() or self._open()
        except BaseException:
            self._room.release()
            raise

    def _pop(self) -> Line | None:
        # To look whether there is one first would leave a moment in which another thread takes it.
        try:
            return self._free.pop()
        except IndexError:
            return None

    def give_back(self, line: Line, *, broken: bool) -> None:
        """Give a line back; a broken one, or one with answers unread, is closed."""
        self.round_trips += 1
        if broken or line.waiting:
            line.close()
        else:
            self._free.append(line)
        self._room.release()

    def _open(self) -> Line:
        connection = self._pool.connection_class(**self._pool.connection_kwargs)
        connection.connect()
        return Line(connection)

    def call(self, packed: Sequence[bytes], attempts: int) -> list[Any]:
        """Send commands in one round trip and read their answers.

        `attempts` over 1 only where every command may safely run twice. Raises what redis-py raises for a connection
        that fails.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                return self._try(b"".join(packed), len(packed), fresh=attempts == 1)
            except BROKEN:
                # After a restart of Redis all of them are.
                self.close()
                attempts -= 1
                if not attempts:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE)

    def _try(self, packed: bytes, count: int, *, fresh: bool) -> list[Any]:
        line, broken = self.take(), True
        try:
            if fresh and line.is_stale():
                line.close()
            line.send(packed, count)
            answers = line.read()
            broken = False
            return answers
        finally:
            self.give_back(line, broken=broken)
