"""A wire to Redis that fails as networks do: answers get lost, and what was sent arrives late."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from urllib.parse import urlsplit


class LossyWire:
    """Passes connections on to a server. Its threads end when it is closed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "127.0.0.1", parts.port or 6379)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        #: Of the next connection that sends these bytes, the answers are lost and the connection ends. Taken once.
        self.lose_answers_to: bytes | None = None
        #: What the next connection that sends these bytes has sent is passed on once `released` is set. Taken once.
        self.hold_back: bytes | None = None
        self.held, self.released = threading.Event(), threading.Event()
        self.lost = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="lossy-wire", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End every connection, and take no more."""
        self._closed.set()
        self.released.set()
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        # Closing the listener does not wake this thread, so it looks.
        self._listener.settimeout(0.2)
        while not self._closed.is_set():
            with contextlib.suppress(OSError):
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(client,), name="lossy-wire", daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection(self._server) as server:
            for one in (client, server):
                one.settimeout(10)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            loses = False
            while not self._closed.is_set():
                ready, _, _ = select.select([client, server], [], [], 0.2)
                if client in ready:
                    if not (data := client.recv(1 << 20)):
                        return
                    loses = loses or self._loses(data)
                    self._hold(data)
                    server.sendall(data)
                if server in ready:
                    data = server.recv(1 << 20)
                    if loses:
                        self.lost.set()
                    if loses or not data:
                        return
                    client.sendall(data)

    def _loses(self, data: bytes) -> bool:
        if self.lose_answers_to is None or self.lose_answers_to not in data:
            return False
        self.lose_answers_to = None
        return True

    def _hold(self, data: bytes) -> None:
        if self.hold_back is not None and self.hold_back in data:
            self.hold_back = None
            self.held.set()
            self.released.wait(30)
