"""What handlers ask of the page, done by it: a real Chromium, gateway, worker and Redis, under a strict policy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from manyhands.content_security import POLICIES

#: As strict as `strict`, but for what Playwright evaluates; nothing inline is let in, no style either.
POLICY = f"{POLICIES['strict']}; script-src 'self' 'unsafe-eval'; style-src 'self'".replace(
    "style-src 'self' 'unsafe-inline'; ", ""
)
APP = Path(__file__).parents[1] / "apps" / "mail"


@pytest.fixture(scope="module")
def url(develop: Callable[[Path, str], str]) -> str:
    return develop(APP, POLICY)


@pytest.fixture
def said() -> list[str]:
    """What the console says is wrong."""
    return []


@pytest.fixture
def page(context: BrowserContext, url: str, said: list[str]) -> Iterator[Page]:
    context.on("weberror", lambda error: said.append(str(error.error)))
    context.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
    opened = open_page(context, url)
    yield opened
    # Each test has taken off what it expected.
    assert said == []


def open_page(context: BrowserContext, url: str) -> Page:
    opened = context.new_page()
    opened.goto(f"{url}/")
    expect(opened.locator("html")).to_have_attribute("data-mh-status", "open")
    return opened


def fire(page: Page, handler: str, payload: Any = None) -> Any:
    return page.evaluate("([handler, payload]) => manyhands.fire(handler, payload)", [handler, payload])


def test_notifications_are_told_to_assistive_technology_by_their_kind(page: Page) -> None:
    for kind in ("info", "success", "warning", "error"):
        fire(page, "notify", [kind, f"The {kind}", "<b>Text</b>"])
    box = page.get_by_role("region", name="Notifications")
    expect(box.locator(".mh-note")).to_have_count(4)
    assert box.get_by_role("status").locator(".mh-title").all_inner_texts() == ["The info", "The success"]
    assert box.get_by_role("alert").locator(".mh-title").all_inner_texts() == ["The warning", "The error"]
    expect(box.get_by_role("img", name="Success")).to_be_visible()
    expect(box.locator(".mh-message").first).to_have_text("<b>Text</b>")


def test_notifications_are_dismissed_by_keys_and_pass_the_focus_on(page: Page) -> None:
    for title in ("One", "Two", "Three"):
        fire(page, "notify", ["error", title, ""])
    expect(page.locator(".mh-note")).to_have_count(3)
    page.get_by_role("button", name="Dismiss: One").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Dismiss: Two")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".mh-title")).to_have_text(["Three"])


def test_what_is_good_to_know_passes_by_unless_it_is_looked_at_and_errors_stay(page: Page) -> None:
    page.clock.install()
    for kind in ("info", "success", "error"):
        fire(page, "notify", [kind, kind, ""])
    page.clock.run_for(200)
    expect(page.locator(".mh-note")).to_have_count(3)
    page.get_by_role("button", name="Dismiss: info").focus()
    page.clock.run_for(30_000)
    expect(page.locator(".mh-title")).to_have_text(["error", "info"])
    page.locator("#nothing").focus()
    page.clock.run_for(30_000)
    expect(page.locator(".mh-title")).to_have_text(["error"])


def test_only_the_latest_notifications_are_kept(page: Page) -> None:
    for number in range(8):
        fire(page, "notify", ["info" if number in (0, 3) else "error", str(number), ""])
    expect(page.locator(".mh-title")).to_have_text(["2", "4", "5", "6", "7", "3"])


def test_a_notification_is_for_the_tab_that_fired_or_for_everyone(
    context: BrowserContext, page: Page, url: str
) -> None:
    other = open_page(context, url)
    fire(page, "notify", ["info", "mine", ""])
    fire(page, "notify_everyone", "all")
    expect(other.locator(".mh-title")).to_have_text(["all"])
    expect(page.locator(".mh-title")).to_have_text(["mine", "all"])


@pytest.mark.parametrize("size", [3, 3_000_000])
def test_a_download_is_saved_under_its_name(page: Page, size: int) -> None:
    with page.expect_download() as download:
        fire(page, "download", size)
    assert download.value.suggested_filename == "numbers of today.csv"
    assert download.value.path().read_bytes() == b"7" * size


def test_a_url_is_opened_in_a_tab_that_knows_nothing_of_this_one(context: BrowserContext, page: Page) -> None:
    with context.expect_page() as opened:
        fire(page, "open_url", "/?opened")
    opened.value.wait_for_url(re.compile(r"/\?opened$"))
    assert opened.value.evaluate("opener") is None
    assert page.url.endswith("/")


def test_page_and_variables_go_into_the_address_beside_what_is_there(page: Page) -> None:
    fire(page, "go", {"page": "a page", "vars": {"id": 7, "q": "x=1&y/z"}})
    page.wait_for_url("**/#a%20page/id=7&q=x%3D1%26y%2Fz")
    fire(page, "go", {"page": "next", "vars": {"q": None, "more": "1"}})
    page.wait_for_url("**/#next/id=7&more=1")


def test_a_stylesheet_takes_the_place_of_the_one_that_had_its_key(page: Page) -> None:
    fire(page, "dress", "/static/one.css")
    expect(page.locator("h1")).to_have_css("color", "rgb(1, 2, 3)")
    fire(page, "dress", "/static/two.css")
    expect(page.locator("p")).to_have_css("color", "rgb(4, 5, 6)")
    expect(page.locator("h1")).not_to_have_css("color", "rgb(1, 2, 3)")


def test_a_script_runs(page: Page) -> None:
    fire(page, "add_script", "/static/more.js")
    expect(page.locator("body")).to_have_attribute("data-script", "ran")


def test_a_function_of_a_module_is_called_with_its_arguments_by_key_or_path(page: Page) -> None:
    for module in ("helpers", "/static/helpers.js"):
        fire(page, "call", [module, "greet", [module, {"shown": 1, "_hidden": 2}]])
        expect(page.locator("body")).to_have_attribute("data-greeted", f"{module} 1")


@pytest.mark.parametrize(
    ("handler", "payload", "text"),
    [
        ("add_script", "/static/nowhere.js", "import_script: Error: .*/static/nowhere.js can't be loaded"),
        ("add_script", "https://elsewhere.invalid/a.js", "import_script: Error: .*or the page's policy refuses it"),
        ("dress", "https://elsewhere.invalid/a.css", "import_stylesheet: Error: .*elsewhere.invalid/a.css can't be"),
        ("call", ["helpers", "length", []], "TypeError: helpers exports no function length; it exports greet, length"),
        ("call", ["/static/nowhere.js", "greet", []], "call_frontend_function: TypeError: Failed to fetch"),
    ],
)
def test_what_the_page_cannot_do_is_said_in_the_console(
    page: Page, said: list[str], handler: str, payload: Any, text: str
) -> None:
    with page.expect_console_message(lambda one: re.search(text, one.text) is not None):
        fire(page, handler, payload)
    said.clear()


def test_a_page_may_do_it_in_its_own_way(page: Page) -> None:
    page.evaluate("void manyhands.onMail('add_notification', (mail, own) => (window.told = [mail.title, own]))")
    fire(page, "notify", ["info", "mine", ""])
    page.wait_for_function("window.told")
    assert page.evaluate("window.told") == ["mine", True]
    assert page.locator(".mh-note").count() == 0


def test_pages_of_which_nothing_is_asked_do_not_fetch_what_does_it(page: Page) -> None:
    loaded = "performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/_mh/page.mjs'))"
    fire(page, "tell", "something")
    assert not page.evaluate(loaded)
    fire(page, "notify", ["info", "now", ""])
    expect(page.locator(".mh-note")).to_have_count(1)
    assert page.evaluate(loaded)


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
@pytest.mark.parametrize(("scheme", "back"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(18, 18, 18)")])
def test_notifications_follow_the_colours_and_the_motion_that_the_user_wants(
    browser: Browser, url: str, scheme: Any, back: str, motion: Any
) -> None:
    with browser.new_context(
        color_scheme=scheme, reduced_motion=motion, viewport={"width": 360, "height": 640}
    ) as context:
        page = open_page(context, url)
        fire(page, "notify", ["warning", "Nearly full", "x" * 200])
        note = page.locator(".mh-note")
        expect(note).to_have_css("background-color", back)
        expect(note).to_have_css("animation-name", "none" if motion == "reduce" else "mh-note")
        box = note.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
