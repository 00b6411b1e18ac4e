"""What waits to be written to one socket: bounded, and written by one greenlet that exists only while it must.

All writes to a socket go through its outbox, so frames never mix. While the socket takes everything at once, which is
nearly always, `put` writes by itself and there is no greenlet; a reader that lags never delays the caller.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent

#: Frames that may wait. A browser that lags further behind is closed, and resumes from its `seq`.
MAX_FRAMES = 2000
#: Bytes that may wait behind the frame being written, which may be of any size, before another one is refused.
MAX_BYTES = 16 * 2**20
#: Bytes up to which waiting frames are joined into one write.
JOINED = 64 * 1024

#: Lingering, and for no time.
_RESET = struct.pack("ii", 1, 0)


def reset_when_closed(sock: Any) -> None:
    """Have what was not sent thrown away when a socket is closed: the system would offer it for minutes to nobody."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


class Outbox:
    """The one writer of a socket. Every method may be called from any greenlet, and none of them waits."""

    __slots__ = (
        "_broken", "_bytes", "_current", "_finished", "_frames", "_gathered", "_overflow", "_send_within", "_sock",
    )  # fmt: skip

    def __init__(
        self, sock: Any, overflow: Callable[[], None], broken: Callable[[], None], send_within: float
    ) -> None:
        """`overflow` is called when too much waits, or the socket takes nothing; `broken` when it is gone.

        `send_within`: seconds in which the socket must take at least one byte.
        """
        self._sock, self._overflow, self._broken = sock, overflow, broken
        self._send_within = send_within
        #: What the writer greenlet is writing, which may be the rest of a frame; `b""` while there is no greenlet.
        self._current = b""
        #: What waits behind it, and its bytes.
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        #: What was put while it is corked; None while it is not.
        self._gathered: deque[bytes] | None = None
        self._finished = False

    def cork(self) -> None:
        """Gather what is put until `uncork`, which must follow before anybody else runs."""
        self._gathered = deque()

    def uncork(self) -> None:
        """Put what was gathered, joined to as few writes as may be."""
        gathered, self._gathered = self._gathered, None
        while gathered:
            self.put(_join(gathered))

    @property
    def idle(self) -> bool:
        """Tell whether all was written."""
        return not self._current

    def put(self, frame: bytes) -> None:
        """Write a frame, now or when its turn comes. Does nothing after `finish`."""
        if self._finished:
            return
        if self._gathered is not None:
            self._gathered.append(frame)
            return
        # Nothing waits behind nothing.
        if self._current and (len(self._frames) >= MAX_FRAMES or self._bytes >= MAX_BYTES):
            self._overflow()
        else:
            self._write_or_keep(frame)

    def finish(self, frame: bytes, *, drop: bool = False) -> None:
        """Write a last frame, after all that waits or, with `drop`, after no more than the frame being written."""
        if self._finished:
            return
        if drop:
            self._gathered = None
            self._frames.clear()
            self._bytes = 0
        self.uncork()
        self._finished = True
        self._write_or_keep(frame)

    def _write_or_keep(self, frame: bytes) -> None:
        if self._current:
            self._frames.append(frame)
            self._bytes += len(frame)
            return
        # Nothing from here on lets another greenlet run, so no frame can slip in between.
        try:
            # gevent's own third parameter: a timeout of zero never waits.
            sent = self._sock.send(frame, 0, 0.0)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._broken()
            return
        if sent < len(frame):
            self._current = frame[sent:]
            gevent.spawn(self._write)

    def _write(self) -> None:
        try:
            while self._current:
                self._send_all(self._current)
                self._current = self._take()
        except gevent.Timeout:
            # The socket has taken nothing for so long that nobody reads; a close frame would not get through.
            self._overflow()
            self._broken()
        except OSError:
            self._broken()

    def _take(self) -> bytes:
        data = _join(self._frames) if self._frames else b""
        self._bytes -= len(data)
        return data

    def _send_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            with gevent.Timeout(self._send_within):
                sent = self._sock.send(rest)
            rest = rest[sent:]


def _join(frames: deque[bytes]) -> bytes:
    """Take frames off, one or as many as make no more than `JOINED` bytes."""
    first = frames.popleft()
    if not frames:
        return first
    parts, size = [first], len(first)
    while frames and size + len(frames[0]) <= JOINED:
        parts.append(frames.popleft())
        size += len(parts[-1])
    return b"".join(parts)
