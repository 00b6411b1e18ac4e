"""The URL of a deployment leads to its WebSocket."""

from __future__ import annotations

import pytest

from manyhands.load.address import Address, parse_address


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "tls"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1", 8000, "/_mh/ws", False),
        ("https://example.org/", "example.org", 443, "/_mh/ws", True),
        ("https://example.org/shop/", "example.org", 443, "/shop/_mh/ws", True),
        ("ws://example.org", "example.org", 80, "/_mh/ws", False),
        ("wss://example.org:444/_mh/ws", "example.org", 444, "/_mh/ws", True),
        ("http://[::1]:5000", "::1", 5000, "/_mh/ws", False),
    ],
)
def test_a_url_of_a_page_leads_to_its_socket(url: str, host: str, port: int, path: str, tls: bool) -> None:
    found = parse_address(url)

    assert (found.host, found.port, found.path, found.tls) == (host, port, path, tls)


def test_the_host_header_names_the_port_as_the_url_does() -> None:
    assert parse_address("http://[::1]:5000").host_header == "[::1]:5000"
    assert parse_address("https://example.org").host_header == "example.org"


@pytest.mark.parametrize(
    "url",
    ["example.org", "ftp://example.org", "http://", "http://me@example.org", "http://h/?a=1", "http://h:99999", ""],
)
def test_what_is_no_url_of_a_deployment_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the text is argparse's to show
        parse_address(url)


def test_an_address_is_a_value() -> None:
    assert parse_address("http://h") == Address("http://h", "h", 80, "/_mh/ws", "h", False)
