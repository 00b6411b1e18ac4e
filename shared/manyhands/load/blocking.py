"""A client whose events are fired from ordinary code that waits for their end, as Locust's users do.

It uses `socket` and `threading` only: where those are patched for gevent, as Locust does, it costs a greenlet.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from random import random

import msgpack

from manyhands.errors import ManyHandsError, Unavailable
from manyhands.load.address import Address
from manyhands.load.framing import BrokenFrame, FrameReader, Handshake, HandshakeRefused, Opcode, encode_frame
from manyhands.load.link import CONNECT_TIMEOUT
from manyhands.load.pacing import Backoff
from manyhands.load.session import Act, EventRefused, Greet, Reconnect, Resend, Session, Welcomed
from manyhands.wire import Close

#: Bytes that are asked for at a time.
READ = 64 * 2**10
#: Close codes after which the session can't be gone on with.
_FATAL = frozenset({Close.PROTOCOL, Close.TOO_BIG, Close.SESSION_UNKNOWN, Close.REFUSED})


class BlockingClient:
    """One session on one socket at a time. Its thread reads, and reconnects, until `close` or until it has `failed`."""

    def __init__(self, address: Address, session: Session, failed: Callable[[], None] = lambda: None) -> None:
        self.session = session
        #: What ended the client for good, such as an unknown handler.
        self.failure: ManyHandsError | None = None
        self._address, self._failed = address, failed
        # Guards the session and writing to the socket, for as long as one envelope takes.
        self._lock = threading.Lock()
        self._joined = threading.Event()
        self._closing = threading.Event()
        self._socket: socket.socket | None = None
        self._backoff = Backoff()
        self._pause: float | None = None
        #: What is to be sent again, and when.
        self._due: tuple[float, Callable[[], list[bytes]]] | None = None
        self._thread = threading.Thread(target=self._run, name="manyhands-load", daemon=True)

    def start(self, timeout: float = 20.0) -> None:
        """Begin, and wait for the welcome. Raises `Unavailable` when none comes, and what made it impossible."""
        self._thread.start()
        if not self._joined.wait(timeout) or self.failure is not None:
            self.close()
            raise self.failure or Unavailable(self._address.url, "no welcome in time")

    def fire(self, handler: str, payload: object, intended: float) -> None:
        """Fire an event, now or as soon as the session is connected."""
        with self._lock:
            envelope = self.session.fire(handler, payload, intended)
            if envelope is not None:
                self._send(encode_frame(envelope))

    def close(self) -> None:
        """End the connection and the thread."""
        self._closing.set()
        with self._lock:
            self._send(encode_frame((1000).to_bytes(2), Opcode.CLOSE))
        self.drop()
        self._thread.join(CONNECT_TIMEOUT)

    def drop(self) -> None:
        """End the socket, as a lost network does; unless closing, the thread reconnects."""
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    # --- its thread ---

    def _run(self) -> None:
        while not self._closing.is_set() and self.failure is None:
            try:
                self._connect_and_read()
            except (OSError, HandshakeRefused, BrokenFrame):
                pass  # tried again below, or the welcome that never comes says so
            except EventRefused as error:
                self.failure = error
            except (LookupError, TypeError, ValueError) as error:
                self.failure = BrokenFrame(f"what came is no envelope: {error!r}")
            with self._lock:
                self.session.disconnected()
                self._socket, self._due = None, None
            pause, self._pause = self._pause, None
            self._closing.wait(self._backoff.next(random()) if pause is None else pause)
        self._joined.set()
        self._failed()

    def _connect_and_read(self) -> None:
        plain = socket.create_connection((self._address.host, self._address.port), CONNECT_TIMEOUT)
        with _secured(plain, self._address) as connected:
            handshake, reader = Handshake(self._address), FrameReader()
            connected.sendall(handshake.request)
            while (data := handshake.feed(_read(connected))) is None:
                pass
            with self._lock:
                self._socket = connected
                self._send(encode_frame(self.session.hello()))
            while self._take_all(reader, data):
                data = self._wait(connected)

    def _wait(self, connected: socket.socket) -> bytes:
        """Wait for bytes; none when something is to be sent again first."""
        connected.settimeout(None if self._due is None else max(self._due[0] - time.perf_counter(), 0.001))
        try:
            return _read(connected)
        except TimeoutError:
            with self._lock:
                if self._due is not None:
                    (_, envelopes), self._due = self._due, None
                    self._send(b"".join(map(encode_frame, envelopes())))
            return b""

    def _take_all(self, reader: FrameReader, data: bytes) -> bool:
        """Take what came; False when the socket is at its end."""
        for opcode, payload in reader.feed(data):
            if opcode == Opcode.CLOSE:
                self._note_close(int.from_bytes(payload[:2]), payload[2:].decode(errors="replace"))
                return False
            with self._lock:
                if opcode == Opcode.PING:
                    self._send(encode_frame(payload, Opcode.PONG))
                elif opcode == Opcode.BINARY:
                    act = self.session.take(msgpack.unpackb(payload, strict_map_key=False), time.perf_counter())
                    self._do(act)
        return True

    def _note_close(self, code: int, reason: str) -> None:
        if code in _FATAL:
            self.failure = ManyHandsError(f"the gateway closed the connection ({code} {reason})")

    def _do(self, act: Act | None) -> None:
        now = time.perf_counter()
        match act:
            case Welcomed():
                self._backoff.reset()
                self._send(b"".join(map(encode_frame, self.session.unaccepted())))
                self._joined.set()
            case Resend(after):
                self._due = (now + after, self.session.unaccepted)
            case Greet(after):
                self._due = (now + after, lambda: [self.session.hello()])
            case Reconnect(after, restart):
                self._pause = after
                if not restart:
                    raise ConnectionResetError("updates are missing: resume from what was seen")

    def _send(self, frames: bytes) -> None:
        """Send under the lock; the reading thread finds out when the socket is broken."""
        if self._socket is not None and frames:
            with contextlib.suppress(OSError):
                self._socket.sendall(frames)


def _secured(plain: socket.socket, address: Address) -> socket.socket:
    if not address.tls:
        return plain
    return ssl.create_default_context().wrap_socket(plain, server_hostname=address.host)


def _read(connected: socket.socket) -> bytes:
    data = connected.recv(READ)
    if not data:
        raise ConnectionResetError("the socket ended")
    return data
