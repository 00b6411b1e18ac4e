"""What the environment sets, as one frozen value that is read once, at the edge, and passed down."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any, cast

from manyhands import setting_parsers as read
from manyhands.content_security import POLICIES, parse_policy
from manyhands.errors import SettingError
from manyhands.setting_parsers import Network
from manyhands.wire import LEAST_NESTING, MAX_NESTING

#: What holds of one address where proxies are trusted to tell it, unless it is set.
ADDRESS_HANDSHAKES, ADDRESS_CONNECTIONS = 20.0, 1000


def variable(name: str, parse: Callable[[str], Any], default: Any, expected: str, meaning: str) -> Any:
    """Declare a field of `Settings` that one variable of the environment sets."""
    return field(default=default, metadata={"variable": name, "parse": parse, "expected": expected, "meaning": meaning})


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting. Durations are in seconds, sizes in bytes."""

    redis_url: str | None = variable(
        "REDIS_URL", read.url(read.REDIS_SCHEMES), None,
        "a URL such as redis://localhost:6379/0 (or rediss://, unix://), "
        "with a database's number for its path and options that Redis's client knows",
        "the Redis that holds state, mailboxes and pub/sub",
    )  # fmt: skip
    broker_url_or_none: str | None = variable(
        "MANYHANDS_BROKER_URL", read.url(read.BROKER_SCHEMES), None,
        "a URL with redis://, rediss://, unix:// or amqp://",
        "Celery's broker; REDIS_URL unless set",
    )  # fmt: skip
    app: str | None = variable(
        "MANYHANDS_APP", read.plain, None, "a directory, a Python file or a dotted module", "the app"
    )
    port: int = variable(
        "PORT", read.port_number, 8000, "a port number from 0 to 65535", "the port a gateway listens on"
    )
    secret_keys: tuple[str, ...] = variable(
        "MANYHANDS_SECRET_KEY", read.keys, (),
        "a secret of at least 16 characters; where several are separated by commas, the first "
        "signs and all are accepted",
        "signs session tokens; required outside `manyhands dev`",
    )  # fmt: skip
    allowed_origins: tuple[str, ...] = variable(
        "MANYHANDS_ALLOWED_ORIGINS", read.origins, (), "origins such as https://example.org, separated by commas, or *",
        "the origins whose pages may connect; the page's own host unless set",
    )  # fmt: skip
    session_cookie: bool = variable(
        "MANYHANDS_SESSION_COOKIE", read.switch, False, "on or off",
        "keep session tokens in an HttpOnly cookie, out of reach of a page's scripts",
    )  # fmt: skip
    content_security_policy: str = variable(
        "MANYHANDS_CONTENT_SECURITY_POLICY", parse_policy, POLICIES["open"],
        "open, strict, off, or a policy such as default-src 'self'; img-src *",
        "what the app's pages may load, and who may frame them",
    )  # fmt: skip
    hsts: int = variable(
        "MANYHANDS_HSTS", read.whole, 0, "a whole number of seconds, 0 for none",
        "for how long browsers that came over https come over nothing else",
    )  # fmt: skip
    namespace: str = variable(
        "MANYHANDS_NAMESPACE", read.namespace, "mh", "1 to 64 letters, digits, dots, dashes or underscores",
        "the prefix of every Redis key, channel and Celery queue",
    )  # fmt: skip
    turn_limit: float = variable(
        "MANYHANDS_TURN_LIMIT", read.positive, 0.2, "a positive number of seconds",
        "how long a handler holds its session's turn before it is detached",
    )  # fmt: skip
    partial_interval: float = variable(
        "MANYHANDS_PARTIAL_INTERVAL", read.positive, 0.25, "a positive number of seconds",
        "how often a detached handler's assignments are committed and sent",
    )  # fmt: skip
    session_ttl: float = variable(
        "MANYHANDS_SESSION_TTL", read.positive, 86_400.0, "a positive number of seconds",
        "how long a session lives after its last event or connection",
    )  # fmt: skip
    max_attempts: int = variable(
        "MANYHANDS_MAX_ATTEMPTS", read.count, 3, "a positive whole number",
        "how often an event is begun before it ends with worker_lost",
    )  # fmt: skip
    lease: float = variable(
        "MANYHANDS_LEASE", read.positive, 5.0, "a positive number of seconds",
        "how long a silent worker keeps its events before another takes them over",
    )  # fmt: skip
    max_detached: tuple[int, int] = variable(
        "MANYHANDS_MAX_DETACHED", read.pair, (1000, 20_000), "a whole number, or two as in 1000,20000 (plain, async)",
        "how many detached plain and async handlers a worker process runs at most",
    )  # fmt: skip
    max_payload: int = variable(
        "MANYHANDS_MAX_PAYLOAD", read.size, 10 * 2**20, "a size such as 10485760 or 10MiB",
        "the largest payload of an event",
    )  # fmt: skip
    max_value: int = variable(
        "MANYHANDS_MAX_VALUE", read.size, 64 * 2**20, "a size such as 67108864 or 64MiB",
        "the largest value that a handler may assign at once",
    )  # fmt: skip
    value_cache: int = variable(
        "MANYHANDS_VALUE_CACHE", read.size, 128 * 2**20, "a size such as 134217728 or 128MiB",
        "how much of large values a worker process keeps in memory, encoded",
    )  # fmt: skip
    max_upload: int = variable(
        "MANYHANDS_MAX_UPLOAD", read.size, 50 * 2**20, "a size such as 52428800 or 50MiB",
        "the largest upload",
    )  # fmt: skip
    mailbox_limit: int = variable(
        "MANYHANDS_MAILBOX_LIMIT", read.count, 256, "a positive whole number",
        "how many accepted events of one session may wait",
    )  # fmt: skip
    rate_limit: float = variable(
        "MANYHANDS_RATE_LIMIT", read.positive, 100.0, "a positive number of events a second",
        "events a second of one session; bursts of twice as many are let through",
    )  # fmt: skip
    max_waiting: int = variable(
        "MANYHANDS_MAX_WAITING", read.count, 100_000, "a positive whole number",
        "how many accepted events of all sessions together may wait before more are put off",
    )  # fmt: skip
    max_nesting: int = variable(
        "MANYHANDS_MAX_NESTING", read.nesting, MAX_NESTING, f"a whole number from {LEAST_NESTING} to {MAX_NESTING}",
        "how deep maps and lists of a frame may be nested",
    )  # fmt: skip
    max_connections: int = variable(
        "MANYHANDS_MAX_CONNECTIONS", read.count, 20_000, "a positive whole number",
        "how many sockets one gateway process keeps open",
    )  # fmt: skip
    trusted_proxies: tuple[Network, ...] = variable(
        "MANYHANDS_TRUSTED_PROXIES", read.networks, (),
        "addresses and networks such as 10.0.0.0/8, separated by commas, without bits set behind a network's length",
        "the proxies whose X-Forwarded-For, -Proto and -Host are believed",
    )  # fmt: skip
    address_handshakes_or_none: float | None = variable(
        "MANYHANDS_ADDRESS_HANDSHAKES", read.rate_or_off, None, "a positive number, or 0 for no limit",
        "handshakes a second of one address, bursts of ten times as many are let through; "
        "unless set, 20 where MANYHANDS_TRUSTED_PROXIES is set, else no limit",
    )  # fmt: skip
    address_connections_or_none: int | None = variable(
        "MANYHANDS_ADDRESS_CONNECTIONS", read.whole, None, "a whole number, 0 for no limit",
        "how many sockets of one address a gateway process keeps open; "
        "unless set, 1000 where MANYHANDS_TRUSTED_PROXIES is set, else no limit",
    )  # fmt: skip
    hello_within: float = variable(
        "MANYHANDS_HELLO_WITHIN", read.positive, 5.0, "a positive number of seconds",
        "how soon after it has connected a browser must say hello",
    )  # fmt: skip
    ping_every: float = variable(
        "MANYHANDS_PING_EVERY", read.positive, 25.0, "a positive number of seconds",
        "how often a browser is pinged",
    )  # fmt: skip
    dead_after: float = variable(
        "MANYHANDS_DEAD_AFTER", read.positive, 60.0, "a number of seconds greater than MANYHANDS_PING_EVERY",
        "how long a browser may be silent, pongs included, before its connection ends",
    )  # fmt: skip
    send_within: float = variable(
        "MANYHANDS_SEND_WITHIN", read.positive, 20.0, "a positive number of seconds",
        "how long a browser may take in nothing of what is sent to it before its connection ends",
    )  # fmt: skip
    metrics_address: tuple[str, int] | None = variable(
        "MANYHANDS_METRICS_PORT", read.address, None, "a port number, or an address and a port such as 127.0.0.1:9100",
        "the port at which workers answer `/metrics`; none unless set (a gateway answers at its own)",
    )  # fmt: skip
    metrics_token: str | None = variable(
        "MANYHANDS_METRICS_TOKEN", read.token, None, "at least 16 printable ASCII characters",
        "the bearer token that a gateway's `/metrics` asks for; none unless set",
    )  # fmt: skip
    traces: str = variable(
        "OTEL_TRACES_EXPORTER", {name: name for name in ("none", "otlp", "console")}.__getitem__, "none",
        "none, otlp or console", "where traces are sent, with `pip install 'manyhands[otel]'`; see docs/metrics.md",
    )  # fmt: skip
    routes: tuple[tuple[str, str], ...] = variable(
        "MANYHANDS_ROUTES", read.routes, (),
        "pairs such as train_*=gpu, separated by commas: a handler's name, in which * stands for anything, and a "
        "queue of 1 to 32 letters, digits, dashes or underscores",
        "which handlers run on workers of another queue, see `manyhands worker --queues`; the first that fits holds",
    )  # fmt: skip
    one_task_per_event: bool = variable(
        "MANYHANDS_ONE_TASK_PER_EVENT", read.flag, False, "0 or 1",
        "send a Celery task for every event, as other systems do: for comparisons in benchmarks only",
    )  # fmt: skip
    dev: bool = variable(
        "MANYHANDS_DEV", read.flag, False, "0 or 1", "set by `manyhands dev`; never set it in production"
    )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read every variable. An empty one counts as unset. Raises `SettingError` for the first bad one."""
        settings = cls(
            **{
                one.name: _parse(one.metadata, environ[one.metadata["variable"]].strip())
                for one in fields(cls)
                if environ.get(one.metadata["variable"], "").strip()
            }
        )
        if settings.dead_after <= settings.ping_every:
            # Every browser that has nothing to say would be taken for dead.
            expected = f"more than the {settings.ping_every:g} seconds of MANYHANDS_PING_EVERY"
            raise SettingError("MANYHANDS_DEAD_AFTER", f"{settings.dead_after:g}", expected)
        if settings.session_cookie and "*" in settings.allowed_origins:
            # Any page could then open a socket that the browser sends the cookie with.
            raise SettingError(
                "MANYHANDS_ALLOWED_ORIGINS", "*", "origins by their names where MANYHANDS_SESSION_COOKIE is on"
            )
        return settings

    @property
    def redis(self) -> str:
        """The URL of Redis. Raises `SettingError` where none is set."""
        if self.redis_url is None:
            raise SettingError(
                "REDIS_URL", None,
                "the URL of a Redis 6.2 or newer, such as redis://localhost:6379/0 (start one with `redis-server`, "
                "or use `manyhands dev`, which brings its own)",
            )  # fmt: skip
        return self.redis_url

    @property
    def broker(self) -> str:
        """The URL of Celery's broker."""
        return self.broker_url_or_none or self.redis

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys that sign session tokens, newest first. Raises `SettingError` where none is set."""
        if not self.secret_keys:
            raise SettingError(
                "MANYHANDS_SECRET_KEY", None,
                "a secret of at least 16 characters, the same for every gateway "
                "(make one with `python -c 'import secrets; print(secrets.token_urlsafe(32))'`)",
            )  # fmt: skip
        return self.secret_keys

    @property
    def weak_keys(self) -> int:
        """How many keys can be guessed, since they repeat a few characters."""
        return sum(len(set(key)) < read.KEY_CHARACTERS for key in self.secret_keys)

    def route(self, handler: str) -> str:
        """Give the queue whose workers run a handler; `""`: the common one."""
        return next((queue for pattern, queue in self.routes if fnmatchcase(handler, pattern)), "")

    @property
    def rate_burst(self) -> float:
        """Events that one session may send at once before the rate limit holds."""
        return 2 * self.rate_limit

    @property
    def address_handshakes(self) -> float:
        """Handshakes a second of one address; 0 for no limit: behind a router that nobody names all share one."""
        unless_set = ADDRESS_HANDSHAKES if self.trusted_proxies else 0.0
        return unless_set if self.address_handshakes_or_none is None else self.address_handshakes_or_none

    @property
    def address_connections(self) -> int:
        """Sockets of one address in one gateway process; 0 for no limit."""
        unless_set = ADDRESS_CONNECTIONS if self.trusted_proxies else 0
        return unless_set if self.address_connections_or_none is None else self.address_connections_or_none


def _parse(metadata: Mapping[Any, Any], text: str) -> Any:
    parse = cast("Callable[[str], Any]", metadata["parse"])
    try:
        return parse(text)
    except (ValueError, KeyError):
        raise SettingError(metadata["variable"], _hide(metadata["variable"], text), metadata["expected"]) from None


def _hide(name: str, text: str) -> str:
    """Keep secrets out of an error that will be logged."""
    if name in ("MANYHANDS_SECRET_KEY", "MANYHANDS_METRICS_TOKEN"):
        return f"a text of {len(text)} characters"
    text = re.sub(r"(//[^/@:]*):.*@", r"\1:***@", text)
    return re.sub(r"(?i)(password=)[^&]*", r"\1***", text)
