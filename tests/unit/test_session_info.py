"""What a session keeps of its handshake."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands.store.contract import Session
from manyhands.store.info import decode_info, encode_info
from manyhands.store.replies import read_session

#: What a browser says.
HEADERS = {
    "Host": "app.example.org", "Connection": "Upgrade", "Upgrade": "websocket", "Origin": "https://app.example.org",
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Accept-Encoding": "gzip, deflate, br, zstd", "Accept-Language": "en-US,en;q=0.9,de;q=0.8",
    "Cache-Control": "no-cache", "Pragma": "no-cache", "Sec-Websocket-Version": "13",
    "Sec-Websocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-Websocket-Protocol": "manyhands.1.json",
    "Sec-Websocket-Extensions": "permessage-deflate; client_max_window_bits", "X-Forwarded-For": "203.0.113.7",
}  # fmt: skip
TEXTS = st.dictionaries(st.text(), st.text(), max_size=5)


@given(headers=TEXTS, cookies=TEXTS)
def test_headers_and_cookies_come_back_as_they_were(headers: dict[str, str], cookies: dict[str, str]) -> None:
    assert decode_info(encode_info(headers, cookies)) == (headers, cookies)


def test_what_a_browser_says_takes_less_than_half_its_bytes() -> None:
    encoded = encode_info(HEADERS, {})
    assert decode_info(encoded) == (HEADERS, {})
    assert len(encoded) < len(msgpack.packb([HEADERS, {}])) / 2


@pytest.mark.parametrize("info", [None, b"", b"\x01\xff\xff", b"\x90", b"\x92\x01\x02", b"\x93\x80\x80\x80"])
def test_a_session_whose_handshake_cannot_be_read_is_begun_without_headers(
    info: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    # Its turn comes in one answer with those of others, which must not fail with it.
    assert read_session("s1", b"d", b"v", info) == Session("s1", "d", "v", {}, {})
    assert "session s1" in caplog.text
