"""A session whose token lies in an HttpOnly cookie, in a real browser: reload, tabs, and what scripts can read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from support.fleet import Fleet

PAGE = """<!doctype html>
<link rel="icon" href="data:,">
<script src="/_mh/client.js" defer></script>
<button wf-click="increment">+1</button> <b wf-text="counter"></b>
"""
COUNTER = "b[wf-text=counter]"


@pytest.fixture
def url(fleet_of: Callable[..., Fleet], tmp_path: Path) -> str:
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "main.py").write_text(
        "import manyhands as mh\nmh.init_state({'counter': 0})\ndef increment(state):\n    state['counter'] += 1\n"
    )
    environ = {"MANYHANDS_SESSION_COOKIE": "on", "MANYHANDS_CONTENT_SECURITY_POLICY": "strict"}
    return fleet_of(app=str(tmp_path), environ=environ).urls[0]


def click(page: Page, then: str) -> None:
    page.click("button")
    expect(page.locator(COUNTER)).to_have_text(then)


def readable(page: Page) -> str:
    """Give all that a script of the page can read of what is stored."""
    return str(page.evaluate("JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}])"))


def test_tabs_and_reloads_share_the_session_and_no_script_sees_its_token(browser: Browser, url: str) -> None:
    frames: list[Any] = []
    complaints: list[str] = []
    addresses: list[str] = []
    with browser.new_context() as context:
        one = context.new_page()
        one.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(frame)))
        one.on("websocket", lambda socket: addresses.append(socket.url))
        one.on("request", lambda request: addresses.append(request.url))
        one.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        one.goto(url)
        click(one, "1")
        two = context.new_page()
        two.goto(url)
        click(two, "2")
        expect(one.locator(COUNTER)).to_have_text("2")
        one.reload()
        click(one, "3")

        (cookie,) = context.cookies()
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Lax"
        session, _, signature = cookie["value"].rpartition(".")
        assert frames
        for text in (readable(one), readable(two), str(frames), str(addresses)):
            assert session not in text
            assert signature not in text
        assert not [text for text in complaints if re.search("Content.Security.Policy|manyhands", text)]


def test_a_browser_that_has_lost_either_half_goes_on(browser: Browser, url: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(url)
        click(page, "1")
        page.evaluate("localStorage.clear()")
        page.reload()
        click(page, "2")
        # Without the cookie it is a new browser, whatever its storage says.
        context.clear_cookies()
        page.reload()
        expect(page.locator(COUNTER)).to_have_text("0")
        click(page, "1")
        (cookie,) = context.cookies()
        # As another tab would, which has begun a session at the same moment.
        page.evaluate("localStorage.setItem('manyhands.session', 'public-of-another')")
        page.reload()
        expect(page.locator(COUNTER)).to_have_text("1")
        assert context.cookies()[0]["value"] == cookie["value"]
