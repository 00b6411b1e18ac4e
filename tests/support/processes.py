"""Our commands as child processes: `python -m manyhands …` with its output kept, ended by pid."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from support.waiting import free_port, wait_until

Result = TypeVar("Result")

#: Seconds that a process may take to start on a busy machine of two cores.
START = 30.0
#: Seconds within which SIGTERM ends every process of ours.
DRAIN = 25.0


class Process:
    """A child process that leads a group of its own, with its output in a file."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        environ: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self.command, self.log = list(command), log
        # Appended to, so that the next line is the first one where what is there was forgotten.
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(environ or {})}, cwd=directory, start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def code(self) -> int | None:
        """Its exit code; None while it lives."""
        return self._popen.poll()

    @property
    def output(self) -> str:
        """All that it has written so far."""
        return self.log.read_text(errors="replace")

    def forget_output(self) -> None:
        """Forget what it has written so far, so that whoever shares it waits for what is new."""
        os.truncate(self.log, 0)

    def wait_for_output(self, pattern: str, timeout: float = START) -> re.Match[str]:
        """Wait until its output matches a regular expression."""
        return self._wait(lambda: re.search(pattern, self.output), timeout, f"output like {pattern!r}")

    def wait_for_http(self, url: str, status: int = 200, timeout: float = START) -> str:
        """Wait until a GET is answered with a status, and give the body."""
        return self._wait(lambda: get(url, status), timeout, f"{status} from {url}")

    def wait_for_exit(self, timeout: float = DRAIN) -> int:
        """Wait until it has ended, and give its exit code."""
        wait_until(lambda: self.code is not None, timeout, lambda: self._described("end"))
        assert self.code is not None
        return self.code

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process itself."""
        os.kill(self.pid, number)

    def terminate(self, timeout: float = DRAIN) -> int:
        """End it with SIGTERM, and give its exit code."""
        if self.code is None:
            self.send(signal.SIGTERM)
        return self.wait_for_exit(timeout)

    def kill(self) -> None:
        """Kill it and whatever is left of its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()

    def _wait(self, condition: Callable[[], Result | None], timeout: float, what: str) -> Result:
        def look() -> tuple[Result] | None:
            found = condition()
            if found is None and self.code is not None:
                raise AssertionError(f"{self._described('start')}\nended with {self.code} without {what}")
            return None if found is None else (found,)

        found = wait_until(look, timeout, lambda: self._described(what))
        assert found is not None
        return found[0]

    def _described(self, what: str) -> str:
        return f"{what} of {' '.join(self.command)}; its output:\n{self.output}"


class Processes:
    """The processes of one test; all are killed at its end."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self.directory, self.environ = directory, dict(environ)
        self.started: list[Process] = []

    def start(self, *command: str, environ: Mapping[str, str] | None = None, directory: Path | None = None) -> Process:
        """Start any program."""
        log = self.directory / f"{len(self.started)}-{Path(command[0]).name}.log"
        process = Process(command, log, {**self.environ, **(environ or {})}, directory)
        self.started.append(process)
        return process

    def manyhands(
        self, *arguments: str, environ: Mapping[str, str] | None = None, directory: Path | None = None
    ) -> Process:
        """Start `manyhands …`."""
        return self.start(sys.executable, "-m", "manyhands", *arguments, environ=environ, directory=directory)

    def gateway(self, *arguments: str, environ: Mapping[str, str] | None = None) -> tuple[Process, str]:
        """Start a gateway on a free port and wait until it serves; give it and its URL."""
        port = free_port()
        process = self.manyhands("gateway", "--host", "127.0.0.1", "--port", str(port), *arguments, environ=environ)
        url = f"http://127.0.0.1:{port}"
        process.wait_for_http(f"{url}/healthz")
        return process, url

    def worker(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Process:
        """Start a worker; it may still be starting when this returns: wait for a gateway's `/readyz`."""
        return self.manyhands("worker", *arguments, environ=environ)

    def end(self) -> None:
        """Kill all that still lives."""
        for process in self.started:
            process.kill()

    def outputs(self) -> str:
        """What all of them have written, for a test that failed."""
        return "\n".join(f"--- {' '.join(one.command)} (code {one.code})\n{one.output}" for one in self.started)


def get(url: str, status: int = 200) -> str | None:
    """Give the body of a GET; None unless it is answered with this status."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode() if answer.status == status else None
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode() if error.code == status else None
    except OSError:
        return None
