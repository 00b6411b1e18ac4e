"""Large values in a real Chromium: an image, a download and a text that came over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from support.fleet import Fleet

BULKY = str(Path(__file__).parent.parent / "apps" / "bulky")


@pytest.mark.parametrize("cookie", ["off", "on"])
def test_a_page_shows_an_image_a_text_and_a_download_that_do_not_fit_into_an_update(
    context: BrowserContext, fleet_of: Callable[..., Fleet], cookie: str
) -> None:
    fleet = fleet_of(app=BULKY, environ={"MANYHANDS_SESSION_COOKIE": cookie})
    page = open_page(context, fleet.urls[0])
    for handler, payload in (("image", 300), ("text", {"size": 300_000}), ("file", {"size": 200_000})):
        page.evaluate("([handler, payload]) => { manyhands.fire(handler, payload); }", [handler, payload])
    check(page)
    progress = page.evaluate("""async () => {
        const seen = [], bytes = new Blob([new Uint8Array(2500000)]);
        const named = await manyhands.upload(bytes, (sent) => seen.push(sent));
        manyhands.fire("received", { files: [named] });
        return seen;
    }""")
    assert progress[0] == 0
    assert progress == sorted(progress)
    assert len(progress) > 1
    page.wait_for_function("manyhands.state.received?.[0][0] === 2500000")
    # Joining again, all of them are references in the welcome.
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-mh-status", "open")
    check(page)


def open_page(context: BrowserContext, url: str) -> Page:
    """Open the app's page, and fail the test for whatever it complains of."""
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"the page raised {error}"))
    page.goto(url)
    expect(page.locator("html")).to_have_attribute("data-mh-status", "open")
    return page


def check(page: Page) -> None:
    page.wait_for_function("document.getElementById('image').naturalWidth === 300")
    page.wait_for_function("document.getElementById('text').textContent.length === 300000")
    page.wait_for_function("document.getElementById('file').href.includes('/_mh/blob/')")
    with page.expect_download() as download:
        page.click("#file")
    assert download.value.path().stat().st_size == 200_000
