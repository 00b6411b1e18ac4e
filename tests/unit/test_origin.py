"""Which pages may connect."""

from __future__ import annotations

import pytest

from manyhands_gateway.origin import is_allowed


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "shop.example"),
        ("http://shop.example", "shop.example"),
        ("https://shop.example", "shop.example"),
        ("http://shop.example:8000", "shop.example:8000"),
        ("https://shop.example:443", "shop.example"),
        ("https://SHOP.example", "shop.EXAMPLE"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_pages_of_the_same_host_and_programs_that_are_no_browsers_may_connect(origin: str | None, host: str) -> None:
    assert is_allowed(origin, host, ())


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil.example", "shop.example"),
        ("http://shop.example.evil.example", "shop.example"),
        ("http://shop.example:8001", "shop.example:8000"),
        ("http://shop.example", "shop.example:8000"),
        ("https://shop.example:8443", "shop.example"),
        ("null", "shop.example"),
        ("", "shop.example"),
        ("", ""),
        ("http://", ""),
        ("file://", "shop.example"),
        ("chrome-extension://shop.example", "shop.example"),
        ("http://shop.example:port", "shop.example"),
        ("http://shop.example:99999", "shop.example"),
        ("http://shop.example@evil.example", "shop.example"),
        ("http://[shop.example", "shop.example"),
    ],
)
def test_other_pages_may_not(origin: str, host: str) -> None:
    assert not is_allowed(origin, host, ())


def test_where_a_proxy_tells_that_it_is_asked_over_https_pages_of_http_may_not_connect() -> None:
    assert is_allowed("https://shop.example", "shop.example", (), secure=True)
    assert not is_allowed("http://shop.example", "shop.example", (), secure=True)
    assert not is_allowed("http://shop.example", "shop.example:443", (), secure=True)
    assert is_allowed("http://shop.example", "shop.example", ("http://shop.example",), secure=True)


def test_pages_that_are_listed_may_connect_and_no_others_not_even_the_hosts_own() -> None:
    listed = ("https://partner.example",)
    assert is_allowed("https://partner.example", "shop.example", listed)
    assert not is_allowed("https://shop.example", "shop.example", listed)
    assert not is_allowed("http://partner.example", "shop.example", listed)
    assert not is_allowed("https://evil.example", "shop.example", listed)
    assert is_allowed(None, "shop.example", listed)


@pytest.mark.parametrize(
    "listed", ["https://partner.example", "HTTPS://Partner.Example", "https://partner.example:443"]
)
@pytest.mark.parametrize(
    "origin", ["https://partner.example", "https://PARTNER.example", "https://partner.example:443"]
)
def test_case_and_the_usual_port_make_no_difference(origin: str, listed: str) -> None:
    assert is_allowed(origin, "shop.example", (listed,))
    assert not is_allowed("https://partner.example:8443", "shop.example", (listed,))
    assert not is_allowed("null", "shop.example", (listed,))


def test_a_star_lets_every_page_in() -> None:
    assert is_allowed("https://anything.example", "shop.example", ("*",))
