"""Which pages may connect: browsers send a page's Origin with every handshake, and it is checked here."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_allowed(origin: str | None, host: str, allowed: Sequence[str]) -> bool:
    """Decide over a handshake: `origin` and `host` are its headers, `allowed` is MANYHANDS_ALLOWED_ORIGINS.

    Without an Origin it is no browser that asks, so no page can be misusing someone's cookies. Where no origins are
    listed, the page must come from the host that it connects to; a page served over https by a proxy has its scheme's
    port in the Origin only if that is unusual, and likewise in Host.
    """
    if origin is None:
        return True
    if allowed:
        return "*" in allowed or origin in allowed
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme not in _DEFAULT_PORTS or parts.hostname is None:
        return False
    try:
        asked = urlsplit(f"//{host}")
        asked_port = asked.port
    except ValueError:
        return False
    usual = _DEFAULT_PORTS[parts.scheme]
    return (parts.hostname, port or usual) == (asked.hostname, asked_port or usual)
