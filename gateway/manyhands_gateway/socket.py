"""The endpoint `/_mh/ws`: reads one browser's frames in the request's own greenlet until the socket ends.

flask-sock makes the handshake. Afterwards simple-websocket would read in a thread of its own, whose pongs and close
frames would mix with ours, so that thread is never started: we read from the socket with a reader of our own, and
write through the connection's outbox alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from socket import SHUT_WR
from time import monotonic
from typing import Any

import gevent

from manyhands.wire import Close
from manyhands_gateway.connection import Connection
from manyhands_gateway.conversation import Conversation
from manyhands_gateway.framing import pong_frame
from manyhands_gateway.reader import NO_STATUS, End, FrameReader, Item, Ping, Pong, TooBig

log = logging.getLogger(__name__)

#: Bytes of one read.
READ = 64 * 1024
#: What gevent calls waiting for bytes.
READABLE = 1
#: Seconds that one connection's frames are handled before all others have their turn.
SLICE = 0.003
#: Seconds between two reads from a peer that was closed for flooding. What it still sends is thrown away: unread bytes
#: would reset the connection before our close frame is read.
FLOOD_PAUSE = 0.05
#: Seconds of silence in which a peer that has ended the connection, or broken the protocol, reads our close frame.
LINGER = 1.0
#: Close codes of RFC 6455.
NORMAL, INTERNAL_ERROR = 1000, 1011


class _Nothing:
    """Stands for the thread and the event that simple-websocket would use; does nothing."""

    name = ""

    def __init__(self, **_: object) -> None: ...

    def start(self) -> None: ...

    def set(self) -> None: ...


#: For the Flask configuration `SOCK_SERVER_OPTIONS`, beside `subprotocols`.
SERVER_OPTIONS = {"thread_class": _Nothing, "event_class": _Nothing}


def frame_limit(max_payload: int) -> int:
    """Give the bytes of the largest frame that is read: room for the payload as base64, and for the rest."""
    return max_payload * 4 // 3 + 64 * 1024


def serve(server: Any, connection: Connection, conversation: Conversation, limit: int) -> None:
    """Read until the socket ends. `limit` is in bytes a message."""
    # wsproto has agreed to the handshake, and is not needed any more.
    server.ws = None
    reader = _Reader(connection, conversation.receive, FrameReader(limit))
    try:
        _read(server.sock, connection, reader)
        if reader.ended:
            _linger(server.sock, connection)
    except OSError:
        # The peer is gone, or `abort` has shut the socket: either way there is nothing left to say.
        log.debug("a socket has ended")
    except Exception:
        log.exception("a connection failed", extra={"session": connection.session})
        connection.close(INTERNAL_ERROR, "internal error")
    finally:
        connection.abort()
        conversation.leave()
        # flask-sock would write a close frame of its own after this.
        server.connected = False


def _read(sock: Any, connection: Connection, reader: _Reader) -> None:
    loop = gevent.get_hub()
    readable = loop.loop.io(sock.fileno(), READABLE)
    try:
        while not reader.ended:
            # gevent's `recv` would look first, find nothing, and then wait; or, of a peer that always sends, never wait
            # and keep the loop to itself. So each read costs one call of the system, and all others have their turn.
            loop.wait(readable)
            data = sock.recv(READ)
            if not data:
                return
            connection.heard = monotonic()
            reader.take(data)
            if connection.flooding:
                gevent.sleep(FLOOD_PAUSE)
    finally:
        readable.close()


def _linger(sock: Any, connection: Connection) -> None:
    """Let the peer read our close frame: what it sends meanwhile would, unread, reset the connection."""
    if connection.outbox.idle:
        sock.shutdown(SHUT_WR)
        sock.settimeout(LINGER)
        # Whoever goes on sending is cut off by the deadline that every close has.
        while sock.recv(READ):
            gevent.sleep(FLOOD_PAUSE)


class _Reader:
    """Bytes to messages, and what the WebSocket protocol itself asks for."""

    __slots__ = ("_connection", "_frames", "_receive")

    def __init__(self, connection: Connection, receive: Callable[[str | bytes], None], frames: FrameReader) -> None:
        self._connection, self._receive, self._frames = connection, receive, frames

    @property
    def ended(self) -> bool:
        """Tell whether the peer has said goodbye, or what no WebSocket says."""
        return self._frames.ended

    def take(self, data: bytes) -> None:
        """Take what was read from the socket. Lets others run in between: a read may hold 10,000 frames."""
        if self._connection.flooding:
            return
        items = self._frames.feed(data)
        if len(items) == 1:
            self._handle(items[0])
            return
        began = monotonic()
        for item in items:
            self._handle(item)
            if self._connection.flooding:
                return
            if monotonic() - began > SLICE:
                gevent.sleep(0)
                began = monotonic()

    def _handle(self, item: Item) -> None:
        match item:
            case str() | bytes():
                # After our own close frame, whatever still comes is only read to reach the browser's answer.
                if not self._connection.closing:
                    self._receive(item)
            case Pong():
                self._connection.burden()
            case Ping(payload):
                self._connection.burden()
                self._connection.outbox.put(pong_frame(payload))
            case TooBig():
                self._connection.close(Close.TOO_BIG, f"a frame has at most {self._frames.limit} bytes")
            case End(code, reason):
                self._connection.close(NORMAL if code == NO_STATUS else code, reason)
