"""How the variables of the environment are read: text in, value out, `ValueError` or `KeyError` for a bad one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from manyhands.wire import LEAST_NESTING, MAX_NESTING

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

REDIS_SCHEMES = ("redis", "rediss", "unix")
BROKER_SCHEMES = (*REDIS_SCHEMES, "amqp", "amqps")
#: Where a port is listened on unless an address is given with it.
EVERYWHERE = "0.0.0.0"
QUEUE_NAME = r"[A-Za-z0-9_-]{1,32}"
#: The queue of every handler that is not routed elsewhere; inside, it goes by `""`.
COMMON_QUEUE = "turns"
SIZE_UNITS = {"": 1, "B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


#: Characters that a key has at least, and how many different ones a good one has: a line of x's guards nothing.
KEY_LENGTH, KEY_CHARACTERS = 16, 8


def plain(text: str) -> str:
    """Take a text as it is."""
    return text


def url(schemes: tuple[str, ...]) -> Callable[[str], str]:
    """Make what reads a URL of some schemes."""

    def parse(text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in schemes or not (parts.netloc or parts.path):
            raise ValueError
        _ = parts.port  # reading it is what checks it
        if parts.scheme in REDIS_SCHEMES:
            check_redis(parts)
        return text

    return parse


def check_redis(parts: SplitResult) -> None:
    """Refuse what Redis's client would refuse at the first connection, or take for database 0 without a word."""
    if parts.scheme != "unix" and not re.fullmatch(r"/?\d*/?", parts.path):
        raise ValueError
    for name, value in parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)):
        if name.startswith("ssl_") and parts.scheme != "rediss":
            raise ValueError
        REDIS_OPTIONS[name](value)


def positive(text: str) -> float:
    """Read a number over 0."""
    number = float(text)
    if not 0 < number < 10**9:
        raise ValueError
    return number


def count(text: str) -> int:
    """Read a whole number from 1 on."""
    number = int(text)
    if not 1 <= number < 10**9:
        raise ValueError
    return number


def whole(text: str) -> int:
    """Read a whole number from 0 on."""
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def port_number(text: str) -> int:
    """Read a port."""
    number = int(text)
    if not 0 <= number < 65536:
        raise ValueError
    return number


def address(text: str) -> tuple[str, int]:
    """Read a port, or an address and a port; an IPv6 address stands in brackets."""
    host, _, port = text.rpartition(":")
    if port == "0" or (":" in host and not (host.startswith("[") and host.endswith("]"))):
        raise ValueError
    return host.strip("[]") or EVERYWHERE, port_number(port)


def token(text: str) -> str:
    """Read a secret that goes into a header."""
    if len(text) < 16 or not text.isascii() or not text.isprintable():
        raise ValueError
    return text


def size(text: str) -> int:
    """Read a number of bytes, with or without a unit."""
    match = re.fullmatch(r"\s*(\d+)\s*([a-zA-Z]*)\s*", text)
    if not match or match[2].upper() not in SIZE_UNITS or int(match[1]) == 0:
        raise ValueError
    return int(match[1]) * SIZE_UNITS[match[2].upper()]


def namespace(text: str) -> str:
    """Read what goes before every key."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", text):
        raise ValueError
    return text


def words(text: str) -> tuple[str, ...]:
    """Read what commas separate."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def keys(text: str) -> tuple[str, ...]:
    """Read keys, each long enough."""
    keys = words(text)
    if not keys or any(len(key) < KEY_LENGTH for key in keys):
        raise ValueError
    return keys


def origins(text: str) -> tuple[str, ...]:
    """Read the origins of pages, or a star."""
    origins = words(text)
    for origin in origins:
        parts = urlsplit(origin)
        if origin != "*" and (parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/")):
            raise ValueError
    return tuple(origin.rstrip("/") for origin in origins)


def pair(text: str) -> tuple[int, int]:
    """Read two counts; the second is 20 times the first unless given."""
    plain, _, asynchronous = text.partition(",")
    return count(plain), count(asynchronous) if asynchronous else 20 * count(plain)


def rate_or_off(text: str) -> float:
    """Read a rate; 0 is none."""
    return 0.0 if text == "0" else positive(text)


def nesting(text: str) -> int:
    """Read a depth that frames can have."""
    number = int(text)
    if not LEAST_NESTING <= number <= MAX_NESTING:
        raise ValueError
    return number


def networks(text: str) -> tuple[Network, ...]:
    """Read addresses and networks."""
    return tuple(ipaddress.ip_network(word) for word in words(text))


def switch(text: str) -> bool:
    """Read on or off."""
    return {"off": False, "0": False, "on": True, "1": True}[text.lower()]


def flag(text: str) -> bool:
    """Read 0 or 1."""
    return {"0": False, "1": True}[text]


#: What the query of a Redis URL may set, and how it is read. Spelled out, for a gateway reads its settings before it
#: patches the standard library, and Redis's client must not be loaded before that.
REDIS_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("username", "password", "client_name"), plain),
    **dict.fromkeys(("socket_timeout", "socket_connect_timeout", "timeout"), positive),
    **dict.fromkeys(("db", "health_check_interval"), whole),
    **dict.fromkeys(("max_connections", "socket_read_size"), count),
    **dict.fromkeys(("socket_keepalive", "retry_on_timeout", "ssl_check_hostname"), plain),
    **dict.fromkeys(("ssl_keyfile", "ssl_certfile", "ssl_password", "ssl_ciphers"), plain),
    **dict.fromkeys(("ssl_ca_certs", "ssl_ca_path", "ssl_ca_data"), plain),
    "ssl_cert_reqs": {name: name for name in ("none", "optional", "required")}.__getitem__,
    "ssl_min_version": whole,
    "protocol": {"2": 2, "3": 3}.__getitem__,
}


def routes(text: str) -> tuple[tuple[str, str], ...]:
    """Read which handlers go to which queues, the latter as they go by inside."""
    pairs = [tuple(part.strip() for part in word.split("=")) for word in words(text)]
    if not all(len(pair) == 2 and pair[0] for pair in pairs):
        raise ValueError
    return tuple((pattern, queue_name(queue)) for pattern, queue in pairs)


def queue_name(text: str) -> str:
    """Read a queue's name, and give it as it goes by inside."""
    if not re.fullmatch(QUEUE_NAME, text):
        raise ValueError
    return "" if text == COMMON_QUEUE else text
