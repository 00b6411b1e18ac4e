"""The parts of `manyhands dev` that can be tried without starting all of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from manyhands.dev_folder import DevFolder, DevFolderError
from manyhands.readiness import PortInUse, Readiness, ask_ready, free_port, page_url
from manyhands.reload import code_changes, is_code
from support.event_loop import run

HELLO = Path(__file__).parents[2] / "examples" / "hello"


@pytest.mark.parametrize("name", ["main.py", "handlers/more.py", "deep/er/__init__.py"])
def test_python_files_of_the_app_are_its_code(name: str) -> None:
    assert is_code(Path(name))


@pytest.mark.parametrize(
    "name",
    [
        "index.html", "static/app.css", "data.json", "main.py~", "main.pyc", ".#main.py", ".manyhands/x.py",
        ".venv/lib/python3.11/site-packages/redis/client.py", "venv/x.py", "__pycache__/main.py", ".git/hooks/x.py",
    ],
)  # fmt: skip
def test_pages_data_and_other_peoples_files_are_not_its_code(name: str) -> None:
    assert not is_code(Path(name))


def test_a_change_of_code_is_told_with_the_names_of_all_that_changed_at_once(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("1")

    async def watch() -> list[str]:
        changes = code_changes(tmp_path)
        waiting = asyncio.ensure_future(anext(changes))
        number = 0
        while not waiting.done():
            # The watch begins at some time after it was asked for: write until it has seen a change.
            number += 1
            (tmp_path / "page.html").write_text(str(number))
            (tmp_path / "main.py").write_text(str(number))
            await asyncio.wait([waiting], timeout=0.5)
        await changes.aclose()  # type: ignore[attr-defined]
        return waiting.result()

    assert run(asyncio.wait_for(watch(), 20)) == ["main.py"]


def test_the_folder_keeps_one_secret_that_only_its_owner_can_read(tmp_path: Path) -> None:
    with DevFolder(tmp_path) as folder:
        secret = folder.secret()
        assert len(secret) >= 32
        assert (tmp_path / ".manyhands" / "secret").stat().st_mode & 0o077 == 0
    with DevFolder(tmp_path) as folder:
        assert folder.secret() == secret


def test_the_folder_can_be_used_by_one_at_a_time_and_again_afterwards(tmp_path: Path) -> None:
    with DevFolder(tmp_path), pytest.raises(DevFolderError, match=rf"process {os.getpid()}\) runs the app"):
        DevFolder(tmp_path).__enter__()
    with DevFolder(tmp_path):
        pass


def test_whoever_inherits_the_lock_holds_it_until_it_ends(tmp_path: Path) -> None:
    with DevFolder(tmp_path) as folder:
        heir = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[folder.lock])
    with pytest.raises(DevFolderError):
        DevFolder(tmp_path).__enter__()
    heir.communicate()

    with DevFolder(tmp_path):
        pass


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(DevFolderError, match=r"can't write .*file/\.manyhands: Not a directory"):
        DevFolder(tmp_path / "file").__enter__()


def test_a_free_port_is_found_for_0_and_a_free_one_is_kept() -> None:
    found = free_port("127.0.0.1", 0)

    assert found > 0
    assert free_port("127.0.0.1", found) == found


def test_a_port_in_use_and_an_address_of_elsewhere_are_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"127.0.0.1 port {port}: Address already in use.*--port"):
            free_port("127.0.0.1", port)
    with pytest.raises(PortInUse, match="--host"):
        free_port("203.0.113.5", 0)


def test_what_cannot_be_a_hosts_name_is_refused_by_dev_and_gateway() -> None:
    with pytest.raises(PortInUse, match=r"can't listen on a\.\.b port 0: that is no host's name"):
        free_port("a..b", 0)
    done = subprocess.run(
        [sys.executable, "-m", "manyhands", "gateway", "--host", "a..b"],
        env={**os.environ, "REDIS_URL": "redis://localhost", "MANYHANDS_SECRET_KEY": "0123456789abcdef",
             "MANYHANDS_APP": str(HELLO)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr == "manyhands: can't listen on a..b: that is no host's name; choose another --host\n"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000/"),
        ("0.0.0.0", "http://127.0.0.1:8000/"),
        ("::", "http://[::1]:8000/"),
        ("localhost", "http://localhost:8000/"),
    ],
)
def test_the_address_that_is_printed_can_be_opened(host: str, url: str) -> None:
    assert page_url(host, 8000) == url


@contextlib.asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """A server that answers whatever it is asked with the same bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        yield server.sockets[0].getsockname()[1]


def ask(answer: bytes) -> Readiness:
    async def both() -> Readiness:
        async with answering(answer) as port:
            return await ask_ready("127.0.0.1", port)

    return run(both())


def test_a_gateway_that_answers_200_is_ready() -> None:
    assert ask(b'HTTP/1.1 200 OK\r\n\r\n{"ready":true,"reasons":{}}').ready


def test_a_gateway_that_is_not_ready_says_why() -> None:
    body = b'{"ready":false,"reasons":{"worker":"no worker yet","redis":"away"}}'

    assert ask(b"HTTP/1.1 503 Service Unavailable\r\n\r\n" + body) == Readiness(False, "no worker yet; away")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 503 Busy\r\n\r\nplain words\n", "plain words"),
        (b"HTTP/1.1 500 Oops\r\n\r\n", "the gateway answers 500"),
        (b"", "the gateway answers nothing"),
        (b"HTTP/1.1 503 Busy\r\n\r\n[1]", "[1]"),
    ],
)
def test_whatever_else_answers_is_not_ready(answer: bytes, reason: str) -> None:
    assert ask(answer) == Readiness(False, reason)


def test_a_gateway_that_does_not_listen_is_not_ready() -> None:
    port = free_port("127.0.0.1", 0)

    assert not run(ask_ready("127.0.0.1", port)).ready


def test_output_that_nobody_reads_any_more_ends_nothing() -> None:
    script = "import sys\nfrom manyhands.terminal import Terminal\nterminal = Terminal()\n"
    script += "for _ in range(20_000): terminal.say('x' * 20)\nsys.stderr.write('lived on')"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == "lived on"

    assert process.returncode == 0
