"""What a handshake said, as it is kept with its session: packed, and compressed with the words of most handshakes."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import cast

import msgpack

from manyhands.errors import DamagedValue

#: What comes before compressed bytes; another dictionary would be another form.
_FORM = b"\x01"
#: Words of handshakes, the more frequent ones last, where the reference to them is shorter. Sessions hold what was
#: compressed with it, so it is never changed.
_WORDS = (
    b"X-Forwarded-HostX-Forwarded-PrefixX-Request-IdX-Request-StartX-Amzn-Trace-IdCF-RayCF-IPCountryCF-Connecting-IP"
    b"Authorization X-Forwarded-UserX-Forwarded-EmailX-Real-IpX-Forwarded-PortX-Forwarded-ProtoX-Forwarded-For"
    b"https"
    b"Sec-Fetch-Sitesame-originSec-Fetch-ModewebsocketSec-Fetch-DestemptyDNT1Acceptapplication/json*/*"
    b"keep-alive, de-DE,de;q=0.9,fr-FR,fr;q=0.8,es-ES,es;q=0.7,en-GB,Mobile Safari/604.1"
    b" (iPhone; CPU iPhone OS 18_0 like Mac OS X) "
    b"Version/18.0 (Android 15; Mobile; rv:140.0) Gecko/20100101 Firefox/140.0(Macintosh; Intel Mac OS X 10_15_7) "
    b"(X11; Linux x86_64) (Windows NT 10.0; Win64; x64) Edg/140.0.0.0Sec-Websocket-ProtocolSec-Websocket-Version13"
    b"Sec-Websocket-KeySec-Websocket-Extensionspermessage-deflate; client_max_window_bitsHosthttp://127.0.0.1:Origin"
    b"https://CookiesPragmano-cacheCache-Controlno-cacheConnectionUpgradeUpgradewebsocketAccept-Languageen-US,en;q=0.9"
    b"Accept-Encodinggzip, deflate, br, zstdUser-AgentMozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) "
    b"Chrome/140.0.0.0 "
    b"Safari/537.36"
)


def encode_info(headers: Mapping[str, str], cookies: Mapping[str, str]) -> bytes:
    """Encode headers and cookies."""
    packed = cast("bytes", msgpack.packb([dict(headers), dict(cookies)]))
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS, zdict=_WORDS)
    compressed = _FORM + packer.compress(packed) + packer.flush()
    return min(packed, compressed, key=len)


def decode_info(info: bytes | None) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Decode headers and cookies. Raises `DamagedValue`."""
    if info is None:
        raise DamagedValue("what its handshake said is gone")
    try:
        if info[:1] == _FORM:
            info = zlib.decompressobj(wbits=-zlib.MAX_WBITS, zdict=_WORDS).decompress(info[1:])
        headers, cookies = map(dict, msgpack.unpackb(info))
    except (zlib.error, ValueError, TypeError, msgpack.UnpackException) as error:
        raise DamagedValue(f"what its handshake said is damaged: {error}") from error
    return headers, cookies
