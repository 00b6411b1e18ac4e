"""The page of examples/todo in a real Chromium, served by the real `manyhands dev`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from support.examples import Example, assert_fits_a_phone


@pytest.fixture(scope="module")
def todo(run: Callable[[str], Example]) -> Example:
    return run("todo")


@pytest.fixture
def context(visitor: Callable[..., BrowserContext]) -> BrowserContext:
    return visitor()


@pytest.fixture
def page(todo: Example, context: BrowserContext) -> Page:
    return todo.open(context)


def add(page: Page, *titles: str) -> None:
    """Add todos as somebody does who only types."""
    for title in titles:
        page.get_by_label("What is to be done?").fill(title)
        page.keyboard.press("Enter")
        expect(row(page, title)).to_be_visible()
        expect(page.get_by_label("What is to be done?")).to_have_value("")


def row(page: Page, title: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("checkbox", name=title, exact=True))


def shown(page: Page) -> list[str]:
    titles = page.get_by_role("listitem").get_by_label("Title").evaluate_all("all => all.map((one) => one.value)")
    return list(map(str, titles))


def test_todos_are_added_ticked_off_filtered_and_cleared(page: Page) -> None:
    expect(page.get_by_text("Nothing here yet.")).to_be_visible()
    add(page, "tea", "<b>bread</b>", "milk")
    page.get_by_role("checkbox", name="tea").check()
    expect(page.get_by_role("radio", name="Open 2")).to_be_visible()

    page.get_by_role("radio", name="Open").check()
    expect(row(page, "tea")).to_have_count(0)
    assert shown(page) == ["<b>bread</b>", "milk"]
    page.get_by_role("radio", name="Done 1").check()
    expect(row(page, "milk")).to_have_count(0)
    assert shown(page) == ["tea"]

    page.get_by_role("button", name="Clear what is done").click()
    expect(page.get_by_text("Nothing done yet.")).to_be_visible()
    page.get_by_role("radio", name="All 2").check()
    page.get_by_role("button", name="Delete milk").click()
    expect(row(page, "milk")).to_have_count(0)
    assert shown(page) == ["<b>bread</b>"]
    assert_fits_a_phone(page)


def test_a_half_typed_title_and_its_focus_survive_what_a_second_tab_does(
    page: Page, context: BrowserContext, todo: Example
) -> None:
    add(page, "one", "two", "three")
    title = row(page, "two").get_by_label("Title")
    title.click()
    title.press("End")
    page.keyboard.type(" and a h")

    other = todo.open(context)
    assert shown(other) == ["one", "two", "three"]
    other.get_by_role("button", name="Delete one").click()
    add(other, "four")
    row(other, "two").get_by_role("checkbox").check()

    expect(row(page, "four")).to_be_visible()
    expect(row(page, "two").get_by_role("checkbox")).to_be_checked()
    expect(title).to_be_focused()
    page.keyboard.type("alf")
    page.keyboard.press("Enter")
    expect(row(other, "two and a half").get_by_label("Title")).to_have_value("two and a half")
    assert shown(page) == ["two and a half", "three", "four"]


def test_a_title_that_is_emptied_comes_back_and_a_reload_shows_the_same_list(page: Page) -> None:
    add(page, *(f"number {n}" for n in range(1, 12)))
    title = row(page, "number 2").get_by_label("Title")
    title.fill("")
    title.press("Tab")
    expect(title).to_have_value("number 2")

    page.reload()
    expect(row(page, "number 11")).to_be_visible()
    assert shown(page) == [f"number {n}" for n in range(1, 12)]
