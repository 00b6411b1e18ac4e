"""What tests of gateways and of stores may ask for."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from manyhands.settings import Settings
from manyhands.store.contract import Store
from manyhands.store.memory import MemoryStore
from manyhands.store.redis_store import RedisStore
from support.redis_server import RedisServer
from support.stand_in import StandIn


@pytest.fixture
def worker(settings: Settings) -> Iterator[StandIn]:
    """A stand-in that has announced its handlers."""
    with contextlib.closing(StandIn(settings)) as made:
        made.announce()
        yield made


@pytest.fixture(params=["redis", "memory"])
def make_store(request: pytest.FixtureRequest) -> Iterator[Callable[..., Store]]:
    """A factory of stores that share a fresh namespace."""
    made: list[RedisStore] = []
    namespace = f"t{secrets.token_hex(6)}"

    def make(**overrides: Any) -> Store:
        if request.param == "memory":
            return MemoryStore(Settings(namespace=namespace, **overrides))
        server: RedisServer = request.getfixturevalue("redis_server")
        made.append(RedisStore(Settings(redis_url=server.url, namespace=namespace, **overrides)))
        return made[-1]

    yield make
    for store in made:
        store.close()
