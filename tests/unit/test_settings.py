"""Settings: what each variable accepts, and that a bad one is named."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_network

import pytest
import redis

from manyhands.errors import SettingError
from manyhands.setting_parsers import REDIS_OPTIONS
from manyhands.settings import Settings

VARIABLES = {field.metadata["variable"]: field for field in dataclasses.fields(Settings)}


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environ({}) == Settings()
    assert Settings().namespace == "mh"
    assert Settings().session_ttl == 24 * 3600


def test_the_variables_are_those_of_the_contract() -> None:
    assert set(VARIABLES) == {
        "REDIS_URL", "MANYHANDS_BROKER_URL", "MANYHANDS_APP", "PORT", "MANYHANDS_SECRET_KEY",
        "MANYHANDS_ALLOWED_ORIGINS", "MANYHANDS_SESSION_COOKIE", "MANYHANDS_HSTS",
        "MANYHANDS_CONTENT_SECURITY_POLICY", "MANYHANDS_NAMESPACE", "MANYHANDS_TURN_LIMIT",
        "MANYHANDS_PARTIAL_INTERVAL",
        "MANYHANDS_SESSION_TTL", "MANYHANDS_MAX_ATTEMPTS", "MANYHANDS_LEASE", "MANYHANDS_MAX_DETACHED",
        "MANYHANDS_MAX_PAYLOAD", "MANYHANDS_MAILBOX_LIMIT", "MANYHANDS_RATE_LIMIT", "MANYHANDS_MAX_WAITING",
        "MANYHANDS_MAX_NESTING", "MANYHANDS_MAX_CONNECTIONS", "MANYHANDS_TRUSTED_PROXIES",
        "MANYHANDS_ADDRESS_HANDSHAKES", "MANYHANDS_ADDRESS_CONNECTIONS", "MANYHANDS_HELLO_WITHIN",
        "MANYHANDS_PING_EVERY", "MANYHANDS_DEAD_AFTER", "MANYHANDS_SEND_WITHIN", "MANYHANDS_DEV",
        "MANYHANDS_METRICS_PORT", "MANYHANDS_METRICS_TOKEN", "OTEL_TRACES_EXPORTER", "MANYHANDS_ROUTES",
        "MANYHANDS_ONE_TASK_PER_EVENT", "MANYHANDS_MAX_VALUE", "MANYHANDS_VALUE_CACHE", "MANYHANDS_MAX_UPLOAD",
    }  # fmt: skip


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_empty_variable_counts_as_unset(variable: str) -> None:
    assert Settings.from_environ({variable: "  "}) == Settings()


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("REDIS_URL", "redis://:secret@localhost:6379/0", "redis://:secret@localhost:6379/0"),
        ("REDIS_URL", "unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("REDIS_URL", "rediss://h?ssl_cert_reqs=none&db=2", "rediss://h?ssl_cert_reqs=none&db=2"),
        ("MANYHANDS_BROKER_URL", "amqp://localhost//", "amqp://localhost//"),
        ("MANYHANDS_METRICS_PORT", "9100", ("0.0.0.0", 9100)),
        ("MANYHANDS_METRICS_PORT", "127.0.0.1:9100", ("127.0.0.1", 9100)),
        ("MANYHANDS_METRICS_PORT", "[::1]:9100", ("::1", 9100)),
        ("MANYHANDS_METRICS_TOKEN", "a" * 16, "a" * 16),
        ("OTEL_TRACES_EXPORTER", "otlp", "otlp"),
        ("PORT", "0", 0),
        ("PORT", " 8080 ", 8080),
        ("MANYHANDS_SECRET_KEY", "a" * 16 + ", " + "b" * 20, ("a" * 16, "b" * 20)),
        ("MANYHANDS_ALLOWED_ORIGINS", "https://a.example/, http://b:8000", ("https://a.example", "http://b:8000")),
        ("MANYHANDS_ALLOWED_ORIGINS", "*", ("*",)),
        ("MANYHANDS_SESSION_COOKIE", "on", True),
        ("MANYHANDS_CONTENT_SECURITY_POLICY", "off", ""),
        ("MANYHANDS_CONTENT_SECURITY_POLICY", "default-src 'self'; img-src *;", "default-src 'self'; img-src *;"),
        ("MANYHANDS_HSTS", "31536000", 31_536_000),
        ("MANYHANDS_SESSION_COOKIE", "OFF", False),
        ("MANYHANDS_NAMESPACE", "shop-2.blue", "shop-2.blue"),
        ("MANYHANDS_TURN_LIMIT", "0.05", 0.05),
        ("MANYHANDS_MAX_DETACHED", "10", (10, 200)),
        ("MANYHANDS_MAX_DETACHED", "10,30", (10, 30)),
        ("MANYHANDS_MAX_PAYLOAD", "64KiB", 65_536),
        ("MANYHANDS_MAX_PAYLOAD", "2 mib", 2 * 2**20),
        ("MANYHANDS_MAX_NESTING", "5", 5),
        ("MANYHANDS_TRUSTED_PROXIES", "10.0.0.0/8, ::1", (ip_network("10.0.0.0/8"), ip_network("::1"))),
        ("MANYHANDS_ADDRESS_HANDSHAKES", "0", 0.0),
        ("MANYHANDS_ADDRESS_CONNECTIONS", "0", 0),
        ("MANYHANDS_DEAD_AFTER", "26", 26.0),
        ("MANYHANDS_DEV", "1", True),
    ],
)
def test_a_good_value_is_read(variable: str, text: str, value: object) -> None:
    settings = Settings.from_environ({variable: text})

    assert getattr(settings, VARIABLES[variable].name) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("MANYHANDS_METRICS_PORT", "0"),
        ("MANYHANDS_METRICS_PORT", "localhost"),
        ("MANYHANDS_METRICS_PORT", "::1:9100"),
        ("MANYHANDS_METRICS_PORT", "65536"),
        ("MANYHANDS_METRICS_TOKEN", "short"),
        ("MANYHANDS_METRICS_TOKEN", "with a line break\n and more"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "http://localhost"),
        ("REDIS_URL", "redis:"),
        ("REDIS_URL", "redis://localhost:abc"),
        ("REDIS_URL", "redis://localhost:99999"),
        ("REDIS_URL", "redis://localhost/first"),
        ("REDIS_URL", "redis://localhost?socket_timeout=x"),
        ("REDIS_URL", "redis://localhost?nonsense=1"),
        ("REDIS_URL", "redis://localhost?nonsense"),
        ("REDIS_URL", "redis://localhost?ssl_cert_reqs=none"),
        ("REDIS_URL", "rediss://localhost?ssl_cert_reqs=maybe"),
        ("REDIS_URL", "redis://localhost?db=-1"),
        ("MANYHANDS_BROKER_URL", "amqp://localhost:abc"),
        ("MANYHANDS_BROKER_URL", "redis://localhost:abc"),
        ("MANYHANDS_BROKER_URL", "sqs://x"),
        ("PORT", "http"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("MANYHANDS_SECRET_KEY", "short"),
        ("MANYHANDS_SECRET_KEY", ","),
        ("MANYHANDS_ALLOWED_ORIGINS", "example.org"),
        ("MANYHANDS_ALLOWED_ORIGINS", "https://example.org/path"),
        ("MANYHANDS_SESSION_COOKIE", "yes"),
        ("MANYHANDS_CONTENT_SECURITY_POLICY", "tight"),
        ("MANYHANDS_CONTENT_SECURITY_POLICY", "default-src 'self'\nX-Other: 1"),
        ("MANYHANDS_CONTENT_SECURITY_POLICY", "Default 'self'"),
        ("MANYHANDS_HSTS", "-1"),
        ("MANYHANDS_NAMESPACE", "with space"),
        ("MANYHANDS_NAMESPACE", "{braces}"),
        ("MANYHANDS_TURN_LIMIT", "0"),
        ("MANYHANDS_TURN_LIMIT", "nan"),
        ("MANYHANDS_TURN_LIMIT", "inf"),
        ("MANYHANDS_MAX_ATTEMPTS", "2.5"),
        ("MANYHANDS_MAX_PAYLOAD", "0"),
        ("MANYHANDS_MAX_PAYLOAD", "10 parsecs"),
        ("MANYHANDS_MAX_NESTING", "4"),
        ("MANYHANDS_MAX_NESTING", "101"),
        ("MANYHANDS_MAX_CONNECTIONS", "0"),
        ("MANYHANDS_TRUSTED_PROXIES", "my-router"),
        ("MANYHANDS_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("MANYHANDS_ADDRESS_HANDSHAKES", "-1"),
        ("MANYHANDS_ADDRESS_CONNECTIONS", "many"),
        ("MANYHANDS_MAX_WAITING", "0"),
        ("MANYHANDS_DEV", "yes"),
    ],
)
def test_a_bad_value_is_named_with_what_is_expected(variable: str, text: str) -> None:
    with pytest.raises(SettingError) as caught:
        Settings.from_environ({variable: text})

    assert variable in str(caught.value)
    assert VARIABLES[variable].metadata["expected"] in str(caught.value)


@pytest.mark.parametrize(
    "url", ["redis://:s/ecret@localhost:abc", "redis://u:s@ecret@h:99999", "redis://h?password=secret&nonsense=1"]
)
def test_no_password_is_told_with_a_bad_url(url: str) -> None:
    with pytest.raises(SettingError, match=r"REDIS_URL is .*\*\*\*") as caught:
        Settings.from_environ({"REDIS_URL": url})

    assert "ecret" not in str(caught.value)


@pytest.mark.parametrize("name", REDIS_OPTIONS)
def test_every_option_of_a_redis_url_is_one_that_its_client_takes(name: str) -> None:
    values = {"protocol": "3", "ssl_cert_reqs": "none", "ssl_min_version": "771"}
    url = f"rediss://localhost?{name}={values.get(name, '1')}"
    Settings.from_environ({"REDIS_URL": url})

    redis.BlockingConnectionPool.from_url(url).make_connection()


def test_a_browser_may_be_silent_for_longer_than_it_takes_to_ping_it() -> None:
    with pytest.raises(SettingError, match=r"MANYHANDS_DEAD_AFTER is '25'; expected more than the 25 seconds of"):
        Settings.from_environ({"MANYHANDS_DEAD_AFTER": "25"})


def test_addresses_are_limited_where_they_are_known_or_where_that_is_asked_for() -> None:
    networks = (ip_network("10.0.0.0/8"),)
    assert (Settings().address_handshakes, Settings().address_connections) == (0, 0)
    assert Settings(trusted_proxies=networks).address_handshakes == 20
    assert Settings(trusted_proxies=networks).address_connections == 1000
    assert Settings(trusted_proxies=networks, address_handshakes_or_none=0.0).address_handshakes == 0
    assert Settings(address_connections_or_none=3).address_connections == 3


def test_the_broker_is_redis_unless_it_is_set() -> None:
    assert Settings(redis_url="redis://a").broker == "redis://a"
    assert Settings(redis_url="redis://a", broker_url_or_none="amqp://b").broker == "amqp://b"


def test_a_missing_redis_says_how_to_get_one() -> None:
    with pytest.raises(SettingError, match=r"REDIS_URL is not set.*manyhands dev"):
        _ = Settings().redis


def test_a_missing_secret_says_how_to_make_one() -> None:
    with pytest.raises(SettingError, match=r"MANYHANDS_SECRET_KEY is not set.*token_urlsafe"):
        _ = Settings().secrets


def test_a_short_key_is_refused_without_being_told_and_a_dull_one_is_counted() -> None:
    with pytest.raises(SettingError, match=r"a text of 22 characters.*at least 16 characters") as caught:
        Settings.from_environ({"MANYHANDS_SECRET_KEY": "good-0123456789,tooshy"})
    assert "tooshy" not in str(caught.value)
    assert Settings(secret_keys=("x" * 40, "good-0123456789abc")).weak_keys == 1


def test_with_the_session_cookie_origins_must_be_named() -> None:
    both = {"MANYHANDS_SESSION_COOKIE": "on", "MANYHANDS_ALLOWED_ORIGINS": "*"}
    with pytest.raises(SettingError, match=r"MANYHANDS_ALLOWED_ORIGINS is '\*'.*MANYHANDS_SESSION_COOKIE"):
        Settings.from_environ(both)
    assert Settings.from_environ(both | {"MANYHANDS_ALLOWED_ORIGINS": "https://a.example"}).session_cookie
