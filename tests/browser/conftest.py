"""A real browser for the tests of pages: Debian's Chromium, or whatever Playwright has installed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from support.processes import Process, Processes

#: The sandbox needs a user who is not root; the rest keeps the browser from talking to anybody but the page.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    # A camera that shows a clock, and the user's leave to look at it.
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests of a run; each test has a context of its own."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def develop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path, str], str]]:
    """Run `manyhands dev` for an app under a content security policy, and give its address; it ends with the module."""
    started: list[Process] = []

    def run(app: Path, policy: str) -> str:
        environ = {"REDIS_URL": "", "MANYHANDS_SECRET_KEY": "", "MANYHANDS_CONTENT_SECURITY_POLICY": policy}
        processes = Processes(tmp_path_factory.mktemp("processes"), environ)
        started.append(processes.manyhands("dev", str(app), "--port", "0", "--no-reload"))
        return str(started[-1].wait_for_output(r"Open (http://\S+) and click")[1]).rstrip("/")

    yield run
    for process in started:
        process.terminate()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that knows nothing of other tests."""
    with browser.new_context() as opened:
        yield opened
