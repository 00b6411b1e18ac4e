"""Tables, figures, images and progress in a real Chromium, drawn by the libraries that pages bring."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from support.fleet import Fleet
from support.node import MODULES

APP = str(Path(__file__).parents[1] / "apps" / "pictures")
#: Folders of npm's packages; what is not brought of them is an empty script.
PLOTLY, VEGA = "plotly.js", "vega"
#: Milliseconds within which a library of 5 MB has come and drawn, on a busy machine.
DRAWN = 60_000

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def url(module_fleet_of: Callable[..., Fleet]) -> str:
    return module_fleet_of(app=APP, environ={"MANYHANDS_CONTENT_SECURITY_POLICY": "strict"}).urls[0]


@pytest.fixture
def said() -> list[str]:
    """What the console says is wrong."""
    return []


@pytest.fixture
def opened(browser: Browser, url: str, said: list[str]) -> Iterator[Open]:
    """Open the app's page, which brings libraries; `evaluates`: tests may evaluate what the policy forbids."""
    with contextlib.ExitStack() as stack:

        def make(*brings: str, evaluates: bool = True, **options: Any) -> Page:
            context = stack.enter_context(browser.new_context(bypass_csp=evaluates, **options))
            return open_page(context, url, said, brings)

        yield make
    # Each test has taken off what it expected.
    assert said == []


def open_page(context: BrowserContext, url: str, said: list[str], brings: tuple[str, ...]) -> Page:
    def serve(route: Route) -> None:
        name = route.request.url.split("/npm/")[1]
        brought = name.startswith(brings) if brings else False
        content = (MODULES / name).read_bytes() if brought else b""
        route.fulfill(body=content, content_type="text/javascript")

    page = context.new_page()
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda one: said.append(one.text) if one.type in ("error", "warning") else None)
    page.route("**/static/npm/**", serve)
    page.goto(f"{url}/")
    expect(page.locator("html")).to_have_attribute("data-mh-status", "open")
    return page


def fire(page: Page, handler: str, payload: Any = None) -> Any:
    return page.evaluate("([handler, payload]) => manyhands.fire(handler, payload)", [handler, payload])


def test_a_page_of_a_table_is_shown_with_its_place_among_all_rows(opened: Open) -> None:
    page = opened()
    table = page.get_by_role("table", name="People")
    expect(table.get_by_role("row")).to_have_count(26)
    expect(page.get_by_role("status").filter(has_text="Rows")).to_have_text("Rows 1–25 of 10,000")
    cells = table.get_by_role("row").nth(2).get_by_role("cell")
    expect(cells).to_have_text(["Person 0001", "1950-01-02", "187.3", "–"])
    expect(cells.nth(2)).to_have_css("text-align", "end")
    expect(page.get_by_role("navigation", name="Pages of People").get_by_role("button")).to_have_count(4)


def test_a_table_is_paged_and_sorted_by_the_server_with_the_keyboard_and_keeps_the_focus(opened: Open) -> None:
    page = opened()
    rows = page.locator(".mh-rows").first
    following = page.get_by_role("button", name="Next page").first
    following.focus()
    page.keyboard.press("Enter")
    expect(rows).to_have_text("Rows 26–50 of 10,000")
    expect(following).to_be_focused()
    page.get_by_role("button", name="Last page").first.press("Enter")
    expect(rows).to_have_text("Rows 9,976–10,000 of 10,000")
    expect(following).to_have_attribute("aria-disabled", "true")
    name = page.get_by_role("button", name="name")
    for order, first in (("ascending", "Person 0000"), ("descending", "Person 9999"), (None, "Person 0000")):
        name.press("Enter")
        expect(page.locator("#people tbody td").first).to_have_text(first)
        header = page.get_by_role("columnheader", name="name")
        if order:
            expect(header).to_have_attribute("aria-sort", order)
        else:
            expect(header).not_to_have_attribute("aria-sort", re.compile(""))
    expect(name).to_be_focused()
    page.get_by_label("Rows per page").first.select_option("100")
    expect(page.locator("#people tbody tr")).to_have_count(100)
    assert page.evaluate("manyhands.state.asked") == {"page": 0, "size": 100, "sort": None, "descending": False}


def test_quick_clicks_on_a_pager_add_up_while_the_table_says_that_it_is_busy(opened: Open) -> None:
    page = opened()
    seen = page.evaluate("""async () => {
      const table = document.getElementById("people"), next = document.querySelector("[aria-label='Next page']");
      for (let clicks = 0; clicks < 7; clicks++) next.click();
      return table.getAttribute("aria-busy");
    }""")
    assert seen == "true"
    expect(page.locator(".mh-rows").first).to_have_text("Rows 176–200 of 10,000")
    expect(page.locator("#people")).not_to_have_attribute("aria-busy", "true")


def test_what_a_browser_makes_up_ends_the_event_and_changes_nothing_or_means_the_last_page(
    opened: Open, said: list[str]
) -> None:
    page = opened()
    for asked in ({"sort": "nme"}, {"page": -1}, {"size": 10**9}, {"page": "x"}, [1]):
        assert fire(page, "show", asked)["error"]["code"] == "handler_failed"
    said.clear()
    expect(page.locator(".mh-rows").first).to_have_text("Rows 1–25 of 10,000")
    fire(page, "show", {"page": 10**15, "size": 25})
    expect(page.locator(".mh-rows").first).to_have_text("Rows 9,976–10,000 of 10,000")


def test_whole_tables_and_lists_of_dicts_are_shown_without_a_pager_and_what_is_neither_is_named(
    opened: Open, said: list[str]
) -> None:
    page = opened()
    fire(page, "small", "frame")
    expect(page.locator("#small th")).to_have_text(["a", "at"])
    expect(page.locator("#small td")).to_have_text(["1", "2024-02-29 12:30", "2", "–"])
    assert page.locator("#small ~ .mh-pager").is_hidden()
    fire(page, "small", "dicts")
    expect(page.locator("#small th")).to_have_text(["id", "n", "more"])
    expect(page.locator("#small td")).to_have_text(["x", "1", "–", "y", "–", '{"a":1}'])
    page.evaluate("document.querySelector('#small tbody tr').mine = true")
    fire(page, "small", "turned")
    expect(page.locator("#small td")).to_have_text(["y", "2", "x", "1"])
    assert page.evaluate("document.querySelector('#small tbody tr:nth-child(2)').mine"), "rows follow their key"
    fire(page, "small", "long")
    expect(page.locator("#small ~ .mh-pager")).to_have_text("Rows 1–1,000 of 1,500", use_inner_text=True)
    fire(page, "small", 7)
    expect(page.locator("#small td")).to_have_count(0)
    assert "give it what mh.table_page gives" in said.pop()


def test_a_wide_table_scrolls_by_itself_on_a_phone(opened: Open) -> None:
    page = opened(viewport={"width": 360, "height": 740})
    expect(page.locator("#people tbody tr")).to_have_count(25)
    fire(page, "small", [{f"column {number}": "a text that is long" for number in range(9)}])
    expect(page.locator("#small th")).to_have_count(9)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate("document.getElementById('small').scrollWidth") > 500
    expect(page.locator("#small")).to_have_attribute("tabindex", "0")


def test_figures_are_drawn_by_their_libraries_under_a_strict_policy(opened: Open) -> None:
    page = opened(PLOTLY, VEGA, evaluates=False)
    page.click("#draw")
    expect(page.locator("#plot .point path")).to_have_count(3, timeout=DRAWN)
    expect(page.locator("#chart .mark-rect path")).to_have_count(3, timeout=DRAWN)
    expect(page.get_by_role("img", name="Bars of matplotlib")).to_be_visible()
    expect(page.locator("#image")).to_have_attribute("src", re.compile("^blob:"))


def test_a_figure_is_redrawn_only_where_it_has_changed_and_keeps_what_the_user_has_zoomed(opened: Open) -> None:
    page = opened(PLOTLY)
    fire(page, "plot", {"bars": [1, 2, 3]})
    expect(page.locator("#plot .point path")).to_have_count(3, timeout=DRAWN)
    page.evaluate("""() => {
      window.drawn = 0;
      const plot = document.getElementById("plot");
      plot.on("plotly_afterplot", () => drawn++);
      return Plotly.relayout(plot, { "xaxis.range": [0.5, 2.5] });
    }""")
    drawn = page.evaluate("drawn")
    fire(page, "plot", {"bars": [1, 2, 3]})
    fire(page, "progress", 0.5)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    assert page.evaluate("drawn") == drawn
    fire(page, "plot", {"bars": [4, 5, 6, 7]})
    expect(page.locator("#plot .point path")).to_have_count(4, timeout=DRAWN)
    assert page.evaluate("document.getElementById('plot').layout.xaxis.range") == [0.5, 2.5]


def test_figures_follow_the_width_and_the_colours_of_the_page(opened: Open) -> None:
    page = opened(PLOTLY, VEGA, color_scheme="light", viewport={"width": 1000, "height": 800})
    fire(page, "draw")
    title = page.locator("#plot .gtitle")
    expect(title).to_have_css("fill", "rgb(0, 0, 0)", timeout=DRAWN)
    page.emulate_media(color_scheme="dark")
    expect(title).to_have_css("fill", "rgb(255, 255, 255)", timeout=DRAWN)
    axis = page.locator("#chart .role-axis-title text").first
    expect(axis).to_have_attribute("fill", "rgb(255, 255, 255)", timeout=DRAWN)
    page.set_viewport_size({"width": 400, "height": 800})
    expect(page.locator("#plot .main-svg").first).to_have_css("width", re.compile(r"^(2\d\d|3[0-6]\d)px"))
    expect(page.locator("#chart svg")).to_have_attribute("width", re.compile(r"^(2\d\d|3[0-6]\d)"))
    fire(page, "plot", {"bars": [1], "template": "plotly"})
    expect(title).to_have_css("fill", "rgb(42, 63, 95)")


#: Stands for plotly.js where it does not matter what is drawn.
STAND_IN = "window.Plotly = { react: async (host) => host.append('drawn'), purge() {} };"


def test_a_figure_without_its_library_says_which_script_brings_it_and_what_is_no_figure_says_so(
    opened: Open, said: list[str]
) -> None:
    page = opened()
    fire(page, "draw")
    plot = page.locator("#plot")
    expect(plot.locator(".mh-undrawn")).to_contain_text('<script src="…/plotly.min.js" defer></script>')
    expect(page.locator("#chart .mh-undrawn")).to_contain_text("vega-embed.min.js")
    assert [text.split(": ")[1] for text in said] == ["no_library", "no_library"]
    said.clear()
    page.route("**/late.js", lambda route: route.fulfill(body=STAND_IN, content_type="text/javascript"))
    page.evaluate("document.head.append(Object.assign(document.createElement('script'), { src: '/static/late.js' }))")
    expect(plot).to_have_text("drawn")
    page.evaluate("manyhands.show(['plot'], { some: 'dict' })")
    expect(plot.locator(".mh-undrawn")).to_contain_text("expected a figure of plotly, altair or matplotlib")
    assert "refused_value" in said.pop()
    fire(page, "plot", {"bars": [1, 2]})
    expect(plot).to_have_text("drawn")


def test_pictures_of_matplotlib_are_shown_also_where_they_come_over_http(opened: Open) -> None:
    page = opened()
    picture = page.get_by_role("img", name="Bars of matplotlib")
    for dpi, begins in ((40, "blob:"), (400, "/_mh/blob/"), (40, "blob:")):
        fire(page, "drawing", {"bars": [1, 2], "dpi": dpi})
        expect(picture).to_have_attribute("src", re.compile(f"^{begins}"))
        page.wait_for_function("width => document.querySelector('#drawing img').naturalWidth === width", arg=3 * dpi)


def test_an_image_is_shown_in_whatever_way_the_app_has_it_and_lets_go_of_what_it_no_longer_shows(
    opened: Open, said: list[str]
) -> None:
    page = opened()
    ways = {"pillow": ("blob:", 7), "bytes": ("blob:", 7), "file": ("data:image/png", 7),
            "svg": (r"data:image/svg\+xml", 9), "noise": ("/_mh/blob/", 200)}  # fmt: skip
    for kind, (begins, width) in ways.items():
        fire(page, "image", {"as": kind})
        expect(page.locator("#image")).to_have_attribute("src", re.compile(f"^{begins}"))
        page.wait_for_function("width => document.getElementById('image').naturalWidth === width", arg=width)
    fire(page, "image", {"as": "bytes"})
    expect(page.locator("#image")).to_have_attribute("src", re.compile("^blob:"))
    old = page.get_attribute("#image", "src")
    fire(page, "image", {"as": "url"})
    expect(page.locator("#image")).not_to_have_attribute("src", re.compile(""))
    assert page.evaluate("window.ran") is None
    # The browser forgets a URL of an object a moment after it was told to.
    page.wait_for_function("url => fetch(url).then(() => false, () => true)", arg=old)
    with page.expect_console_message(lambda one: "which is no image" in one.text):
        fire(page, "image", {"as": "text"})
    said.clear()
    fire(page, "image", {"as": "none"})
    expect(page.locator("#image")).not_to_have_attribute("src", re.compile(""))


def test_a_progress_bar_of_which_nobody_knows_how_far_it_is_has_no_value(opened: Open) -> None:
    page = opened()
    bar = page.locator("#progress")
    expect(bar).not_to_have_attribute("value", re.compile(""))
    fire(page, "progress", 0)
    expect(bar).to_have_attribute("value", "0")
    fire(page, "progress", 0.25)
    expect(bar).to_have_attribute("value", "0.25")
    fire(page, "progress", None)
    expect(bar).not_to_have_attribute("value", re.compile(""))
