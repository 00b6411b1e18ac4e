"""The client for programs with threads: any thread may use it. One of its own reads the socket and makes its calls."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_socket

from manyhands.client.base import Base, BaseFired
from manyhands.client.ends import End, Entry, OnAccepted, OnPartial
from manyhands.client.protocol import Status
from manyhands.errors import ClientClosed

log = logging.getLogger("manyhands.client")

Found = TypeVar("Found")


class Fired(BaseFired):
    """An event that was fired, and may still run."""

    def __init__(self, client: Client, entry: Entry) -> None:
        super().__init__(entry)
        self._client = client
        #: Its end, once all that was to be called before has been.
        self._told: End | None = None
        entry.on_end = self._ended

    def wait(self, timeout: float | None = None) -> End:
        """Wait for its end. Raises `TimeoutError`; the event runs on."""
        about = f"the event for {self._entry.handler} has not ended"
        return self._client._wait(self._find_end, timeout, about)

    def cancel(self) -> None:
        """Ask for its end."""
        self._client._drive(lambda _: self._client._core.cancel(self._entry))

    def _ended(self, end: End) -> None:
        self._told = end

    def _find_end(self) -> End | None:
        return self._entry.end if self._client.status is Status.CLOSED else self._told


class Client(Base):
    """Made by `manyhands.client.connect`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        # Guards the protocol, and orders what is sent: held while a few frames are written. Notified after each change.
        self._changed = threading.Condition()
        self._socket: ClientConnection | None = None
        #: Whether the thread waits for a socket to open, which nothing ends before its time.
        self._opening = False
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._run, name="manyhands-client", daemon=True)

    # --- for the program ---

    def begin(self, timeout: float) -> Self:
        """Connect, and wait for the welcome."""
        self._thread.start()
        try:
            self.wait_until(lambda: self.status is not Status.CONNECTING, timeout)
        except TimeoutError:
            self.close()
            raise TimeoutError(f"no gateway has welcomed the client within {timeout:g} s: {self._trouble}") from None
        except BaseException:
            self.close()
            raise
        if self.status is Status.CLOSED:
            self._refuse()
        return self

    def fire(
        self, handler: str, payload: Any = None, context: Mapping[str, Any] | None = None, *,
        on_accepted: OnAccepted | None = None, on_partial: OnPartial | None = None, lifetime: float | None = None,
        timeout: float | None = None,
    ) -> End:  # fmt: skip
        """Fire an event, and wait for its end, also over broken connections. See `start`.

        Raises `TimeoutError` after so many seconds; the event runs on.
        """
        self._refuse_to_wait_for_itself()
        fired = self.start(
            handler, payload, context, on_accepted=on_accepted, on_partial=on_partial, lifetime=lifetime
        )
        return fired.wait(timeout)

    def start(
        self, handler: str, payload: Any = None, context: Mapping[str, Any] | None = None, *,
        on_accepted: OnAccepted | None = None, on_partial: OnPartial | None = None, lifetime: float | None = None,
    ) -> Fired:  # fmt: skip
        """Fire an event, and go on; without a connection it is kept, and sent with the next one.

        `on_accepted` is called with its number, `on_partial` with each update that comes before its end.
        """
        until = None if lifetime is None else time.monotonic() + lifetime
        entry = Entry(handler, payload, context, until, on_accepted, on_partial)
        fired = Fired(self, entry)
        self._drive(lambda now: self._core.fire(entry, now))
        return fired

    def cancel(self, n: int) -> None:
        """Ask for the end of an event by its number."""
        self._drive(lambda _: self._core.cancel_number(n))

    def fetch(self, value: Any) -> Any:
        """Give a value of the state with what is large in place of its references.

        Raises `LookupError` where another value has taken its place.
        """
        return self._fetch(value)

    def upload(self, data: bytes) -> dict[str, str]:
        """Send large bytes ahead, in parts; gives what stands for them in a payload. Raises `OSError`."""
        return self._upload(data)

    def wait_until(self, condition: Callable[[], Found], timeout: float | None = None) -> Found:
        """Wait until something is true, which is looked at after each change. Raises `TimeoutError`, `ClientClosed`."""
        return self._wait(condition, timeout, "what was waited for has not come")

    def close(self) -> None:
        """Leave, and come back no more."""
        if os.getpid() != self._process:
            return  # the socket is the parent's
        self._drive(lambda _: self._core.close("the client was closed"))
        if threading.current_thread() is not self._thread and not self._opening:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # --- inside ---

    def _wait(self, condition: Callable[[], Found | None], timeout: float | None, what: str) -> Found:
        self._refuse_a_fork()
        with self._changed:
            if not condition():
                self._refuse_to_wait_for_itself()
            self._changed.wait_for(lambda: condition() or self.status is Status.CLOSED, timeout)
            found = condition()
            if found:
                return found
        if self.status is Status.CLOSED:
            raise ClientClosed(self.reason)
        raise TimeoutError(f"{what} within {timeout:g} s")

    def _refuse_to_wait_for_itself(self) -> None:
        if threading.current_thread() is self._thread:
            raise RuntimeError("what the client calls would wait for itself; use start, and on_partial or subscribe")

    def _refuse_a_fork(self) -> None:
        # The thread that reads is not there, and what were sent would get mixed up with what the parent sends.
        if os.getpid() != self._process:
            raise ClientClosed("this process was forked from the one that has connected; connect in this one, too")

    def _drive(self, act: Callable[[float], object]) -> None:
        """Let the protocol act, send what it wants sent, and make its calls."""
        self._refuse_a_fork()
        with self._changed:
            act(time.monotonic())
            self._send()
            calls = self._core.take_calls()
            self._changed.notify_all()
        for call in calls:
            try:
                call()
            except Exception:
                # A fault of the program's must not end its connection.
                log.exception("what the client called has failed")
        if calls:
            with self._changed:
                self._changed.notify_all()

    def _send(self) -> None:
        frames, socket = self._core.take_out(), self._socket
        if socket is None:
            return
        try:
            for frame in frames:
                socket.send(frame)
        except (ConnectionClosed, OSError):
            # The reader finds out. What was not accepted is sent again.
            return
        except BaseException:
            # An interrupt. Half of a frame may be on its way: no other can follow it on this socket.
            socket.close_socket()
            raise
        if self._core.wants_close and threading.current_thread() is not self._thread:
            socket.close()

    def _run(self) -> None:
        try:
            self._stay()
        except BaseException as error:
            # A fault of ours, which would be repeated, or what the client called has exited.
            # Whoever waits must not do so for ever.
            log.exception("the client has failed")
            problem = f"the client has failed: {error}"
            self._drive(lambda _: self._core.close(problem))

    def _stay(self) -> None:
        while True:
            with self._changed:
                while self.status is not Status.CLOSED and (left := self._core.connect_at - time.monotonic()) > 0:
                    self._changed.wait(left)
                if self.status is Status.CLOSED:
                    return
                self._opening = True
            self._connect()

    def _connect(self) -> None:
        url, options = self._next_url()
        try:
            socket = open_socket(url, **options)
        except (OSError, WebSocketException) as error:
            self._trouble = f"{url}: {error}"
            self._drive(lambda now: self._core.lost(0, "", now))
            return
        finally:
            self._opening = False
        with socket:
            self._drive(lambda _: self._use(socket))
            code, reason = self._read(socket)
            self._socket = None
        self._drive(lambda now: self._core.lost(code, reason, now))

    def _use(self, socket: ClientConnection) -> None:
        if self.status is not Status.CLOSED:
            self._socket = socket
            self._core.opened()

    def _read(self, socket: ClientConnection) -> tuple[int, str]:
        """Read until the socket ends; gives the code and the reason of its close."""
        while not self._core.wants_close:
            due = self._core.due
            try:
                frame: Any = socket.recv(None if due is None else max(0.0, due - time.monotonic()))
            except TimeoutError:
                self._drive(self._core.tick)
            except ConnectionClosed as error:
                return (error.rcvd.code, error.rcvd.reason) if error.rcvd else (0, "")
            else:
                self._drive(lambda now, frame=frame: self._core.received(frame, now))  # type: ignore[misc]
        return 0, ""
