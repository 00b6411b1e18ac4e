"""The page of examples/long_task in a real Chromium, served by the real `manyhands dev`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from support.examples import Example, assert_fits_a_phone

#: Milliseconds within which another worker has gone on with the task on a busy machine.
GOES_ON = 40_000
SOME = "Object.keys(manyhands.state.sales).length >= {}"


@pytest.fixture(scope="module")
def example(run: Callable[..., Example]) -> Example:
    return run("long_task", MANYHANDS_LEASE="2")


@pytest.fixture
def page(example: Example, visitor: Callable[..., BrowserContext]) -> Page:
    return example.open(visitor())


def test_the_task_shows_how_far_it_is_while_clicks_are_served_and_another_tab_cancels_it(
    page: Page, example: Example
) -> None:
    second = example.open(page.context)
    page.click("#start")
    expect(page.locator("#start")).to_have_attribute("aria-busy", "true")
    page.wait_for_function(SOME.format(2))
    assert 0 < page.get_by_role("progressbar").evaluate("bar => bar.value") < 1
    page.click("#plus")
    expect(page.get_by_label("counter")).to_have_text("1")

    second.click("#cancel")
    for tab in (page, second):
        expect(tab.get_by_role("status").first).to_have_text("Cancelled.")
        expect(tab.locator("#cancel")).to_be_disabled()
        expect(tab.get_by_text("Amsterdam")).to_be_visible()
    expect(page.locator(".mh-info")).to_contain_text("of 24 towns")
    assert_fits_a_phone(page)


def test_a_script_cancels_the_event_itself(page: Page) -> None:
    page.evaluate("() => { window.task = manyhands.fire('start'); }")
    page.wait_for_function(SOME.format(1))
    assert page.evaluate("async () => { task.cancel(); return (await task).error.code; }") == "cancelled"
    expect(page.get_by_role("status").first).to_have_text("Cancelled by the page.")


def test_after_a_double_click_a_killed_worker_and_a_reload_it_goes_on_where_it_was(
    page: Page, example: Example
) -> None:
    page.dblclick("#start")
    page.wait_for_function(SOME.format(3))
    example.kill_worker()
    page.reload()
    expect(page.get_by_role("status").first).to_have_text("Asking the towns …")
    before = page.locator("dt").all_text_contents()
    page.wait_for_function(SOME.format(len(before) + 2), timeout=GOES_ON)
    page.click("#cancel")
    expect(page.locator(".mh-info")).to_contain_text("Cancelled.")
    expect(page.locator(".mh-note")).to_have_count(1)
    after = page.locator("dt").all_text_contents()
    assert after[: len(before)] == before == sorted(before)
    assert len(after) < 24
