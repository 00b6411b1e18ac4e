"""One WebSocket of the load test on asyncio: envelopes in, packed envelopes out."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Any

import msgpack

from manyhands.errors import ManyHandsError
from manyhands.load.address import Address
from manyhands.load.framing import BrokenFrame, FrameReader, Handshake, Opcode, encode_frame

#: Seconds that connecting and the handshake may take.
CONNECT_TIMEOUT = 10.0
#: The close code of a socket that just ended.
ABNORMAL = 1006
#: What a close frame says when the test is over.
NORMAL = (1000).to_bytes(2)


class Link(asyncio.Protocol):
    """A socket. `opened` and `closed` are its life; `take` gets every envelope, on the event loop."""

    def __init__(self, address: Address, take: Callable[[Mapping[str, Any]], None]) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        #: Gives the close code; raises what `take` has raised.
        self.closed: asyncio.Future[int] = loop.create_future()
        self._take = take
        self._handshake: Handshake | None = Handshake(address)
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._code = ABNORMAL

    def send(self, envelope: bytes) -> None:
        """Send a packed envelope; nothing happens once the socket is closing."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode_frame(envelope))

    def close(self) -> None:
        """End the connection as a browser does that leaves the page."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode_frame(NORMAL, Opcode.CLOSE))
            self._transport.close()

    def drop(self) -> None:
        """End the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    # --- called by the event loop ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._handshake is not None:
            transport.write(self._handshake.request)

    def data_received(self, data: bytes) -> None:
        """Take what came; what can't be gone on from ends the connection, and is raised by whoever waits for it."""
        try:
            if self._handshake is not None:
                rest = self._handshake.feed(data)
                if rest is None:
                    return
                self._handshake, data = None, rest
                if not self.opened.done():
                    self.opened.set_result(None)
            for opcode, payload in self._reader.feed(data):
                self._take_message(opcode, payload)
        except ManyHandsError as error:
            self._fail(error)
        except (LookupError, TypeError, ValueError) as error:
            self._fail(BrokenFrame(f"what came is no envelope: {error!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionResetError("the connection ended during the handshake"))
        if not self.closed.done():
            self.closed.set_result(self._code)

    def _take_message(self, opcode: int, payload: bytes) -> None:
        if opcode == Opcode.BINARY:
            self._take(msgpack.unpackb(payload, strict_map_key=False))
        elif opcode == Opcode.PING and self._transport is not None:
            self._transport.write(encode_frame(payload, Opcode.PONG))
        elif opcode == Opcode.CLOSE and self._transport is not None:
            self._code = int.from_bytes(payload[:2]) if len(payload) >= 2 else 1005
            self._transport.write(encode_frame(payload[:2], Opcode.CLOSE))
            self._transport.close()

    def _fail(self, error: ManyHandsError) -> None:
        for waited in (self.opened, self.closed):
            if not waited.done():
                waited.set_exception(error)
                waited.exception()  # whoever no longer waits is not told of it by asyncio's log either
        self.drop()


async def open_link(address: Address, take: Callable[[Mapping[str, Any]], None]) -> Link:
    """Connect. Raises `OSError` (a timeout is one) when nothing answers, and `HandshakeRefused`."""
    context = ssl.create_default_context() if address.tls else None
    link = Link(address, take)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await asyncio.get_running_loop().create_connection(lambda: link, address.host, address.port, ssl=context)
            await link.opened
    except BaseException:
        link.drop()
        raise
    return link
