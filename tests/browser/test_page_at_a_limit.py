"""What a page sees whose browser is refused: nothing but that it goes on connecting, until it may."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from manyhands.settings import Settings
from support.processes import Processes
from support.stand_in import StandIn

PAGE = '<!doctype html><title>limits</title><script src="/_mh/client.js"></script>'
#: Gives what becomes of a socket of the page's own host: its extensions, or the code and reason of its end.
CONNECT = """() => new Promise((resolve) => {
  const socket = new WebSocket(`ws://${location.host}/_mh/ws`, "manyhands.1.json");
  socket.onopen = () => { resolve(["open", socket.extensions]); socket.close(); };
  socket.onclose = (event) => resolve([event.code, event.reason]);
})"""


@pytest.fixture
def url(processes: Processes, settings: Settings, tmp_path: Path) -> Iterator[str]:
    """A gateway that keeps one socket open, with a stand-in that has announced the app."""
    (tmp_path / "main.py").write_text("")
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "empty.html").write_text("<!doctype html>")
    with contextlib.closing(StandIn(settings)) as worker:
        worker.announce()
        yield processes.gateway(environ={"MANYHANDS_APP": str(tmp_path), "MANYHANDS_MAX_CONNECTIONS": "1"})[1]


def test_a_page_that_finds_no_place_goes_on_trying_and_opens_when_another_one_leaves(
    context: BrowserContext, url: str
) -> None:
    first, second = context.new_page(), context.new_page()
    first.goto(url)
    expect(first.locator("html")).to_have_attribute("data-mh-status", "open")
    with second.expect_console_message(lambda message: "503" in message.text):
        second.goto(url)
    expect(second.locator("html")).to_have_attribute("data-mh-status", "connecting")
    first.close()
    expect(second.locator("html")).to_have_attribute("data-mh-status", "open", timeout=15_000)


def test_a_refused_socket_ends_with_1006_and_an_open_one_is_not_compressed(context: BrowserContext, url: str) -> None:
    page = context.new_page()
    page.goto(f"{url}/static/empty.html")
    # A browser offers to compress; the gateway does not agree.
    assert page.evaluate(CONNECT) == ["open", ""]
    other = context.new_page()
    other.goto(url)
    expect(other.locator("html")).to_have_attribute("data-mh-status", "open")
    assert page.evaluate(CONNECT) == [1006, ""]
