"""A real browser for the tests of pages: Debian's Chromium, or whatever Playwright has installed."""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from support.examples import Complaints, Example, run_example
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


@pytest.fixture(scope="session")
def going() -> Iterator[list[Process]]:
    """Processes that were told to go, and are waited for at the end of the run, so that no module waits for them."""
    told: list[Process] = []
    yield told
    for process in told:
        process.terminate()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, going: list[Process]) -> Iterator[Callable[..., Example]]:
    """Run an example by the real `manyhands dev`, for all tests of a module: `run("todo", MANYHANDS_LEASE="2")`."""
    started: list[Process] = []

    def start(name: str, **environ: str) -> Example:
        example, process = run_example(name, tmp_path_factory.mktemp("example"), **environ)
        started.append(process)
        return example

    yield start
    for process in started:
        process.send(signal.SIGTERM)
        going.append(process)


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Make browsers that know nothing of one another; what their pages complain of in the console fails the test."""
    complaints = Complaints()
    with contextlib.ExitStack() as stack:

        def make(**options: object) -> BrowserContext:
            context = stack.enter_context(browser.new_context(**options))  # type: ignore[arg-type]
            complaints.listen(context)
            return context

        yield make
    assert not complaints.told
