"""Whom a request comes from: what is believed of proxies, and what browsers made up."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from manyhands_gateway.forwarded import Forwarded, believe, network_of

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def believed(peer: str, **headers: str) -> dict[str, Any]:
    environ: dict[str, Any] = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", "HTTP_HOST": "inner:8000"}
    environ |= {f"HTTP_X_FORWARDED_{name.upper()}": value for name, value in headers.items()}
    believe(environ, TRUSTED)
    return environ


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "browser"),
    [
        ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.1, 10.2.3.4, 10.0.0.9", "192.0.2.1"),
        ("10.0.0.1", "10.6.6.6, 192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "10.0.0.7, 10.0.0.8", "10.0.0.7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1:5000", "192.0.2.1"),
        ("10.0.0.1", "[2001:db8::1]:5000", "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "192.0.2.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1, unknown, 10.0.0.9", "10.0.0.9"),
        ("10.0.0.1", "192.0.2.1,,", "10.0.0.1"),
        ("::ffff:10.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("fd00::1", "2001:db8::1, fd00::2%eth0", "2001:db8::1"),
    ],
)
def test_the_right_most_address_that_is_not_trusted_is_the_browser(
    peer: str, forwarded_for: str, browser: str
) -> None:
    assert believed(peer, **{"for": forwarded_for})["REMOTE_ADDR"] == browser


@pytest.mark.parametrize("peer", ["192.0.2.9", "::ffff:192.0.2.9", "11.0.0.1", "2001:db8::9"])
def test_of_a_peer_that_is_not_trusted_nothing_is_believed(peer: str) -> None:
    environ = believed(peer, **{"for": "10.0.0.1"}, proto="https", host="evil.example")
    assert environ["REMOTE_ADDR"] == peer.removeprefix("::ffff:")
    assert (environ["wsgi.url_scheme"], environ["HTTP_HOST"]) == ("http", "inner:8000")


@pytest.mark.parametrize(
    ("proto", "scheme"),
    [("https", "https"), ("http", "http"), ("wss", "https"), ("http, HTTPS", "https"), ("ftp", "http"), ("", "http")],
)
def test_a_trusted_proxy_tells_the_scheme(proto: str, scheme: str) -> None:
    assert believed("10.0.0.1", proto=proto)["wsgi.url_scheme"] == scheme


def test_of_several_hosts_the_nearest_proxys_is_believed() -> None:
    assert believed("10.0.0.1", host="shop.example")["HTTP_HOST"] == "shop.example"
    assert believed("10.0.0.1", host="evil.example, shop.example:8443")["HTTP_HOST"] == "shop.example:8443"
    assert believed("10.0.0.1")["HTTP_HOST"] == "inner:8000"


@pytest.mark.parametrize("peer", ["", "unix:", "10.0.0.300"])
def test_a_peer_without_an_address_is_left_as_it_is(peer: str) -> None:
    assert believed(peer, **{"for": "192.0.2.1"})["REMOTE_ADDR"] == peer


def test_the_application_sees_the_browser() -> None:
    seen: list[str] = []

    def app(environ: dict[str, Any], _: Any) -> list[bytes]:
        seen.append(environ["REMOTE_ADDR"])
        return [b"answer"]

    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.1"}
    assert list(Forwarded(app, TRUSTED)(environ, None)) == [b"answer"]  # type: ignore[arg-type]
    assert seen == ["192.0.2.1"]


def test_ipv6_addresses_of_one_network_count_as_one() -> None:
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert network_of("2001:db8:1:3::1") != network_of("2001:db8:1:2::1")
    assert network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("nonsense") == "nonsense"
