"""Ask a gateway on this machine whether a click would work, without a client library."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
from dataclasses import dataclass

from manyhands.errors import ManyHandsError

#: Seconds that one question may take.
TIMEOUT = 2.0

#: The most of an answer that is read.
LONGEST_ANSWER = 65_536


class PortInUse(ManyHandsError):
    """The port that the gateway shall listen on can't be had."""

    def __init__(self, host: str, port: int, reason: str | None) -> None:
        self.host, self.port = host, port
        super().__init__(
            f"can't listen on {host} port {port}: {reason}; choose another with --port (0 finds a free one) or --host"
        )


@dataclass(frozen=True, slots=True)
class Readiness:
    """What `/readyz` says: whether a click would work, and if not, why."""

    ready: bool
    reason: str


async def ask_ready(host: str, port: int) -> Readiness:
    """Ask `/readyz` once."""
    try:
        async with asyncio.timeout(TIMEOUT):
            status, body = await _get(reachable(host), port, "/readyz")
    except (OSError, TimeoutError):
        return Readiness(False, "the gateway does not answer yet")
    return Readiness(status == "200", _reasons(body) or f"the gateway answers {status or 'nothing'}")


def free_port(host: str, port: int) -> int:
    """Give `port`, or a free one for 0. Raises `PortInUse` when a server could not listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do: a port whose last connections linger is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            found: int = probe.getsockname()[1]
    except UnicodeError as error:
        raise PortInUse(host, port, "that is no host's name") from error
    except OSError as error:
        raise PortInUse(host, port, error.strerror) from error
    return found


def page_url(host: str, port: int) -> str:
    """Give the address to open in a browser on this machine."""
    shown = reachable(host)
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"


def reachable(host: str) -> str:
    """Give an address at which a server that listens on `host` can be reached: `0.0.0.0` itself can't be opened."""
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.is_unspecified:
            return "127.0.0.1" if address.version == 4 else "::1"
    return host


def _reasons(body: str) -> str:
    """Read what a gateway that is not ready answers: `{"reasons": {part: reason}}`."""
    with contextlib.suppress(ValueError):
        answer = json.loads(body)
        if isinstance(answer, dict) and isinstance(answer.get("reasons"), dict):
            return "; ".join(map(str, answer["reasons"].values()))
    return body.strip()


async def _get(host: str, port: int, path: str) -> tuple[str, str]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = (await reader.read(LONGEST_ANSWER)).decode(errors="replace")
        while chunk := await reader.read(LONGEST_ANSWER):
            answer += chunk.decode(errors="replace")
    finally:
        writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return head.partition(" ")[2][:3], body
