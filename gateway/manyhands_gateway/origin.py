"""Which pages may connect: browsers send a page's Origin with every handshake, and it is checked here."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_allowed(origin: str | None, host: str, allowed: Sequence[str]) -> bool:
    """Decide over a handshake: `origin` and `host` are its headers, `allowed` is MANYHANDS_ALLOWED_ORIGINS.

    Without an Origin it is no browser that asks, so no page can be misusing someone's cookies.
    """
    return origin is None or "*" in allowed or origin in allowed or _is_same_host(origin, host)


def _is_same_host(origin: str, host: str) -> bool:
    """Tell whether a page came from the host that it connects to.

    The scheme of the page is taken for that of the connection: behind a proxy that speaks https we see http, and both
    headers leave out the port that is usual for the page's scheme.
    """
    try:
        page, asked = urlsplit(origin), urlsplit(f"//{host}")
        usual = _DEFAULT_PORTS.get(page.scheme)
        ports = page.port or usual, asked.port or usual
    except ValueError:
        return False
    return usual is not None and bool(page.hostname) and page.hostname == asked.hostname and ports[0] == ports[1]
