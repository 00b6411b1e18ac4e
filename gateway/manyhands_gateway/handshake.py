"""What RFC 6455, section 4.2.1, asks of a handshake, where wsproto looks at nothing or answers with another status."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from werkzeug.datastructures import Headers

#: The one version of the protocol; whoever speaks another is told of this one.
VERSION = "13"
#: Bytes of a client's key, decoded.
KEY_BYTES = 16


class Flaw(NamedTuple):
    """What is wrong with a handshake: the HTTP status and the reason."""

    status: int
    text: str


def find_flaw(http: str, headers: Headers) -> Flaw | None:
    """Look for a flaw; `http` is the request's own version, such as HTTP/1.1."""
    if http == "HTTP/1.0":
        return Flaw(426, "a WebSocket handshake is HTTP/1.1; a proxy in between may need to be told so")
    version = headers.get("Sec-WebSocket-Version")
    if version != VERSION:
        return Flaw(426, f"Sec-WebSocket-Version is {VERSION}, got {version!r}")
    if not _is_key(headers.get("Sec-WebSocket-Key", "")):
        return Flaw(400, f"Sec-WebSocket-Key is {KEY_BYTES} bytes as base64")
    if not _is_host(headers.get("Host", "")):
        return Flaw(400, "Host is no name of a host")
    return None


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _is_host(host: str) -> bool:
    # wsproto decodes it so, and fails where that fails.
    try:
        return bool(host.encode().decode("idna"))
    except UnicodeError:
        return False
