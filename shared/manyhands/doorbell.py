"""Rings sessions: tells Celery that they have mail. Used by the gateway, and by the worker when it rings again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis
from kombu.exceptions import KombuError

from manyhands.broker import CONNECT_TIMEOUT, TAKE_TURNS, is_redis, make_celery, make_queue
from manyhands.errors import Unavailable
from manyhands.settings import Settings

#: What kombu and the libraries below it raise when the broker is away.
BROKER_ERRORS = (OSError, KombuError, redis.RedisError)


class Doorbell:
    """Sends the task. For one thread (or greenlet) at a time: it holds one connection.

    Not ringing is never fatal: the event is in its mailbox, and the reaper rings what was not answered.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._celery = make_celery(settings)
        self._connection: Any = None
        self._producer: Any = None
        self._counter: Any = None

    def ring(self, bells: Sequence[tuple[str, int]], version: str | None = None, queue: str = "") -> None:
        """Send one task that names all these sessions, each with the ms of its ring. Raises `Unavailable`.

        `version`: only workers of this version of the app take it. `queue`: whose; the common one's unless given.
        """
        try:
            self._celery.send_task(
                TAKE_TURNS,
                args=[[list(bell) for bell in bells]],
                producer=self._hold_producer(),
                queue=make_queue(self._settings, version, queue),
                retry=False,
                ignore_result=True,
                # Celery would otherwise render the arguments for monitors that nobody runs, and declare the queue
                # with every message.
                argsrepr="",
                kwargsrepr="",
                declare=[],
            )
        except self._broker_errors() as error:
            self.close()
            raise Unavailable("Celery's broker", error) from error

    def ping(self) -> None:
        """Raise `Unavailable` unless the broker answers. Safe from any thread."""
        try:
            if is_redis(self._settings):
                timeouts = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), CONNECT_TIMEOUT)
                with redis.Redis.from_url(self._settings.broker, **timeouts) as client:
                    client.ping()
            else:
                with self._celery.connection_for_write() as connection:
                    connection.connect()
        except BROKER_ERRORS as error:
            raise Unavailable("Celery's broker", error) from error

    def waiting(self, queues: Sequence[str]) -> int:
        """Count the messages in some queues of a broker that is a Redis; another one is not asked.

        Raises `Unavailable`.
        """
        if not is_redis(self._settings):
            return 0
        timeouts = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), CONNECT_TIMEOUT)
        try:
            if self._counter is None:
                self._counter = redis.Redis.from_url(self._settings.broker, **timeouts)
            pipeline = self._counter.pipeline(transaction=False)
            for queue in queues:
                pipeline.llen(make_queue(self._settings, queue=queue).name)
            return sum(pipeline.execute())
        except BROKER_ERRORS as error:
            raise Unavailable("Celery's broker", error) from error

    def close(self) -> None:
        """Close the connection; the next ring opens one."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is None:
            return
        try:
            connection.release()
        except BROKER_ERRORS:
            # It is being given up because it failed; failing once more changes nothing.
            return

    def _hold_producer(self) -> Any:
        if self._producer is None:
            self._connection = self._celery.connection_for_write()
            self._producer = self._celery.amqp.Producer(self._connection, auto_declare=False)
        return self._producer

    def _broker_errors(self) -> tuple[type[Exception], ...]:
        # An AMQP connection raises errors of its own library.
        own = tuple(self._connection.connection_errors) if self._connection is not None else ()
        return (*BROKER_ERRORS, *own)
