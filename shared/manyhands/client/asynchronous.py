"""The client for programs with an event loop. It is used on the loop that it was made on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Mapping
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, WebSocketException

from manyhands.client.base import Base, BaseFired
from manyhands.client.ends import End, Entry, OnAccepted, OnPartial
from manyhands.client.protocol import Status

log = logging.getLogger("manyhands.client")


class AsyncFired(BaseFired):
    """An event that was fired, and may still run: awaited, it gives its end."""

    def __init__(self, client: AsyncClient, entry: Entry) -> None:
        super().__init__(entry)
        self._client = client
        self._end: asyncio.Future[End] = client._loop.create_future()
        entry.on_end = self._ended

    def cancel(self) -> None:
        """Ask for its end."""
        self._client._drive(lambda _: self._client._core.cancel(self._entry))

    def __await__(self) -> Generator[Any, None, End]:
        # Whoever gives up waiting does not take the end from others who wait.
        return asyncio.shield(self._end).__await__()

    def _ended(self, end: End) -> None:
        if not self._end.done():
            self._end.set_result(end)


class AsyncClient(Base):
    """Made by `manyhands.client.connect_async`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._loop = asyncio.get_running_loop()
        #: Set where there may be something to send.
        self._wake = asyncio.Event()
        #: Those who wait for a change.
        self._waiting: set[asyncio.Future[None]] = set()
        self._task: asyncio.Task[None] | None = None

    # --- for the program ---

    async def begin(self, timeout: float) -> Self:
        """Connect, and wait for the welcome."""
        self._task = self._loop.create_task(self._run(), name="manyhands-client")
        try:
            await self._until_changed(lambda: self.status is not Status.CONNECTING, timeout)
        except TimeoutError:
            await self.close()
            raise TimeoutError(f"no gateway has welcomed the client within {timeout:g} s: {self._trouble}") from None
        except BaseException:
            # Nobody would have the client that goes on.
            await self.close()
            raise
        if self.status is Status.CLOSED:
            self._refuse()
        return self

    async def fire(
        self, handler: str, payload: Any = None, context: Mapping[str, Any] | None = None, *,
        on_accepted: OnAccepted | None = None, on_partial: OnPartial | None = None, lifetime: float | None = None,
    ) -> End:  # fmt: skip
        """Fire an event, and wait for its end, also over broken connections. See `start`."""
        return await self.start(
            handler, payload, context, on_accepted=on_accepted, on_partial=on_partial, lifetime=lifetime
        )

    def start(
        self, handler: str, payload: Any = None, context: Mapping[str, Any] | None = None, *,
        on_accepted: OnAccepted | None = None, on_partial: OnPartial | None = None, lifetime: float | None = None,
    ) -> AsyncFired:  # fmt: skip
        """Fire an event, and go on; without a connection it is kept, and sent with the next one.

        `on_accepted` is called with its number, `on_partial` with each update that comes before its end.
        """
        until = None if lifetime is None else self._loop.time() + lifetime
        entry = Entry(handler, payload, context, until, on_accepted, on_partial)
        fired = AsyncFired(self, entry)
        self._drive(lambda now: self._core.fire(entry, now))
        return fired

    def cancel(self, n: int) -> None:
        """Ask for the end of an event by its number."""
        self._drive(lambda _: self._core.cancel_number(n))

    async def fetch(self, value: Any) -> Any:
        """Give a value of the state with what is large in place of its references.

        Raises `LookupError` where another value has taken its place.
        """
        return await asyncio.to_thread(self._fetch, value)

    async def upload(self, data: bytes) -> dict[str, str]:
        """Send large bytes ahead, in parts; gives what stands for them in a payload. Raises `OSError`."""
        return await asyncio.to_thread(self._upload, data)

    async def wait_until(self, condition: Callable[[], object], timeout: float | None = None) -> None:
        """Wait until something is true, which is looked at after each change. Raises `TimeoutError`, `ClientClosed`."""
        await self._until_changed(lambda: condition() or self.status is Status.CLOSED, timeout)
        if not condition():
            self._refuse()

    async def close(self) -> None:
        """Leave, and come back no more."""
        self._drive(lambda _: self._core.close("the client was closed"))
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # --- inside ---

    async def _until_changed(self, condition: Callable[[], object], timeout: float | None) -> None:
        async with asyncio.timeout(timeout):
            while not condition():
                change = self._loop.create_future()
                self._waiting.add(change)
                try:
                    await change
                finally:
                    self._waiting.discard(change)

    def _drive(self, act: Callable[[float], object]) -> None:
        """Let the protocol act, have sent what it wants sent, and make its calls."""
        act(self._loop.time())
        self._wake.set()
        for call in self._core.take_calls():
            try:
                call()
            except Exception:
                # A fault of the program's must not end its connection.
                log.exception("what the client called has failed")
        for change in self._waiting:
            if not change.done():
                change.set_result(None)

    async def _run(self) -> None:
        try:
            await self._stay()
        except Exception as error:
            # A fault of ours, which would be repeated. Whoever waits must not do so for ever.
            log.exception("the client has failed")
            problem = f"the client has failed: {error}"
            self._drive(lambda _: self._core.close(problem))

    async def _stay(self) -> None:
        while self.status is not Status.CLOSED:
            await asyncio.sleep(max(0.0, self._core.connect_at - self._loop.time()))
            await self._connect()

    async def _connect(self) -> None:
        url, options = self._next_url()
        try:
            socket = await open_socket(url, **options)
        except (OSError, WebSocketException) as error:
            self._trouble = f"{url}: {error}"
            self._drive(lambda now: self._core.lost(0, "", now))
            return
        async with socket:
            self._drive(lambda _: self._core.opened())
            writer = self._loop.create_task(self._write(socket))
            try:
                code, reason = await self._read(socket)
            finally:
                writer.cancel()
                await asyncio.gather(writer, return_exceptions=True)
        self._drive(lambda now: self._core.lost(code, reason, now))

    async def _write(self, socket: ClientConnection) -> None:
        while True:
            self._wake.clear()
            # What was not accepted when the socket ends is sent again.
            for frame in self._core.take_out():
                await socket.send(frame)
            await self._wake.wait()

    async def _read(self, socket: ClientConnection) -> tuple[int, str]:
        """Read until the socket ends; gives the code and the reason of its close."""
        while not self._core.wants_close:
            due = self._core.due
            try:
                async with asyncio.timeout_at(due):
                    frame: Any = await socket.recv()
            except TimeoutError:
                self._drive(self._core.tick)
            except ConnectionClosed as error:
                return (error.rcvd.code, error.rcvd.reason) if error.rcvd else (0, "")
            else:
                self._drive(lambda now, frame=frame: self._core.received(frame, now))  # type: ignore[misc]
        return 0, ""
