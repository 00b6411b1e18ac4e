"""Where a deployment's WebSocket is, derived from the URL of its page."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

#: The path of the WebSocket below the URL of the deployment.
SOCKET_PATH = "/_mh/ws"
_SCHEMES = {"http": False, "ws": False, "https": True, "wss": True}


@dataclass(frozen=True, slots=True)
class Address:
    """A gateway's WebSocket, or that of whatever stands before many."""

    url: str
    host: str
    port: int
    path: str
    #: The header: the port is named where it is not the scheme's own.
    host_header: str
    tls: bool


def parse_address(url: str) -> Address:
    """Read `http[s]://host[:port][/prefix]`; `ws` and `wss` mean the same. Raises `ValueError` saying what is wrong."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"{url!r} is no URL of a deployment, expected one such as https://example.org")
    if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is expected to have a host, and no user, query or fragment")
    tls = _SCHEMES[parts.scheme]
    prefix = parts.path.rstrip("/").removesuffix(SOCKET_PATH)
    return Address(url, parts.hostname, parts.port or (443 if tls else 80), prefix + SOCKET_PATH, parts.netloc, tls)
