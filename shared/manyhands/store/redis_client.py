"""Redis clients with the timeouts and pools that our processes need."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

#: Seconds that one command may take, its connection included, before Redis counts as away.
COMMAND_TIMEOUT = 5.0
CONNECT_TIMEOUT = 2.0
#: Connections of one process. A gateway runs its scripts from few greenlets, but joins from as many as there are.
POOL_SIZE = 32
RETRIED = (RedisConnectionError, RedisTimeoutError)


def connect(url: str, *, attempts: int) -> redis.Redis:
    """Make a client. `attempts` over 1 only where every script that is sent may safely run twice."""
    pool: Any = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=POOL_SIZE,
        timeout=COMMAND_TIMEOUT,
        socket_timeout=COMMAND_TIMEOUT,
        socket_connect_timeout=CONNECT_TIMEOUT,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), attempts - 1, RETRIED),
        protocol=2,
    )
    return redis.Redis(connection_pool=pool)
