"""Which pages may connect: browsers send a page's Origin with every handshake, and it is checked here."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_allowed(origin: str | None, host: str, allowed: Sequence[str], *, secure: bool = False) -> bool:
    """Decide over a handshake: `origin` and `host` are its headers, `allowed` is MANYHANDS_ALLOWED_ORIGINS.

    `secure`: it came over https, as a trusted proxy says.

    Without an Origin it is no browser that asks, so no page can be misusing someone's cookies. What is listed replaces
    the page's own host: a Host header is not to be relied on where a page may point a name of its own at us.
    """
    if origin is None or "*" in allowed:
        return True
    page = _parse(origin)
    if page is None:
        return False
    if allowed:
        return page in map(_parse, allowed)
    if secure and page[0] == "http":
        # Anybody on the way may have written that page.
        return False
    # Else the scheme of the page is taken for that of the connection: behind a proxy that speaks https we see http, and
    # both headers leave out the port that is usual for the page's scheme.
    return page == _parse(f"{page[0]}://{host}")


def is_https(origin: str | None, is_secure: bool) -> bool:
    """Tell whether a browser's handshake has come over https; `is_secure` says what the server knows of that.

    A page of https can't open a socket without it, so its Origin tells, also behind a proxy that we don't know of.
    """
    page = _parse(origin) if origin else None
    return is_secure or (page is not None and page[0] == "https")


def _parse(origin: str) -> tuple[str, str, int] | None:
    """Give scheme, host and port, so that what means the same is equal; None for what is no origin of a web page."""
    try:
        parts = urlsplit(origin)
        usual = _DEFAULT_PORTS.get(parts.scheme)
        port = usual if parts.port is None else parts.port
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and usual and port is not None else None
