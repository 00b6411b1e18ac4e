"""Whom a request comes from and what it asked for, where proxies stand in between: what the trusted ones say of it.

Each proxy appends to `X-Forwarded-For` the address that it was asked from. So the list is read from its end, and only
as far as trusted proxies wrote it: whatever stands before, the browser itself may have made up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from manyhands.setting_parsers import Network

Address = IPv4Address | IPv6Address
Environ = dict[str, Any]

#: Proxies that know sockets by their own schemes say `wss`.
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
#: Whoever has one IPv6 address has the other 2^64 of its network, too.
_IPV6_NETWORK = 64


class Forwarded:
    """A WSGI application before the real one, which then sees the browser and not the proxy before it."""

    def __init__(self, app: Callable[..., Any], trusted: Sequence[Network]) -> None:
        self._app, self._trusted = app, trusted

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        believe(environ, self._trusted)
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer


def believe(environ: Environ, trusted: Sequence[Network]) -> None:
    """Write what trusted proxies say of a request over what the socket says of it."""
    peer = read_address(environ.get("REMOTE_ADDR", ""))
    if peer is None:
        return
    environ["REMOTE_ADDR"] = str(peer)
    if not _is_in(peer, trusted):
        return
    environ["REMOTE_ADDR"] = str(_find_browser(peer, environ.get("HTTP_X_FORWARDED_FOR", ""), trusted))
    # Of these two, the nearest proxy's word is the only one that is surely not the browser's own.
    scheme = _SCHEMES.get(_last(environ.get("HTTP_X_FORWARDED_PROTO", "")).lower())
    host = _last(environ.get("HTTP_X_FORWARDED_HOST", ""))
    if scheme:
        environ["wsgi.url_scheme"] = scheme
    if host:
        environ["HTTP_HOST"] = host


def read_address(text: str) -> Address | None:
    """Read an address, with or without a port, as proxies write it; None for what is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A socket that serves both versions shows IPv4 addresses inside of IPv6 ones.
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def network_of(address: str) -> str:
    """Give what limits count as one address: an IPv4 address, or the network of an IPv6 one."""
    known = read_address(address)
    return str(IPv6Network((int(known), _IPV6_NETWORK), strict=False)) if isinstance(known, IPv6Address) else address


def _find_browser(peer: Address, forwarded_for: str, trusted: Sequence[Network]) -> Address:
    """Give the right-most address that is not trusted; where all are, the first that asked."""
    for text in reversed(forwarded_for.split(",")):
        asked_from = read_address(text)
        if asked_from is None:
            return peer
        peer = asked_from
        if not _is_in(peer, trusted):
            return peer
    return peer


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _last(values: str) -> str:
    return values.rpartition(",")[2].strip()
