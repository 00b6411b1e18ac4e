"""Many connections, held open by this process, which count what they get."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import Callable
from typing import Any

import msgpack

from manyhands.load.address import parse_address
from manyhands.load.framing import FrameReader, Handshake, Opcode, encode_frame
from manyhands.wire import SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK

#: Connections that are opened at the same time.
AT_ONCE = 100
#: Connections from one address of the loopback: each takes one of its ports.
OF_ONE_ADDRESS = 20_000


class Member(asyncio.Protocol):
    """One connection. `envelopes` counts what came after the welcome."""

    def __init__(self, url: str, subprotocol: str, token: str | None) -> None:
        self.token, self.envelopes = token, 0
        self.welcomed: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._is_json = subprotocol == SUBPROTOCOL_JSON
        self._handshake: Handshake | None = Handshake(parse_address(url), subprotocol)
        self._reader = FrameReader()
        self._transport: Any = None

    def send(self, envelope: dict[str, Any]) -> None:
        """Send an envelope."""
        if self._is_json:
            self._transport.write(encode_frame(json.dumps(envelope).encode(), Opcode.TEXT))
        else:
            self._transport.write(encode_frame(msgpack.packb(envelope)))

    def close(self) -> None:
        """End the connection."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._transport = transport
        assert self._handshake is not None
        self._transport.write(self._handshake.request)

    def data_received(self, data: bytes) -> None:
        """Say hello, wait for the welcome, then count."""
        if self._handshake is not None:
            rest = self._handshake.feed(data)
            if rest is None:
                return
            self._handshake, data = None, rest
            token = {} if self.token is None else {"session": self.token}
            self.send({"type": "hello", "client": f"{id(self):x}", **token})
        for opcode, payload in self._reader.feed(data):
            if opcode == Opcode.PING:
                self._transport.write(encode_frame(payload, Opcode.PONG))
            elif not self.welcomed.done():
                welcome = json.loads(payload) if self._is_json else msgpack.unpackb(payload)
                assert welcome["type"] == "welcome", welcome
                self.token = welcome["session"]
                self.welcomed.set_result(welcome)
            else:
                self.envelopes += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        if not self.welcomed.done():
            self.welcomed.set_exception(exc or ConnectionResetError("the gateway has closed the connection"))


async def gather(
    url: str, count: int, subprotocol: str = SUBPROTOCOL_MSGPACK, token: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Member]:  # fmt: skip
    """Open connections: to sessions of their own, or to the one that a token names."""
    allow_files(count + 200)
    members: list[Member] = []
    while len(members) < count:
        some = range(len(members), min(len(members) + AT_ONCE, count))
        members += await asyncio.gather(*(_join(url, subprotocol, token, number) for number in some))
        progress(len(members))
    return members


async def _join(url: str, subprotocol: str, token: str | None, number: int) -> Member:
    address = parse_address(url)
    member = Member(url, subprotocol, token)
    source = (f"127.0.0.{2 + number // OF_ONE_ADDRESS}", 0)
    await asyncio.get_running_loop().create_connection(lambda: member, address.host, address.port, local_addr=source)
    await asyncio.wait_for(member.welcomed, 60)
    return member


def allow_files(count: int) -> None:
    """Raise the limit of open files, of this process and of what it starts afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))
