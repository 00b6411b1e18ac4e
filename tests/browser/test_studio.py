"""The studio in a real Chromium, before the real `manyhands dev`, on an app that is made for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

from support.processes import Process, Processes
from support.waiting import wait_until

MAIN = """import time

import manyhands as mh

print("the app is being imported")
mh.init_state({"counter": 0, "user": {"name": "Bob"}, "_secret": 7, "when": {1, 2}, "items": {"a": 1}})


def increment(state, payload):
    \"\"\"Count a click.\"\"\"
    state["counter"] += 1
    print("counted to", state["counter"])


async def fail(state):
    state["counter"] += 100
    raise ValueError("on purpose")


def greet(state, payload):
    state["user"]["name"] = payload
    return {"greeted": payload}


def toggle(state, context):
    state["items"][context["itemId"]] += 1
    state["_secret"] = context["item"]


def flood(state):
    for line in range(5000):
        print("line", line)


def join(state, session):
    mh.shared("lobby", {"people": {"Bob": 1}})["people"]["Ada"] = 2
    session.join("lobby")


def helper(one, two):
    return one + two
"""
FAILING_LINE = MAIN.splitlines().index('    raise ValueError("on purpose")') + 1

INDEX = b"""<!DOCTYPE html>\r
<!-- every byte of this stays: <button wf-click="no">  -->
<html><head><script src="/_mh/client.js" defer></script></head>
<body   class=a>
  <b id="shown" wf-text="counter"></b>
  <button id=plus   wf-click='increment'\tdata-x=1>+1</button>
  <button id="minus">-1</button>
  <p wf-click="nobody">\xc3\xa4</p>
  <i wf-text="countr"></i> <button disabled>off</button>
  <template wf-each="items"><u wf-click="toggle" wf-text="item"></u></template>
</body></html>
"""


class Studio:
    """A tab that shows the studio, and the app behind it."""

    def __init__(self, page: Page, url: str, app: Path) -> None:
        self.page, self.url, self.app = page, url, app
        #: What scripts have raised; the test fails at its end.
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.goto(f"{url}/_mh/studio")
        expect(page.locator("html")).to_have_attribute("data-status", "open")

    def open(self, tab: str) -> Locator:
        self.page.click(f"#tab-{tab}")
        return self.page.locator(f"#panel-{tab}")

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator("iframe")

    def select(self, element: str) -> None:
        """Point at an element of the framed page."""
        self.open("Page")
        expect(self.frame.locator(element)).to_be_visible()
        self.page.click("text=Select an element")
        self.frame.locator(element).click()

    def fire(self, handler: str, payload: object = None) -> Locator:
        row = self.open("Handlers").locator(f"[data-handler={handler}]")
        if payload is not None:
            row.get_by_label(f"payload of {handler}").fill(json.dumps(payload))
        row.get_by_role("button", name=f"fire {handler}").click()
        return row.locator("output")

    def state(self, path: str) -> Locator:
        return self.open("State").locator(f"[data-path='{path}'] > .line .value")


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, Process]]:
    """One `manyhands dev`."""
    app = tmp_path_factory.mktemp("studio") / "app"
    app.mkdir()
    (app / "main.py").write_text(MAIN)
    processes = Processes(tmp_path_factory.mktemp("processes"), {"REDIS_URL": "", "MANYHANDS_SECRET_KEY": ""})
    process = processes.manyhands("dev", str(app), "--port", "0")
    yield process.wait_for_output(r"Open (http://\S+)/ and click")[1], app, process
    process.terminate()


@pytest.fixture(params=[{"color_scheme": "light"}], ids=["light"])
def studio(request: pytest.FixtureRequest, browser: Browser, dev: tuple[str, Path, Process]) -> Iterator[Studio]:
    """The studio in a browser that knows nothing of other tests; the app's files are as they were."""
    url, app, _ = dev
    (app / "index.html").write_bytes(INDEX)
    with browser.new_context(**request.param) as context:
        opened = Studio(context.new_page(), url, app)
        yield opened
        assert opened.faults == []
    if (app / "main.py").read_text() != MAIN:
        (app / "main.py").write_text(MAIN)


# --- handlers ---


def test_handlers_are_listed_with_parameters_and_docstring_and_what_is_none_with_its_reason(studio: Studio) -> None:
    panel = studio.open("Handlers")
    expect(panel.locator("[data-handler=increment]")).to_contain_text("increment(state, payload)")
    expect(panel.locator("[data-handler=increment]")).to_contain_text("Count a click.")
    expect(panel.locator("[data-handler=fail]")).to_contain_text("async fail(state)")
    expect(panel).to_contain_text("its parameters one, two can't be filled")


def test_a_handler_is_fired_with_a_payload_and_its_result_shown(studio: Studio) -> None:
    expect(studio.fire("greet", "Ada")).to_contain_text('"greeted": "Ada"')
    expect(studio.state("user.name")).to_have_text('"Ada"')


def test_a_payload_that_is_not_json_is_refused_with_the_cure(studio: Studio) -> None:
    row = studio.open("Handlers").locator("[data-handler=greet]")
    row.get_by_label("payload of greet").fill("Ada")
    row.get_by_role("button").last.click()
    expect(row.locator("output")).to_contain_text('write text in quotes, as "Ada"')


# --- state ---


def test_the_state_is_that_of_the_pages_session_private_keys_too_and_changes_flash(studio: Studio) -> None:
    studio.open("Page")
    studio.frame.locator("#plus").click()
    expect(studio.state("counter")).to_have_text("1")
    expect(studio.state("_secret")).to_have_text("7")
    other = studio.page.context.new_page()
    other.goto(studio.url)
    other.click("#plus")
    expect(studio.state("counter")).to_have_text("2")
    expect(studio.page.locator("[data-path=counter] > .flash")).to_be_visible()
    expect(studio.page.locator("[data-path=_secret] > .flash")).to_have_count(0)


def edit(studio: Studio, path: str, text: str) -> None:
    panel = studio.open("State")
    panel.get_by_label(f"edit {path}", exact=True).click()
    panel.get_by_label(f"new value of {path}", exact=True).fill(text)
    panel.get_by_label(f"new value of {path}", exact=True).press("Enter")


def test_a_value_is_edited_and_the_page_shows_it(studio: Studio) -> None:
    edit(studio, "counter", "41")
    expect(studio.state("counter")).to_have_text("41")
    edit(studio, "_secret", '{"deep": [1, 2]}')
    expect(studio.state("_secret.deep")).to_have_text("[1,2]")
    studio.open("Page")
    studio.frame.locator("#plus").click()
    expect(studio.frame.locator("#shown")).to_have_text("42")


def test_a_value_that_json_would_turn_into_another_type_is_not_edited(studio: Studio) -> None:
    edit(studio, "when", "[3]")
    expect(studio.page.locator("#panel-State")).to_contain_text("when is of type set")
    expect(studio.state("when")).to_have_text("[1,2]")


def test_a_session_is_reset_to_what_a_new_one_begins_with(studio: Studio) -> None:
    edit(studio, "_secret", '{"deep": 1}')
    studio.fire("greet", "Ada")
    expect(studio.state("user.name")).to_have_text('"Ada"')
    studio.page.click("text=Reset the session")
    expect(studio.state("user.name")).to_have_text('"Bob"')
    expect(studio.state("_secret")).to_have_text("7")


def test_where_a_cookie_names_the_session_its_state_is_shown_and_edited_too(
    browser: Browser, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (tmp_path / "main.py").write_text(MAIN)
    (tmp_path / "index.html").write_bytes(INDEX)
    environ = {"REDIS_URL": "", "MANYHANDS_SECRET_KEY": "", "MANYHANDS_SESSION_COOKIE": "on"}
    process = Processes(tmp_path_factory.mktemp("processes"), environ).manyhands("dev", str(tmp_path), "--port", "0")
    url = process.wait_for_output(r"Open (http://\S+)/ and click")[1]
    try:
        with browser.new_context() as context:
            opened = Studio(context.new_page(), url, tmp_path)
            edit(opened, "counter", "41")
            expect(opened.state("counter")).to_have_text("41")
            opened.open("Page")
            expect(opened.frame.locator("#shown")).to_have_text("41")
    finally:
        process.terminate()


def add(studio: Studio, path: str, key: str, text: str) -> None:
    panel = studio.open("State")
    panel.get_by_label(f"add {path}", exact=True).click()
    panel.get_by_label(f"new key in {path or 'state'}", exact=True).fill(key)
    panel.get_by_label(f"value of the new key in {path or 'state'}", exact=True).fill(text)
    panel.get_by_label(f"value of the new key in {path or 'state'}", exact=True).press("Enter")


def test_keys_are_added_and_removed_in_the_session_and_in_its_rooms(studio: Studio) -> None:
    expect(studio.fire("join")).to_contain_text("done")
    expect(studio.state("@lobby.people.Ada")).to_have_text("2")
    add(studio, "@lobby.people", "Eve", '{"age": 3}')
    expect(studio.state("@lobby.people.Eve.age")).to_have_text("3")
    studio.page.get_by_label("add @lobby.people.Eve", exact=True).click()
    studio.page.get_by_role("button", name="remove @lobby.people.Eve", exact=True).click()
    expect(studio.page.locator("[data-path='@lobby.people.Eve']")).to_have_count(0)
    add(studio, "user", "list", '[{"x": 1}]')
    studio.page.get_by_label("what is in user.list", exact=True).click()
    expect(studio.state("user.list.0.x")).to_have_text("1")
    edit(studio, "user.name", '"Eve"')
    expect(studio.state("user.name")).to_have_text('"Eve"')
    event = studio.open("Events").locator(".events > li").filter(has_text="join")
    event.locator("summary").click()
    expect(event.locator(".mutations")).to_contain_text('@lobby.people = {"Bob":1,"Ada":2}')


# --- events ---


def test_an_event_is_shown_with_its_stages_mutations_and_output_and_can_be_fired_again(studio: Studio) -> None:
    studio.open("Page")
    studio.frame.locator("#plus").click()
    expect(studio.frame.locator("#shown")).to_have_text("1")
    first = studio.open("Events").locator(".events > li").first
    first.locator("summary").click()
    for stage in ("accepted", "waited", "loaded", "ran", "committed", "delivered", "painted"):
        expect(first.locator(f"dt[data-stage={stage}]")).to_be_visible()
    expect(first.locator(".mutations")).to_contain_text("counter = 1")
    expect(first.locator(".log")).to_contain_text("counted to 1")
    total = float(str(first.locator(".total").text_content()).removesuffix(" ms"))
    stages = [float(str(text).removesuffix(" ms")) for text in first.locator("dd").all_text_contents()]
    assert total == pytest.approx(sum(stages), abs=4)
    first.get_by_role("button", name="Fire it again").click()
    expect(studio.page.locator(".events > li")).to_have_count(2)
    expect(studio.state("counter")).to_have_text("2")


def test_what_is_fired_again_comes_from_the_same_place_in_a_repeater(studio: Studio) -> None:
    studio.open("Page")
    studio.frame.locator("u").click()
    expect(studio.frame.locator("u")).to_have_text("2")
    event = studio.open("Events").locator(".events > li").first
    event.locator("summary").click()
    expect(event.locator(".mutations")).to_contain_text("items.a = 2")
    expect(event.locator(".mutations")).to_contain_text("_secret: assigned, see State")
    event.get_by_role("button", name="Fire it again").click()
    expect(studio.state("items.a")).to_have_text("3")


def test_a_page_that_speaks_msgpack_tells_when_it_has_painted(studio: Studio) -> None:
    (studio.app / "index.html").write_bytes(INDEX.replace(b"client.js", b'client.js" data-protocol="msgpack'))
    studio.open("Page")
    expect(studio.frame.locator("#shown")).to_have_text("0")
    # The studio itself is told of the end as well, and of no painting in its frame.
    told = studio.page.evaluate(
        """() => new Promise((resolve) => {
          new BroadcastChannel("manyhands.studio").onmessage = ({ data }) => data.role === "page" && resolve(data);
          document.querySelector("iframe").contentDocument.querySelector("#plus").click();
        })"""
    )
    assert told["painted"] >= told["received"]


def test_what_prints_in_a_loop_pushes_nothing_else_out(studio: Studio) -> None:
    studio.fire("increment")
    expect(studio.fire("flood")).to_contain_text("done", timeout=20_000)
    studio.open("Code")
    log = studio.page.locator(".logging .log li")
    expect(log.last).to_contain_text("more lines are left out here")
    expect(log.filter(has_text="line 0")).to_have_count(1)
    events = studio.open("Events").locator(".events > li")
    expect(events).to_have_count(2)
    expect(events.first).to_contain_text("ok")


def test_an_event_that_failed_shows_its_error_and_the_line_that_raised(studio: Studio) -> None:
    studio.fire("fail")
    failed = studio.open("Events").locator(".events > li").first
    expect(failed.locator("summary")).to_contain_text("handler_failed")
    failed.locator("summary").click()
    expect(failed).to_contain_text("ValueError: on purpose")
    failed.get_by_role("button", name=f"main.py:{FAILING_LINE}").click()
    expect(studio.page.get_by_label("code", exact=True)).to_be_focused()
    selected = studio.page.get_by_label("code", exact=True).evaluate(
        "(field) => field.value.slice(field.selectionStart, field.selectionEnd)"
    )
    assert selected == '    raise ValueError("on purpose")'


# --- code and log ---


def type_code(studio: Studio, text: str) -> Locator:
    panel = studio.open("Code")
    field = panel.get_by_label("code", exact=True)
    expect(field).to_have_value(re.compile("increment"))
    field.fill(text)
    return panel


def test_the_log_shows_what_the_app_printed_on_start_and_what_handlers_print(studio: Studio) -> None:
    log = studio.open("Code").get_by_label("log")
    expect(log).to_contain_text("the app is being imported")
    studio.fire("increment")
    line = studio.open("Code").locator(".logging .log li").filter(has_text="counted to 1").last
    expect(line).to_contain_text("increment 1")


def test_an_exception_is_logged_with_its_traceback_from_the_apps_own_line_on(studio: Studio) -> None:
    studio.fire("fail")
    line = studio.open("Code").locator(".logging .log li[data-level=error]").last
    expect(line).to_contain_text("ValueError: on purpose")
    expect(line.get_by_role("button", name=f"main.py:{FAILING_LINE}")).to_be_visible()
    assert "manyhands_worker" not in str(line.text_content())


def test_code_is_saved_the_new_handler_shows_at_once_and_the_session_is_kept(studio: Studio) -> None:
    studio.fire("increment")
    expect(studio.state("counter")).to_have_text("1")
    panel = type_code(studio, MAIN + "\n\ndef brand_new(state):\n    state['counter'] += 10\n")
    panel.get_by_role("button", name="Save").click()
    expect(panel).to_contain_text("saved")
    assert "brand_new" in (studio.app / "main.py").read_text()
    expect(studio.open("Handlers").locator("[data-handler=brand_new]")).to_be_visible(timeout=20_000)
    expect(studio.fire("brand_new")).to_contain_text("done", timeout=20_000)
    expect(studio.state("counter")).to_have_text("11")


def test_a_syntax_error_is_shown_while_it_is_typed(studio: Studio) -> None:
    panel = type_code(studio, MAIN + "\ndef broken(:\n    pass\n")
    line = len(MAIN.splitlines()) + 2
    expect(panel.locator(".fault")).to_contain_text(f"line {line}")
    expect(panel.locator(".gutter .wrong")).to_have_text(f"{line}")


def test_lines_are_indented_as_python_wants_them(studio: Studio) -> None:
    panel = type_code(studio, "increment = 1\n")
    field = panel.get_by_label("code", exact=True)
    field.press("Control+End")
    for key in ("d", "e", "f", ":", "Enter", "x", "Enter", "Shift+Tab", "y", "Tab", "z"):
        field.press(key)
    expect(field).to_have_value("increment = 1\ndef:\n    x\ny   z")
    field.select_text()
    field.press("Tab")
    expect(field).to_have_value("    increment = 1\n    def:\n        x\n    y   z")
    expect(panel.locator(".gutter")).to_contain_text("4")


def test_nothing_is_saved_over_what_somebody_else_has_written(studio: Studio) -> None:
    panel = type_code(studio, MAIN + "# mine\n")
    (studio.app / "main.py").write_text(MAIN + "# theirs\n")
    panel.get_by_role("button", name="Save").click()
    expect(panel).to_contain_text("changed by somebody else meanwhile")
    assert (studio.app / "main.py").read_text() == MAIN + "# theirs\n"
    panel.get_by_role("button", name="Keep mine").click()
    panel.get_by_role("button", name="Save").click()
    expect(panel.get_by_role("button", name="Save")).to_be_disabled()
    assert (studio.app / "main.py").read_text() == MAIN + "# mine\n"


def test_the_keyboard_leaves_the_editor_forwards_and_backwards(studio: Studio) -> None:
    field = studio.open("Code").get_by_label("code", exact=True)
    expect(field).to_have_value(re.compile("increment"))
    for keys in ("Tab", "Shift+Tab"):
        field.focus()
        field.press("Escape")
        field.press(keys)
        expect(field).not_to_be_focused()
    expect(field).to_have_value(MAIN)


def test_what_is_typed_stays_when_another_file_is_looked_at_and_can_be_undone(studio: Studio) -> None:
    panel = studio.open("Code")
    field = panel.get_by_label("code", exact=True)
    expect(field).to_have_value(MAIN)
    field.press("Control+Home")
    field.press("#")
    panel.get_by_label("file").select_option("index.html")
    expect(field).to_have_value(re.compile("DOCTYPE"))
    expect(panel.get_by_role("button", name="Save")).to_be_disabled()
    panel.get_by_label("file").select_option("main.py")
    expect(field).to_have_value("#" + MAIN)
    field.press("a")
    studio.open("State")
    studio.open("Code")
    field.press("Control+z")
    expect(field).to_have_value("#" + MAIN)


def test_an_app_that_cannot_be_imported_is_told_with_the_line(studio: Studio) -> None:
    panel = type_code(studio, MAIN + "\nraise RuntimeError('at the end')\n")
    panel.get_by_role("button", name="Save").click()
    line = panel.locator(".logging .log li[data-level=error]").filter(has_text="at the end").last
    expect(line).to_contain_text(f"main.py:{len(MAIN.splitlines()) + 2}", timeout=20_000)
    expect(studio.open("Handlers")).to_contain_text("The app can't be imported: RuntimeError: at the end")


# --- page ---


def test_an_element_is_pointed_at_and_its_handler_written_back_without_another_byte(studio: Studio) -> None:
    studio.select("#minus")
    expect(studio.page.locator(".side > h2")).to_have_text('<button id="minus"> in line 7')
    studio.page.get_by_label("handler of wf-click").select_option("increment")
    expect(studio.frame.locator("#minus")).to_have_attribute("wf-click", "increment")
    expect(studio.page.get_by_label("handler of wf-click")).to_have_value("increment")
    written = INDEX.replace(b'<button id="minus">', b'<button id="minus" wf-click="increment">')
    wait_until(lambda: (studio.app / "index.html").read_bytes() == written, 10, "the handler in the file")
    studio.frame.locator("#minus").click()
    expect(studio.frame.locator("#shown")).to_have_text("1")
    studio.page.get_by_label("handler of wf-click").select_option("")
    # Of a frame that is loaded anew, nothing has any attribute.
    wait_until(lambda: (studio.app / "index.html").read_bytes() == INDEX, 10, "the file as it was")
    expect(studio.frame.locator("#minus")).not_to_have_attribute("wf-click", re.compile(""))


def test_pointing_at_an_element_does_not_click_it(studio: Studio) -> None:
    studio.select("#plus")
    expect(studio.page.get_by_label("handler of wf-click")).to_have_value("increment")
    expect(studio.frame.locator("#shown")).to_have_text("0")


def test_a_disabled_element_is_pointed_at_too(studio: Studio) -> None:
    studio.open("Page")
    expect(studio.frame.locator("#shown")).to_have_text("0")
    studio.page.click("text=Select an element")
    studio.frame.locator("button[disabled]").click(force=True)
    expect(studio.page.locator(".side > h2")).to_have_text("<button> in line 9")


def test_what_is_wrong_with_the_page_is_said_with_its_element_and_mended_by_a_click(studio: Studio) -> None:
    faults = studio.open("Page").locator(".faults li")
    expect(faults.filter(has_text="wf-click names nobody, which is no handler; write def nobody(")).to_be_visible()
    missing = faults.filter(has_text="shows countr, which the state doesn't have; write counter")
    expect(missing).to_be_visible()
    expect(missing).not_to_contain_text("data-mh-at")
    missing.get_by_role("button", name="<i> in line 9").click()
    expect(studio.page.locator(".side > h2")).to_have_text("<i> in line 9")
    studio.page.click("text=all elements")
    faults.get_by_role("button", name='Write id="nobody"').click()
    expect(studio.frame.locator("p#nobody")).to_be_visible()
    expect(faults.filter(has_text="has no id")).to_have_count(0)
    assert (studio.app / "index.html").read_bytes() == INDEX.replace(b'"nobody">', b'"nobody" id="nobody">')
    faults.get_by_role("button", name="Append def nobody to main.py").click()
    expect(studio.page.get_by_label("code", exact=True)).to_be_focused()
    assert "def nobody(state, payload, context):" in (studio.app / "main.py").read_text()


def test_where_the_frame_has_gone_elsewhere_reload_brings_the_page_back(studio: Studio) -> None:
    studio.open("Page")
    expect(studio.frame.locator("#shown")).to_have_text("0")
    for address in ("/static/nothing", "http://127.0.0.1:1/"):
        studio.page.evaluate("(url) => (document.querySelector('iframe').contentWindow.location = url)", address)
        expect(studio.page.locator("#panel-Page > [role=alert]")).to_contain_text("Reload brings index.html back")
        studio.page.get_by_role("button", name="Reload").click()
        expect(studio.frame.locator("#shown")).to_have_text("0")


def test_stub_code_is_shown_and_appended_and_linked(studio: Studio) -> None:
    studio.select("#minus")
    studio.page.get_by_role("button", name="stub code for wf-keydown").click()
    row = studio.page.locator("[data-wf=wf-keydown]")
    expect(row.locator(".stub")).to_contain_text('# payload: {"key": "ArrowRight"')
    row.get_by_role("button", name="Append to main.py and link").click()
    expect(studio.page.get_by_label("code", exact=True)).to_have_value(re.compile("def handle_keydown"))
    assert (studio.app / "main.py").read_text().startswith(MAIN + "\n\ndef handle_keydown(state, payload):")
    assert b'<button id="minus" wf-keydown="handle_keydown">' in (studio.app / "index.html").read_bytes()


def test_each_tag_is_found_where_the_browser_has_its_element(studio: Studio) -> None:
    """Of the marks that the frame's page has, none is lost, doubled or on another element."""
    studio.select("#minus")
    tags = studio.page.evaluate("fetch('/_mh/studio/tags').then((answer) => answer.json())")["tags"]
    marks = studio.frame.locator("html").evaluate(
        "() => [...document.querySelectorAll('[data-mh-at]')].map((one) => [one.localName, Number(one.dataset.mhAt)])"
    )
    assert marks == [[tag["name"], tag["at"]] for tag in tags]


# --- the network ---


def test_a_slow_network_is_played_in_the_frame_and_nowhere_else(studio: Studio) -> None:
    studio.open("Page")
    studio.page.get_by_label("network").select_option("far away, 250 ms")
    expect(studio.frame.locator("#shown")).to_have_text("0")
    studio.frame.locator("#plus").click()
    expect(studio.frame.locator("#shown")).to_have_text("1")
    first = studio.open("Events").locator(".events > li").first
    first.locator("summary").click()
    delivered = first.locator("dt[data-stage=delivered]")
    expect(delivered).to_be_visible()
    values: list[Any] = first.locator("dd").all_text_contents()
    names = first.locator("dt").all_text_contents()
    assert float(values[names.index("delivered")].removesuffix(" ms")) >= 240


def test_offline_the_page_keeps_its_clicks_and_sends_them_once_the_network_is_back(studio: Studio) -> None:
    studio.open("Page")
    expect(studio.frame.locator("html")).to_have_attribute("data-mh-status", "open")
    studio.page.get_by_label("offline").check()
    expect(studio.frame.locator("html")).to_have_attribute("data-mh-status", "connecting")
    studio.frame.locator("#plus").click()
    studio.frame.locator("#plus").click()
    expect(studio.page.locator("html")).to_have_attribute("data-status", "open")
    studio.page.get_by_label("offline").uncheck()
    expect(studio.frame.locator("#shown")).to_have_text("2")


# --- how it looks ---


@pytest.mark.parametrize(
    "studio",
    [{"viewport": {"width": 360, "height": 740}, "color_scheme": scheme} for scheme in ("light", "dark")],
    indirect=True, ids=["light", "dark"],
)  # fmt: skip
def test_on_a_phone_every_tab_fits_and_follows_the_colour_scheme(studio: Studio) -> None:
    dark = studio.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    for tab in ("Page", "Code", "State", "Events", "Handlers"):
        expect(studio.open(tab)).to_be_visible()
        assert studio.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), tab
    background = studio.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(22, 24, 29)" if dark else "rgb(255, 255, 255)")


# --- who may use it ---


def test_the_handlers_that_the_studio_acts_by_are_fired_by_no_page(studio: Studio) -> None:
    ended = studio.page.evaluate(
        """async () => {
          const { connect } = await import("/_mh/client.mjs");
          const payload = { room: null, path: ["counter"], value: 99, remove: false };
          const client = connect({ session: "shared" });
          return Promise.all(["_edit_state", "_reset_state"].map((name) => client.fire(name, payload)));
        }"""
    )
    assert [one["error"]["code"] for one in ended] == ["unknown_handler"] * 2
    expect(studio.state("counter")).to_have_text("0")


def test_a_page_of_another_site_in_the_same_browser_neither_reads_nor_writes(studio: Studio) -> None:
    context = studio.page.context
    context.route("http://evil.test/", lambda route: route.fulfill(body="<p>evil", content_type="text/html"))
    evil = context.new_page()
    evil.goto("http://evil.test/")
    outcomes = evil.evaluate(
        """async (studio) => Promise.all([
          fetch(`${studio}/app`),
          fetch(`${studio}/file?name=main.py`, {
            method: "PUT", body: "{}", headers: { "Content-Type": "application/json" },
          }),
          fetch(`${studio}/stubs`, { method: "POST", body: '{"event": "wf-click"}', mode: "no-cors" }),
          new Promise((resolve, reject) => {
            const script = Object.assign(document.createElement("script"), { src: `${studio}/probe.js` });
            document.body.append(script);
            script.onload = resolve;
            script.onerror = reject;
          }),
        ].map((one) => one.then((answer) => answer?.type === "opaque" ? "opaque" : "read", () => "refused")))""",
        f"{studio.url}/_mh/studio",
    )
    assert "read" not in outcomes
    assert (studio.app / "main.py").read_text() == MAIN
