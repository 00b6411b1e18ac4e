"""The page of examples/chat in a real Chromium: people at two gateways meet in rooms."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from support.examples import EXAMPLES, Example, assert_fits_a_phone
from support.fleet import Fleet

Visitor = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def gateways(module_fleet_of: Callable[..., Fleet]) -> list[Example]:
    fleet = module_fleet_of(app=str(EXAMPLES / "chat"), gateways=2)
    return [Example("chat", url, gateway.pid) for url, gateway in zip(fleet.urls, fleet.gateways, strict=True)]


def enter(gateway: Example, browser: BrowserContext, name: str, fragment: str = "") -> Page:
    page = gateway.open(browser, fragment)
    expect(page.get_by_role("link", name=fragment.removeprefix("#") or "lobby")).to_have_attribute(
        "aria-current", "page"
    )
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Change").click()
    expect(page.get_by_role("region", name="Here").get_by_text(name, exact=True)).to_be_visible()
    return page


def say(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Message", exact=True)).to_have_value("")


def people(page: Page) -> list[str]:
    return page.get_by_role("region", name="Here").get_by_role("listitem").all_text_contents()


def test_people_at_two_gateways_read_one_another_and_not_what_is_said_elsewhere(
    gateways: list[Example], visitor: Visitor
) -> None:
    ann = enter(gateways[0], visitor(), "Ann")
    bob = enter(gateways[1], visitor(), "Bob")
    eve = enter(gateways[0], visitor(), "Eve", "#garden")
    assert ann.url.endswith("#lobby")

    say(bob, "<b>tea</b>, anyone?")
    expect(ann.get_by_role("log").get_by_role("listitem").last).to_have_text("Bob <b>tea</b>, anyone?")
    say(ann, "Yes")
    expect(bob.get_by_role("log").get_by_role("listitem").last).to_have_text("Ann Yes")
    assert sorted(people(bob)) == ["Ann", "Bob"]
    assert "tea" not in eve.get_by_role("log").inner_text()
    assert people(eve) == ["Eve"]

    eve.get_by_role("link", name="Lobby").click()
    expect(eve.get_by_role("log").get_by_role("listitem").last).to_have_text("Eve is here.")
    expect(eve.get_by_role("log").get_by_text("<b>tea</b>, anyone?")).to_be_visible()
    expect(bob.get_by_role("region", name="Here").get_by_text("Eve")).to_be_visible()
    bob.evaluate("location.hash = 'cellar'")
    expect(bob.get_by_role("link", name="Lobby")).to_have_attribute("aria-current", "page")
    assert_fits_a_phone(ann)


def test_two_tabs_are_two_people_and_a_reload_keeps_name_and_room(gateways: list[Example], visitor: Visitor) -> None:
    browser = visitor(viewport={"width": 400, "height": 480})
    cat, dan = (enter(gateways[0], browser, name, "#kitchen") for name in ("Cat", "Dan"))
    for n in range(6):
        say(cat, f"line {n}")
    expect(dan.get_by_role("log").get_by_text("line 5")).to_be_in_viewport()
    expect(dan.get_by_role("log").get_by_text("Cat is here.")).not_to_be_in_viewport()
    dan.reload()
    expect(dan.get_by_label("Your name")).to_have_value("Dan")
    expect(dan.get_by_role("log").get_by_text("line 5")).to_be_in_viewport()
    assert sorted(people(dan)) == ["Cat", "Dan"]
    assert_fits_a_phone(dan)
