"""What every test may ask for: a real Redis, a namespace of its own, and processes that end with the test."""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from manyhands.settings import Settings
from support.fleet import Fleet
from support.processes import Processes
from support.redis_server import RedisServer

SECRET = "only-for-tests-0123456789"

# A process of ours starts in half the time from compiled code, and the tests start hundreds: where the environment says
# that none is to be kept, each of them would compile all that it imports again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# That an example takes long says how busy the machine is, and nothing of the code.
hypothesis_settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("busy machine")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real Redis that all tests of a run share; it is never flushed."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def settings(redis_server: RedisServer, namespace: str) -> Settings:
    """Settings for parts that are tested inside this process."""
    return Settings(redis_url=redis_server.url, namespace=namespace, secret_keys=(SECRET,))


@pytest.fixture
def environ(redis_server: RedisServer, namespace: str) -> dict[str, str]:
    """The same settings for child processes."""
    return {"REDIS_URL": redis_server.url, "MANYHANDS_NAMESPACE": namespace, "MANYHANDS_SECRET_KEY": SECRET}


@pytest.fixture
def processes(
    tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str], request: pytest.FixtureRequest
) -> Iterator[Processes]:
    """Start processes of ours; they are killed at the end, and what they wrote is shown when the test failed."""
    directory: Path = tmp_path_factory.mktemp("processes")
    failed_before = request.session.testsfailed
    started = Processes(directory, environ)
    yield started
    started.end()
    if request.session.testsfailed > failed_before:
        print(started.outputs())


@pytest.fixture
def fleet_of(processes: Processes) -> Iterator[Callable[..., Fleet]]:
    """Start a fleet of the test's own: `fleet_of(gateways=2, workers=2, environ={…})`."""
    made: list[Fleet] = []

    def make(**options: object) -> Fleet:
        made.append(Fleet(processes, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for fleet in made:
        fleet.close()


@pytest.fixture(scope="module")
def module_settings(redis_server: RedisServer) -> Settings:
    """Settings that all tests of a module share, with a namespace that no other module uses."""
    return Settings(redis_url=redis_server.url, namespace=f"t{uuid.uuid4().hex[:12]}", secret_keys=(SECRET,))


@pytest.fixture(scope="module")
def module_processes(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """Start processes of ours with these settings, which all tests of a module share."""
    environ = {
        "REDIS_URL": module_settings.redis,
        "MANYHANDS_NAMESPACE": module_settings.namespace,
        "MANYHANDS_SECRET_KEY": SECRET,
    }
    started = Processes(tmp_path_factory.mktemp("shared"), environ)
    yield started
    started.end()


@pytest.fixture(scope="module")
def module_fleet_of(
    redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Fleet]]:
    """Start a fleet, in a namespace of its own, that all tests of a module share; each of them has its own sessions."""
    with contextlib.ExitStack() as stack:

        def make(**options: object) -> Fleet:
            environ = {
                "REDIS_URL": redis_server.url,
                "MANYHANDS_NAMESPACE": f"t{uuid.uuid4().hex[:12]}",
                "MANYHANDS_SECRET_KEY": SECRET,
            }
            processes = Processes(tmp_path_factory.mktemp("fleet"), environ)
            stack.callback(processes.end)
            fleet = Fleet(processes, **options)  # type: ignore[arg-type]
            stack.callback(fleet.close)
            return fleet

        yield make
