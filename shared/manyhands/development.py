"""What `manyhands dev` does: everything that an app needs, on one machine, as child processes of this one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from manyhands.app_location import locate
from manyhands.child import Child, Program, describe
from manyhands.dev_folder import DevFolder
from manyhands.embedded import EmbeddedRedis
from manyhands.keys import Keys
from manyhands.logs import JSON, PLAIN
from manyhands.readiness import ask_ready, free_port, page_url
from manyhands.redis_binary import find_redis_binary
from manyhands.reload import can_watch, code_changes
from manyhands.setting_parsers import COMMON_QUEUE
from manyhands.settings import Settings
from manyhands.supervisor import Supervisor
from manyhands.terminal import OWN_NAME, JsonTerminal, Terminal

#: Seconds after which `dev` says why it is not ready yet.
PATIENCE = 5.0

#: Seconds between two looks at a gateway that is not ready.
READY_INTERVAL = 0.05

#: Seconds between two looks at the embedded Redis.
REDIS_INTERVAL = 0.5

#: The exit code of a worker whose app can't be imported, among others: an edit may mend that, a restart does not.
APP_IS_WRONG = 1

#: What the line holds that a worker ends with when importing the app raised: see `manyhands.errors.AppImportError`.
IMPORT_RAISED = b"manyhands: importing the app"


class Development:
    """One run of `manyhands dev`. Made and run on the main thread's event loop."""

    def __init__(
        self, settings: Settings, app: str, *, host: str, port: int, workers: int, reload: bool, log: str = PLAIN
    ) -> None:  # fmt: skip
        self._settings, self._app, self._location = settings, app, locate(app)
        self._host, self._port, self._reload = host, port, reload
        self._names = [f"worker.{i}" for i in range(1, workers + 1)]
        self._log = log
        self._terminal = (JsonTerminal if log == JSON else Terminal)(width=max(map(len, [OWN_NAME, *self._names])))
        self._supervisor = Supervisor(self._terminal, on_wait=self._say_what_to_mend)
        self._workers: dict[str, Child] = {}
        self._told_why = False

    async def run(self) -> int:
        """Run until a signal, or a child that can't go on, stops it. Whatever was started has ended by then."""
        self._supervisor.obey_signals()
        if self._reload and not can_watch():
            self._reload = False
            self._terminal.say("no reload on change: `pip install 'manyhands[dev]'` brings watchfiles, which it needs")
        with DevFolder(self._location.directory) as folder:
            self._port = free_port(self._host, self._port)
            with self._redis(folder) as redis:
                if redis is not None:
                    # Nobody runs the app yet, whatever was announced when it ran last: see `_say_when_ready`.
                    keys = Keys(self._settings.namespace)
                    redis.forget(keys.versions(), keys.dev_feed(), keys.dev_app())
                environ = self._environ(folder, redis)
                self._start_children(environ)
                async with self._background(redis, environ):
                    return await self._supervisor.run()

    def _redis(self, folder: DevFolder) -> contextlib.AbstractContextManager[EmbeddedRedis | None]:
        if self._settings.redis_url is not None:
            return contextlib.nullcontext()
        binary = find_redis_binary()
        # The server holds the folder's lock as well: no second one may ever write the same files.
        return EmbeddedRedis(folder.path / binary.family, binary=binary, keep_open=[folder.lock])

    def _environ(self, folder: DevFolder, redis: EmbeddedRedis | None) -> dict[str, str]:
        environ = {**os.environ, "MANYHANDS_APP": self._app, "MANYHANDS_DEV": "1", "PYTHONUNBUFFERED": "1"}
        if redis is not None:
            environ["REDIS_URL"] = redis.url
        if not self._settings.secret_keys:
            environ["MANYHANDS_SECRET_KEY"] = folder.secret()
        return environ

    def _start_children(self, environ: dict[str, str]) -> None:
        address = ["--host", self._host, "--port", str(self._port)]
        self._supervisor.start(Program("gateway", manyhands("gateway", *address, "--log", self._log), environ))
        for name in self._names:
            self._start_worker(name, environ)

    def _start_worker(self, name: str, environ: dict[str, str]) -> None:
        program = Program(name, manyhands("worker", self._app, "--log", self._log, *self._queues()), environ)
        if self._reload:
            program = Program(
                name, program.command, environ,
                waits_after=frozenset({APP_IS_WRONG}), stops_after=frozenset({2, 3}), sign=IMPORT_RAISED,
            )  # fmt: skip
        self._workers[name] = self._supervisor.start(program)

    def _queues(self) -> list[str]:
        """Give the flag with which workers serve the queues of all routes: here nobody else does."""
        queues = [COMMON_QUEUE, *(queue or COMMON_QUEUE for _, queue in self._settings.routes)]
        return ["--queues", ",".join(dict.fromkeys(queues))] if self._settings.routes else []

    @contextlib.asynccontextmanager
    async def _background(self, redis: EmbeddedRedis | None, environ: dict[str, str]) -> AsyncIterator[None]:
        """Run what goes on beside the children. An error in it stops everything, since it is one of ours."""
        jobs: list[Coroutine[Any, Any, None]] = [self._say_when_ready()]
        if redis is not None:
            jobs.append(self._keep_running(redis))
        if self._reload:
            jobs.append(self._restart_on_change(environ))
        tasks = [asyncio.create_task(job) for job in jobs]
        for task in tasks:
            task.add_done_callback(self._stop_on_error)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome

    def _stop_on_error(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._supervisor.stop(1)

    async def _say_when_ready(self) -> None:
        begun = asyncio.get_running_loop().time()
        while not (readiness := await ask_ready(self._host, self._port)).ready:
            if not self._told_why and asyncio.get_running_loop().time() - begun > PATIENCE:
                self._terminal.say(f"not ready yet: {readiness.reason}")
                self._told_why = True
            await asyncio.sleep(READY_INTERVAL)
        self._terminal.say(f"\nOpen {page_url(self._host, self._port)} and click. Ctrl-C ends everything.\n")

    async def _keep_running(self, redis: EmbeddedRedis) -> None:
        """Start the embedded Redis again should it ever die; its address stays the same."""
        while True:
            await asyncio.sleep(REDIS_INTERVAL)
            if not redis.running:
                self._terminal.say("the embedded Redis has died; starting it again with the data it has kept")
                redis.start()

    async def _restart_on_change(self, environ: dict[str, str]) -> None:
        try:
            async for names in code_changes(self._location.directory):
                self._terminal.say(f"{', '.join(names[:3])} changed: restarting the workers, sessions are kept")
                self._restart_workers(environ)
        except (OSError, RuntimeError) as error:  # the system gives no more watches, or the directory is gone
            self._terminal.say(f"no reload on change any more: {error}")

    def _restart_workers(self, environ: dict[str, str]) -> None:
        """Replace all at once. What is clicked meanwhile waits in its mailbox, so that no click runs the old code."""
        for name in self._names:
            old = self._workers[name]
            self._start_worker(name, environ)
            self._supervisor.retire(old)

    def _say_what_to_mend(self, child: Child) -> None:
        self._told_why = True
        why = ": the app can't be imported" if child.gave_sign else ""
        self._terminal.say(
            f"{child.program.name} {describe(APP_IS_WRONG)}{why}, see above; waiting for the next change of its code"
        )


def manyhands(*arguments: str) -> list[str]:
    """Give the command line that runs one of our commands with this very interpreter.

    `-P` keeps the current directory off its path: an app may have a module of any name, `redis.py` included.
    """
    return [sys.executable, "-P", "-m", "manyhands", *arguments]
