"""Children that are started, watched and ended together.

One event loop on the main thread does everything. Children must be started from that thread: see `tether`.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import Any

from manyhands.child import Child, Ending, Patience, Program, describe
from manyhands.terminal import OWN_NAME, Terminal


class Supervisor:
    """Children, and one decision to stop that ends them all. Lives on one running event loop."""

    def __init__(
        self, terminal: Terminal, patience: Patience | None = None, on_wait: Callable[[Child], None] | None = None
    ) -> None:
        self.terminal = terminal
        self.on_wait = on_wait
        self._patience = patience or Patience()
        self._children: dict[asyncio.Task[None], Child] = {}
        self._stopping, self._hurrying = asyncio.Event(), asyncio.Event()
        self._code = 0

    def start(self, program: Program) -> Child:
        """Start a program and keep it running."""
        child = Child(program, self.terminal, self._patience)
        self._children[asyncio.create_task(self._tend(child))] = child
        return child

    def retire(self, child: Child) -> None:
        """End one child while the others run on; after the grace it is killed."""
        child.retire()
        asyncio.get_running_loop().call_later(self._patience.grace, child.kill)

    def stop(self, code: int = 0) -> None:
        """Begin to end all children. Asked for a second time, kill them."""
        if self._stopping.is_set():
            self._hurrying.set()
        else:
            self._code = code
            self._stopping.set()

    def obey_signals(self) -> None:
        """Stop at SIGTERM, at Ctrl-C and when the terminal closes (unless that is ignored, as under nohup)."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self.stop)

    async def run(self) -> int:
        """Wait until stopped, end all children, and give the exit code: 0 when all of them ended in time."""
        await self._stopping.wait()
        for child in self._children.values():
            child.retire()
        if await self._all_ended(self._patience.grace):
            return self._code
        self.terminal.say("killing " + ", ".join(child.program.name for child in self._children.values()))
        for child in self._children.values():
            child.kill()
        await self._all_ended(None)
        return self._code or 1

    async def _tend(self, child: Child) -> None:
        try:
            code = await child.keep()
        except OSError as error:  # the system has no process, or no file, left to give
            self.terminal.say(f"can't start {child.program.name}: {error}")
            code = 1
        task = asyncio.current_task()
        if task is not None:
            self._children.pop(task, None)
        if code is None or self._stopping.is_set():
            return
        if child.program.ending(code) is Ending.STOP:
            self.terminal.say(f"{child.program.name} {describe(code)}; stopping")
            self.stop(code)
        elif self.on_wait is not None:
            self.on_wait(child)

    async def _all_ended(self, timeout: float | None) -> bool:
        hurry = asyncio.create_task(self._hurrying.wait())
        ended = asyncio.gather(*self._children)
        waited_for: set[asyncio.Future[Any]] = {ended} if timeout is None else {ended, hurry}
        await asyncio.wait(waited_for, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        return ended.done()


def supervise(
    programs: Sequence[Program], patience: Patience | None = None, terminal: type[Terminal] = Terminal
) -> int:
    """Keep programs running until a signal, or the final end of one of them, stops all. Gives the exit code."""

    async def until_stopped() -> int:
        width = max(len(name) for name in [OWN_NAME, *(program.name for program in programs)])
        supervisor = Supervisor(terminal(width=width), patience)
        supervisor.obey_signals()
        for program in programs:
            supervisor.start(program)
        return await supervisor.run()

    return asyncio.run(until_stopped())
