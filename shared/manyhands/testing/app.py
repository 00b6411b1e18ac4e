"""An app that runs in the process of its tests."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from manyhands.settings import Settings
from manyhands.store.memory import MemoryStore
from manyhands.testing.captured import Captured
from manyhands.testing.tab import Tab

if TYPE_CHECKING:
    from manyhands_gateway.conversation import Conversation

#: Seconds that `fire` waits for an event's end unless it is told otherwise.
TIMEOUT = 30.0
#: Seconds that handlers get to end which still run when the test is over.
END_WITHIN = 2.0
#: A lease that outlasts any test: there is one worker, and none that could take its events over.
LEASE = 7 * 86_400.0
#: Events a second that no test reaches, unless it sets a rate limit of its own.
NO_LIMIT = 1e9
#: Never connected to: a worker's parts want to know where Redis is.
NOWHERE = "redis://nowhere.invalid"
#: What every test's requests say unless it says more.
HEADERS = {"Host": "localhost", "User-Agent": "manyhands.testing"}


class Store(MemoryStore):
    """A store in memory that tells at once what it publishes."""

    def __init__(self, settings: Settings, on_publish: Callable[[str, bytes], None]) -> None:
        super().__init__(settings)
        self._on_publish = on_publish

    def publish(self, channel: str, message: bytes) -> None:
        """Tell it."""
        self._on_publish(channel, message)


class Core:
    """A worker and a gateway of one app, and the thread that carries updates from one to the other."""

    def __init__(self, app: str, settings: Settings, timeout: float) -> None:
        from manyhands_gateway.in_process import GatewayInProcess
        from manyhands_worker.in_process import WorkerInProcess

        self.timeout, self.captured = timeout, Captured()
        # Held by whoever uses the gateway, and while a tab changes; notified after each update. Whoever holds it may
        # wait for the store's lock, never the other way round.
        self.changed = threading.Condition()
        self._published: SimpleQueue[tuple[str, bytes] | None] = SimpleQueue()
        store = Store(settings, self._publish)
        self.captured.install()
        try:
            self.worker = WorkerInProcess(settings, store, app)
        except BaseException:
            self.captured.remove()
            raise
        self._gateway = GatewayInProcess(settings, store, self.worker.ring)
        self._thread = threading.Thread(target=self._carry, name="manyhands-testing", daemon=True)
        self.worker.start()
        self._thread.start()

    def connect(
        self, headers: Mapping[str, str], cookies: Mapping[str, str],
        deliver: Callable[[bytes], None], closed: Callable[[int, str], None],
    ) -> Conversation:  # fmt: skip
        """Open a tab's connection."""
        return self._gateway.connect(headers, cookies, deliver, closed)

    def blob(self, session: str, digest: bytes) -> bytes:
        """Give a large value's bytes. Raises `LookupError` when another one has taken its place."""
        found = self.worker.shown(session, digest)
        if found is None:
            raise LookupError("there is no such large value, or another one has taken its place")
        return found

    def stop(self) -> list[str]:
        """End; gives the handlers that run on."""
        left = self.worker.stop(END_WITHIN)
        self._published.put(None)
        self._thread.join()
        self.captured.remove()
        return left

    def _publish(self, channel: str, message: bytes) -> None:
        # With the store's lock held, on any thread.
        if not self.worker.heard(channel, message):
            self._gateway.hub.hear(channel)
            self._published.put((channel, message))

    def _carry(self) -> None:
        while (published := self._published.get()) is not None:
            with self.changed:
                self._gateway.hub.received(*published)
                self.changed.notify_all()


class TestApp:
    """An app for the length of a `with` block: loaded afresh, with no sessions yet."""

    #: Its name begins as that of a class of tests, which it is none of.
    __test__ = False

    def __init__(self, app: str | os.PathLike[str] | None = None, *, timeout: float = TIMEOUT, **settings: Any) -> None:
        """`app`: as on a command line, a directory, a Python file or a dotted module.

        `timeout`: seconds that `fire` waits for an event's end. `settings`: fields of `manyhands.settings.Settings`,
        such as `turn_limit=1.0`, that are to differ from their defaults; the environment is not read.
        """
        self._app, self._timeout = None if app is None else os.fspath(app), timeout
        given = {"rate_limit": NO_LIMIT, "lease": LEASE, "redis_url": NOWHERE, "secret_keys": ("0" * 32,), **settings}
        self._settings = replace(Settings(), **given)
        self._core: Core | None = None

    def __enter__(self) -> Self:
        """Load the app, and start its worker. Raises `AppError`."""
        self._core = Core(self._app or ".", self._settings, self._timeout)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the worker, and unload the app. Handlers that still run are cancelled."""
        core, self._core = self._running, None
        left = core.stop()
        if left and error is None:
            names = ", ".join(sorted(set(left)))
            warnings.warn(f"handlers run on though their test is over: {names}", RuntimeWarning, stacklevel=2)

    def open(
        self, session: Tab | str | None = None, *,
        headers: Mapping[str, str] | None = None, cookies: Mapping[str, str] | None = None,
    ) -> Tab:  # fmt: skip
        """Open a tab: of a new session, or of the one of another tab.

        `headers` and `cookies` are what handlers and session verifiers see of the request that begins a session.
        Raises `SessionRefused` when a session verifier says no.
        """
        core = self._running
        token = session.session if isinstance(session, Tab) else session
        with core.changed:
            return Tab(core, token, {**HEADERS, **(headers or {})}, cookies or {})

    def stored_state(self, tab: Tab) -> dict[str, Any]:
        """Give the session's state as handlers have it, what begins with an underscore included."""
        core = self._running
        with core.changed:
            return core.worker.stored(tab.session_id)

    @property
    def handlers(self) -> frozenset[str]:
        """The names of the app's handlers."""
        return self._running.worker.handlers

    @property
    def output(self) -> str:
        """What the app printed while it was imported."""
        return "".join(f"{line}\n" for line in self._running.captured.imported)

    @property
    def _running(self) -> Core:
        if self._core is None:
            raise RuntimeError("the app does not run; use it as in `with TestApp(…) as app:`")
        return self._core
