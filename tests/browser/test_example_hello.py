"""The page of examples/hello in a real Chromium, served by the real `manyhands dev`."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from support.examples import assert_fits_a_phone
from support.liveness import descendants
from support.processes import Process, Processes

HELLO = Path(__file__).parents[2] / "examples" / "hello"

#: Milliseconds within which the long task, of about 5 s, has ended on a busy machine.
TASK_ENDS = 20_000


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One `manyhands dev` on a copy of the example."""
    app = tmp_path_factory.mktemp("hello") / "app"
    shutil.copytree(HELLO, app, ignore=shutil.ignore_patterns(".manyhands", "__pycache__"))
    processes = Processes(tmp_path_factory.mktemp("processes"), {"REDIS_URL": "", "MANYHANDS_SECRET_KEY": ""})
    yield processes.manyhands("dev", str(app), "--port", "0")
    processes.started[0].terminate()


@pytest.fixture
def page(context: BrowserContext, dev: Process) -> Page:
    return tab(context, dev)


def tab(context: BrowserContext, dev: Process) -> Page:
    """Open the page in a tab of its own, and fail the test for whatever the page complains of."""
    opened = context.new_page()
    opened.on("pageerror", lambda error: pytest.fail(f"the page raised {error}"))
    opened.goto(dev.wait_for_output(r"Open (http://\S+) and click")[1])
    expect(opened.locator("html")).to_have_attribute("data-mh-status", "open")
    return opened


def test_a_click_counts(page: Page) -> None:
    expect(page.get_by_label("counter")).to_have_text("0")
    for _ in range(5):
        page.click("#plus")

    expect(page.get_by_label("counter")).to_have_text("5")


def test_a_second_tab_of_the_same_browser_shows_the_click_and_another_browser_does_not(
    page: Page, context: BrowserContext, browser: Browser, dev: Process
) -> None:
    second = tab(context, dev)
    with browser.new_context() as elsewhere:
        stranger = tab(elsewhere, dev)
        page.click("#plus")
        expect(second.get_by_label("counter")).to_have_text("1")
        second.click("#plus")
        expect(page.get_by_label("counter")).to_have_text("2")
        stranger.click("#plus")
        expect(stranger.get_by_label("counter")).to_have_text("1")


def test_a_reload_shows_the_same_counter(page: Page) -> None:
    page.click("#plus")
    expect(page.get_by_label("counter")).to_have_text("1")
    page.reload()
    expect(page.get_by_label("counter")).to_have_text("1")
    page.click("#plus")

    expect(page.get_by_label("counter")).to_have_text("2")


def test_a_name_is_greeted_as_text(page: Page) -> None:
    expect(page.get_by_text("Hello, whoever you are.")).to_be_visible()
    page.get_by_label("Your name").fill("<b>Ada</b>")
    page.get_by_label("Your name").press("Enter")

    expect(page.get_by_text("Hello, <b>Ada</b>!")).to_be_visible()


def test_a_long_task_shows_its_progress_while_clicks_are_served(page: Page) -> None:
    progress = page.get_by_label("progress of the task")
    page.click("#start")
    page.wait_for_function("document.querySelector('progress').value > 0.1")
    page.click("#plus")
    expect(page.get_by_label("counter")).to_have_text("1")
    assert float(progress.evaluate("bar => bar.value")) < 1
    expect(page.get_by_text("Done.")).to_be_visible(timeout=TASK_ENDS)

    assert progress.evaluate("bar => bar.value") == 1


def test_cancel_ends_the_long_task_which_can_be_started_again(page: Page) -> None:
    page.click("#start")
    page.wait_for_function("document.querySelector('progress').value > 0.1")
    page.click("#cancel")
    expect(page.get_by_text("Cancelled at")).to_be_visible()
    page.click("#start")

    expect(page.get_by_text("Working …")).to_be_visible()
    page.wait_for_function("document.querySelector('progress').value > 0.1")


def test_a_second_start_takes_over_from_the_first(page: Page) -> None:
    page.click("#start")
    page.wait_for_function("document.querySelector('progress').value > 0.3")
    page.click("#start")
    page.wait_for_function("document.querySelector('progress').value < 0.2")

    expect(page.get_by_text("Done.")).to_be_visible(timeout=TASK_ENDS)


def test_clicks_while_the_gateway_is_dead_count_once_each_when_it_is_back(page: Page, dev: Process) -> None:
    page.click("#plus")
    expect(page.get_by_label("counter")).to_have_text("1")
    gateway = next(pid for pid in descendants(dev.pid) if "gateway" in Path(f"/proc/{pid}/cmdline").read_text())
    os.kill(gateway, signal.SIGKILL)
    expect(page.locator("html")).to_have_attribute("data-mh-status", "connecting")
    for _ in range(3):
        page.click("#plus")

    expect(page.get_by_label("counter")).to_have_text("4", timeout=TASK_ENDS)
    expect(page.locator("html")).to_have_attribute("data-mh-status", "open")


def test_the_page_fits_a_phone_and_a_desk_and_says_nothing_in_the_console(
    visitor: Callable[..., BrowserContext], dev: Process
) -> None:
    page = tab(visitor(viewport={"width": 1100, "height": 800}), dev)
    assert page.evaluate("document.documentElement.scrollWidth") == 1100
    assert_fits_a_phone(page)
