"""The functions that docs/react_and_vue.md shows, with the real React and Vue, in a real Chromium against a fleet."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from support.fleet import Fleet
from support.node import MODULES, run_node

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "react_and_vue.md"
SNIPPETS = dict(
    re.findall(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app with a page for each, made from the very text of the documentation."""
    directory = tmp_path_factory.mktemp("frontends") / "app"
    shutil.copytree(REPOSITORY / "tests" / "apps" / "frontends", directory)
    for name, code in SNIPPETS.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(code, "utf-8")
    run_node(str(directory / "build.cjs"), str(MODULES), str(directory))
    return directory


@pytest.fixture(scope="module")
def fleet(app: Path, module_fleet_of: Callable[..., Fleet]) -> Fleet:
    return module_fleet_of(app=str(app))


@pytest.fixture(params=["react", "vue"])
def page(request: pytest.FixtureRequest, context: BrowserContext, fleet: Fleet) -> Page:
    opened = context.new_page()
    opened.goto(f"{fleet.urls[0]}/static/page.html#{request.param}")
    expect(opened.locator("#one")).to_have_text("0")
    return opened


@pytest.mark.parametrize("name", ["react/manyhands.js", "vue/manyhands.js"])
def test_each_is_short(name: str) -> None:
    assert len(SNIPPETS[name].splitlines()) < 40


#: What somebody writes in TypeScript who has copied both.
TYPED = """
import { fire, useManyhands } from "./react/manyhands.js";
import { useManyhands as useInVue } from "./vue/manyhands.js";
export const shown: number = useManyhands("counter").value;
export const status: string = useInVue(() => "counter").status.value;
export const again: string = useInVue("@room.log").value.value;
export const ended: Promise<{ ok: boolean }> = fire("increment", { by: 1 });
"""


def test_typescript_takes_them_as_they_are(app: Path) -> None:
    (app / "typed.ts").write_text(TYPED, "utf-8")
    (app / "node_modules").symlink_to(MODULES)
    flags = "--strict --allowJs --noEmit --skipLibCheck --module esnext --moduleResolution bundler --target es2022"
    run_node(str(MODULES / "typescript" / "bin" / "tsc"), *flags.split(), str(app / "typed.ts"))


def test_they_render_on_a_server_where_nothing_of_a_browser_is(app: Path) -> None:
    react, vue = run_node(str(app / "server.mjs")).splitlines()
    for page in (react, vue):
        assert re.search(r'<button id="one" data-status="connecting">undefined</button>', page)


def test_all_components_show_what_clicks_make_of_the_state_at_the_same_time(page: Page) -> None:
    for at in ("#one", "#two", "#example button") * 3:
        page.click(at)
    for at in ("#one", "#two", "#example button"):
        expect(page.locator(at)).to_have_text("9")
    assert page.evaluate("torn") == []


def test_a_component_is_drawn_again_by_what_changes_at_its_path_and_nothing_else(page: Page) -> None:
    expect(page.locator("#user")).to_have_text('{"name":"Bob","tags":["a"]}')
    drawn = page.locator("#other").get_attribute("data-drawn")
    page.locator("#name").press_sequentially("Ada Lovelace")
    expect(page.locator("#user")).to_have_text('{"name":"Ada Lovelace","tags":["a"]}')
    expect(page.locator("#name")).to_have_value("Ada Lovelace")
    assert page.locator("#other").get_attribute("data-drawn") == drawn


def test_a_path_may_change_and_what_has_left_listens_no_more(page: Page) -> None:
    following = page.evaluate("following")
    page.click("#turn")
    expect(page.locator("#user")).to_have_text('["a"]')
    assert page.evaluate("following") == following
    page.click("#leave")
    page.click("#one")
    expect(page.locator("#one")).to_have_text("1")
    assert page.locator("#two").count() == 0
    assert page.evaluate("following") == following - 1
    page.click("#leave")
    expect(page.locator("#two")).to_have_text("1")
    page.evaluate("leave()")
    assert page.evaluate("following") == 0


def test_what_is_clicked_while_no_gateway_is_there_runs_once_when_one_is_back(page: Page, fleet: Fleet) -> None:
    expect(page.locator("#one")).to_have_attribute("data-status", "open")
    gateway = fleet.gateways[0]
    gateway.kill()
    expect(page.locator("#one")).to_have_attribute("data-status", "connecting")
    page.click("#one")
    page.click("#two")
    fleet.gateways[0] = fleet.processes.start(*gateway.command, environ=fleet.environ)
    expect(page.locator("#two")).to_have_text("2", timeout=20_000)
    expect(page.locator("#two")).to_have_attribute("data-status", "open")
