"""The page of examples/data in a real Chromium, served by the real `manyhands dev`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from support.examples import Example, assert_fits_a_phone

#: Milliseconds within which plotly.js, of 5 MB, has come and drawn, on a busy machine.
DRAWN = 60_000


@pytest.fixture(scope="module")
def data(run: Callable[[str], Example]) -> Example:
    return run("data")


@pytest.fixture
def page(data: Example, visitor: Callable[..., BrowserContext]) -> Page:
    return data.open(visitor())


def test_rides_are_filtered_plotted_sorted_paged_and_downloaded_on_a_phone_too(page: Page) -> None:
    table, rows = page.get_by_role("table", name="Rides"), page.locator(".mh-rows")
    expect(rows).to_have_text("Rows 1–25 of 10,000")
    expect(page.locator(".plot .point path")).to_have_count(48, timeout=DRAWN)

    page.get_by_label("From").select_option("Harbour")
    page.get_by_label("Only members").check()
    page.get_by_label("At most").fill("20")
    expect(page.get_by_text(" of 10,000 rides, ")).not_to_contain_text("10,000 of")
    page.get_by_role("button", name="km").press("Enter")
    expect(table.get_by_role("columnheader", name="km")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("button", name="Last page").click()
    expect(page.get_by_role("button", name="Next page")).to_have_attribute("aria-disabled", "true")
    longest = table.get_by_role("row").last.get_by_role("cell")
    expect(longest.nth(1)).to_have_text("Harbour")
    assert float(longest.nth(3).inner_text()) <= 20

    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    assert download.value.suggested_filename == "rides.csv"
    lines = download.value.path().read_text().splitlines()
    expect(rows).to_contain_text(f" of {len(lines) - 1:,}")
    assert float(lines[-1].split(",")[4]) == float(longest.nth(4).inner_text())
    assert_fits_a_phone(page)
