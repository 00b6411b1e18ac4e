"""The endpoint `/_mh/ws`: reads one browser's frames in the request's own greenlet until the socket ends.

flask-sock makes the handshake. Afterwards simple-websocket would read in a thread of its own, whose pongs and close
frames would mix with ours, so that thread is never started: we read from the socket, let wsproto decode, and write
through the connection's outbox alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any

import gevent
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from manyhands.wire import Close
from manyhands_gateway.connection import Connection
from manyhands_gateway.conversation import Conversation
from manyhands_gateway.framing import pong_frame

log = logging.getLogger(__name__)

#: Bytes of one read.
READ = 64 * 1024
#: Seconds that one connection's frames are handled before all others have their turn.
SLICE = 0.003
#: Seconds between two reads from a peer that was closed for flooding. What it still sends is thrown away: unread bytes
#: would reset the connection before our close frame is read.
FLOOD_PAUSE = 0.05
#: Close codes of RFC 6455.
NORMAL, NO_STATUS, INTERNAL_ERROR = 1000, 1005, 1011


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


class Message:
    """A message on its way in, which may come in many parts."""

    __slots__ = ("_parts", "_size", "limit")

    def __init__(self, limit: int) -> None:
        """`limit` is in bytes."""
        self.limit = limit
        self._size = 0
        # One buffer, not a list: a hostile message may come in millions of parts.
        self._parts = bytearray()

    def add(self, event: TextMessage | BytesMessage) -> str | bytes | None:
        """Take a part in; give the whole when it is complete. Raises `OverflowError` beyond the limit."""
        data = event.data
        self._size += len(data.encode()) if isinstance(data, str) and not data.isascii() else len(data)
        if self._size > self.limit:
            self._parts.clear()
            raise OverflowError
        if event.message_finished and not self._parts:
            self._size = 0
            return data if isinstance(data, str) else bytes(data)
        self._parts += data.encode() if isinstance(data, str) else data
        if not event.message_finished:
            return None
        whole, self._parts, self._size = self._parts, bytearray(), 0
        return whole.decode() if isinstance(data, str) else bytes(whole)


def serve(server: Any, connection: Connection, conversation: Conversation, limit: int) -> None:
    """Read until the socket ends. `limit` is in bytes a message."""
    reader = _Reader(server.ws.connection, connection, conversation.receive, Message(limit))
    try:
        while not reader.ended:
            data = server.sock.recv(READ)
            if not data:
                break
            connection.heard = monotonic()
            reader.take(data)
            # gevent's `recv` waits only where nothing has come: a peer that always sends would keep the loop to itself.
            gevent.sleep(FLOOD_PAUSE if connection.flooding else 0)
    except OSError:
        # The peer is gone, or `abort` has shut the socket: either way there is nothing left to say.
        log.debug("a socket has ended")
    except Exception:
        log.exception("a connection failed")
        connection.close(INTERNAL_ERROR, "internal error")
    finally:
        connection.abort()
        conversation.leave()
        # flask-sock would write a close frame of its own after this.
        server.connected = False


class _Reader:
    """Bytes to messages, with what the WebSocket protocol itself demands."""

    __slots__ = ("_connection", "_message", "_receive", "_wire", "ended")

    def __init__(
        self, wire: Any, connection: Connection, receive: Callable[[str | bytes], None], message: Message
    ) -> None:
        self._wire, self._connection, self._receive, self._message = wire, connection, receive, message
        self.ended = False

    def take(self, data: bytes) -> None:
        """Take what was read from the socket. Lets others run in between: a read may hold 10,000 frames."""
        if self._connection.flooding:
            return
        self._wire.receive_data(data)
        began = monotonic()
        for event in self._wire.events():
            self._handle(event)
            if self.ended or self._connection.flooding:
                return
            if monotonic() - began > SLICE:
                gevent.sleep(0)
                began = monotonic()

    def _handle(self, event: object) -> None:
        match event:
            case TextMessage() | BytesMessage():
                # After our own close frame, whatever still comes is only read to reach the browser's answer.
                if not self._connection.closing:
                    self._handle_part(event)
            case Pong():
                self._connection.burden()
            case Ping():
                self._connection.burden()
                self._connection.outbox.put(pong_frame(bytes(event.payload)))
            case CloseConnection():
                # The browser's own, or what wsproto makes of bytes that break RFC 6455, such as 1007 for bad UTF-8.
                code = int(event.code)
                self._connection.close(NORMAL if code == NO_STATUS else code, event.reason or "")
                self.ended = True

    def _handle_part(self, event: TextMessage | BytesMessage) -> None:
        try:
            message = self._message.add(event)
        except OverflowError:
            self._connection.close(Close.TOO_BIG, f"a frame has at most {self._message.limit} bytes")
        else:
            if message is not None:
                self._receive(message)
