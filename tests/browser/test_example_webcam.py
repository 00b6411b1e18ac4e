"""The page of examples/webcam in a real Chromium, whose camera shows a clock, served by the real `manyhands dev`."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from support.examples import Example, assert_fits_a_phone


@pytest.fixture(scope="module")
def example(run: Callable[..., Example]) -> Example:
    return run("webcam")


@pytest.fixture
def page(example: Example, visitor: Callable[..., BrowserContext]) -> Page:
    opened = example.open(visitor())
    expect(opened.locator("#camera")).to_have_attribute("data-mh-camera", "on")
    return opened


def wait_until_shown(page: Page) -> str:
    """Wait for a picture of the camera's size, and give its URL."""
    page.wait_for_function("shown.complete && shown.naturalWidth === 640 && shown.naturalHeight === 480")
    return str(page.locator("#shown").get_attribute("src"))


def test_pictures_of_the_camera_are_measured_and_shown_and_are_there_after_a_reload(page: Page) -> None:
    page.get_by_role("button", name="Take a picture").press("Enter")
    expect(page.locator("#taken")).to_have_text("1")
    expect(page.get_by_text(re.compile(r"640 × 480, \d+ KiB"))).to_be_visible()
    # The camera's pictures are green.
    expect(page.get_by_text(re.compile("#[01].[89a].[01].", re.IGNORECASE))).to_be_visible()
    first = wait_until_shown(page)

    page.click("#camera")
    expect(page.locator("#taken")).to_have_text("2")
    page.wait_for_function("before => shown.getAttribute('src') !== before", arg=first)
    page.reload()
    expect(page.locator("#taken")).to_have_text("2")
    wait_until_shown(page)
    assert page.locator(".shades li > span").all_text_contents()[::7] == ["black", "white"]


def test_an_effect_is_chosen_and_what_is_no_picture_is_told_of(page: Page) -> None:
    page.get_by_role("button", name="Take a picture").click()
    edges = wait_until_shown(page)
    page.get_by_label("Effect").select_option("grey")
    expect(page.get_by_alt_text("picture 1, grey")).to_be_visible()
    page.wait_for_function("before => shown.getAttribute('src') !== before", arg=edges)
    grey = wait_until_shown(page)

    page.evaluate("manyhands.fire('take', new Uint8Array(300_000))")
    expect(page.get_by_text("That was no picture")).to_be_visible()
    assert wait_until_shown(page) == grey
    assert_fits_a_phone(page)


def test_who_has_no_camera_is_told_so(example: Example, context: BrowserContext) -> None:
    context.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('none', 'NotFoundError'); }"
    )
    page = example.open(context)
    expect(page.get_by_role("alert").filter(has_text="There is no picture")).to_be_visible()
    expect(page.locator("#shutter")).to_be_hidden()


def test_a_camera_that_is_taken_away_is_told_of(example: Example, context: BrowserContext) -> None:
    page = example.open(context)
    expect(page.locator("#camera")).to_have_attribute("data-mh-camera", "on")
    # A camera that is pulled out ends its tracks so; no script can.
    page.evaluate("camera.srcObject.getTracks()[0].dispatchEvent(new Event('ended'))")
    expect(page.get_by_role("alert").filter(has_text="There is no picture")).to_be_visible()
