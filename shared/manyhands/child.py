"""One program, kept running as a child process: its output shown, its crashes answered by starting it again.

Every child is the leader of a session of its own, so that Ctrl-C in a terminal reaches the supervisor alone, which
then ends its children in order; and every child is tethered, so that it dies with a supervisor that was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from manyhands.terminal import Terminal
from manyhands.tether import tethered

#: Exit codes by which our own commands say that starting them again would not help: see `manyhands.cli.Exit`.
HOPELESS = frozenset({1, 2, 3})

#: Bytes of one line of output beyond which it is shown in pieces.
LONGEST_LINE = 65_536

#: Seconds to wait for the rest of a dead child's output, which a grandchild may hold open for ever.
LAST_WORDS = 0.5


class Ending(Enum):
    """What follows when a child has ended by itself."""

    AGAIN = "it is started again, after a pause"
    WAIT = "it stays down until it is replaced"
    STOP = "everything stops, with its exit code"


@dataclass(frozen=True, slots=True)
class Program:
    """What to run and which exit codes mean more than a crash."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    waits_after: frozenset[int] = frozenset()
    stops_after: frozenset[int] = HOPELESS
    #: What a line holds by which it tells more than its exit code can.
    sign: bytes | None = None

    def ending(self, code: int) -> Ending:
        """Decide what follows an exit code; a negative one is the signal that killed the child."""
        if code in self.waits_after:
            return Ending.WAIT
        return Ending.STOP if code in self.stops_after else Ending.AGAIN


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the supervisor waits, in seconds."""

    #: From SIGTERM to SIGKILL.
    grace: float = 25.0
    #: Before the first restart; doubled for each further one, up to `longest_pause`.
    pause: float = 0.5
    longest_pause: float = 15.0
    #: A child that lived for so long had started well: the next pause is the first one again.
    settled: float = 10.0

    def next_pause(self, pause: float, lived: float) -> float:
        """Give the pause that follows `pause` (0 before the first) when a child has lived for so long."""
        if pause == 0 or lived >= self.settled:
            return self.pause
        return min(2 * pause, self.longest_pause)


class Child:
    """One program and the process that runs it at the moment."""

    def __init__(self, program: Program, terminal: Terminal, patience: Patience) -> None:
        self.program = program
        self.pid: int | None = None
        #: Whether the process that runs, or ran last, wrote the program's sign.
        self.gave_sign = False
        self._terminal, self._patience = terminal, patience
        self._retired = asyncio.Event()

    async def keep(self) -> int | None:
        """Run the program until it is retired, or ends in a way that is final; then give its exit code."""
        pause = 0.0
        while not self._retired.is_set():
            started = asyncio.get_running_loop().time()
            code = await self._run_once()
            if self._retired.is_set():
                break
            if self.program.ending(code) is not Ending.AGAIN:
                return code
            pause = self._patience.next_pause(pause, asyncio.get_running_loop().time() - started)
            self._terminal.say(f"{self.program.name} {describe(code)}; starting it again in {pause:g} s")
            await wait(self._retired, pause)
        return None

    def retire(self) -> None:
        """Ask the process to end with SIGTERM, and start it no more."""
        self._retired.set()
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process and whatever of its process group is left."""
        if self.pid is not None:
            _kill_group(self.pid)

    async def _run_once(self) -> int:
        self.gave_sign = False
        async with self._output() as sink:
            try:
                process = await asyncio.create_subprocess_exec(
                    *tethered(self.program.command), env=dict(self.program.environ), start_new_session=True,
                    stdin=asyncio.subprocess.DEVNULL, stdout=sink, stderr=asyncio.subprocess.STDOUT,
                )  # fmt: skip
            finally:
                os.close(sink)
            self.pid = process.pid
            if self._retired.is_set():
                self.retire()
            code = await process.wait()
            self.pid = None
            if code != 0:
                _kill_group(process.pid)  # what a crashed child leaves behind may hold its port
        return code

    @contextlib.asynccontextmanager
    async def _output(self) -> AsyncIterator[int]:
        """Give a file to write to, whose lines are shown. A pipe of our own: asyncio's can delay `wait`."""
        source, sink = os.pipe()
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(source, "rb", buffering=0)
        )
        showing = asyncio.create_task(self._show(reader))
        try:
            yield sink
            await asyncio.wait([showing], timeout=LAST_WORDS)
        finally:
            showing.cancel()
            transport.close()

    async def _show(self, reader: asyncio.StreamReader) -> None:
        rest = b""
        while chunk := await reader.read(LONGEST_LINE):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) >= LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._write(line.rstrip(b"\r"))
        if rest:
            self._write(rest)

    def _write(self, line: bytes) -> None:
        sign = self.program.sign
        self.gave_sign |= sign is not None and sign in line
        self._terminal.write(self.program.name, line)


def describe(code: int) -> str:
    """Say how a child ended."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


async def wait(event: asyncio.Event, timeout: float) -> bool:
    """Wait for an event, at most `timeout` seconds; tell whether it came."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), timeout)
    return event.is_set()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
