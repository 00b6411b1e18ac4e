"""What reaches Python of a page's events: a real Chromium, gateway, worker and Redis, under a strict policy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from manyhands.content_security import POLICIES

#: As strict as `strict`, but for what Playwright evaluates.
POLICY = f"{POLICIES['strict']}; script-src 'self' 'unsafe-eval'"
APP = Path(__file__).parents[1] / "apps" / "page"


@pytest.fixture(scope="module")
def url(develop: Callable[[Path, str], str]) -> str:
    return develop(APP, POLICY)


@pytest.fixture(autouse=True)
def no_faults(context: BrowserContext) -> Iterator[None]:
    """Fail the test for what its pages raise, and for what their policy refuses."""
    faults: list[str] = []
    context.on("weberror", lambda error: faults.append(str(error.error)))
    context.on("console", lambda said: faults.append(said.text) if "Security Policy" in said.text else None)
    yield
    assert not faults


@pytest.fixture
def page(context: BrowserContext, url: str) -> Page:
    return open_page(context, f"{url}/")


def open_page(context: BrowserContext, address: str) -> Page:
    opened = context.new_page()
    opened.goto(address)
    expect(opened.locator("html")).to_have_attribute("data-mh-status", "open")
    return opened


def seen(page: Page, payload: Any, event: str) -> dict[str, Any]:
    """Wait until a handler was given this payload by such an event, and give its context."""
    what = {"payload": payload, "event": event}
    page.wait_for_function(
        """({ payload, event }) => {
          const { seen } = manyhands.state;
          return JSON.stringify(seen.payload) === JSON.stringify(payload) && seen.context.event === event;
        }""",
        arg=what,
        timeout=10_000,
    )
    context = page.evaluate("manyhands.state.seen.context")
    assert isinstance(context, dict)
    return context


NO_KEYS = {"ctrl_key": False, "shift_key": False, "meta_key": False}


def test_a_click_tells_which_keys_were_held_down(page: Page) -> None:
    page.click("#click", modifiers=["Shift"])
    context = seen(page, NO_KEYS | {"shift_key": True}, "click")
    assert context == {"event": "click", "target": "click"}


def test_changes_bring_the_value_in_its_own_type(page: Page) -> None:
    page.fill("#text", "Ada")
    assert seen(page, "Ada", "change")["target"] == "text"
    page.fill("#number", "2.5")
    seen(page, 2.5, "change")
    page.fill("#number", "")
    seen(page, None, "change")
    page.check("#check")
    seen(page, True, "change")
    page.select_option("#many", ["a", "c"])
    seen(page, ["a", "c"], "change")


def test_a_finished_change_is_told_of_when_the_input_is_left(page: Page) -> None:
    page.click("#finish")
    page.keyboard.type("abc")
    page.click("#click")
    seen(page, NO_KEYS, "click")
    page.fill("#finish", "abcd")
    page.press("#finish", "Enter")
    seen(page, "abcd", "change-finish")


def test_a_form_is_sent_by_the_names_of_its_fields(page: Page) -> None:
    page.fill("[name=name]", "Ada")
    page.fill("[name=age]", "36")
    page.check("[name=agree]")
    page.check("[value=m]")
    page.check("[value=oil]")
    page.select_option("[name=several]", ["b"])
    page.click("[name=button]")
    told = {"name": "Ada", "age": 36, "agree": True, "size": "m", "extra": ["oil"], "several": ["b"], "button": "go"}
    page.wait_for_function("'kind' in manyhands.state.seen")
    assert page.evaluate("manyhands.state.seen.payload") == told
    assert page.url.endswith("/")


def test_keys_are_told_of_by_name(page: Page) -> None:
    page.press("#key", "ArrowRight")
    assert seen(page, {"key": "ArrowRight", **NO_KEYS}, "keydown")["target"] == "key"


def test_files_arrive_as_bytes_small_and_large_ones(page: Page) -> None:
    large = bytes(range(256)) * 8192
    page.set_input_files("#files", [
        {"name": "a.txt", "mimeType": "text/plain", "buffer": b"\x01\x02"},
        {"name": "b.bin", "mimeType": "application/octet-stream", "buffer": large},
    ])  # fmt: skip
    seen(page, [
        {"name": "a.txt", "type": "text/plain", "data": ["bytes", 2, 3]},
        {"name": "b.bin", "type": "application/octet-stream", "data": ["bytes", len(large), sum(large)]},
    ], "file-change")  # fmt: skip
    expect(page.locator("#files[wf-busy]")).to_have_count(0)


def test_the_address_is_told_of_when_the_page_is_opened_and_when_it_changes(context: BrowserContext, url: str) -> None:
    page = open_page(context, f"{url}/#main/animal=duck&name=a%20b")
    page.wait_for_function("manyhands.state.loads === 1")
    route = {"page_key": "main", "route_vars": {"animal": "duck", "name": "a b"}}
    assert page.evaluate("manyhands.state.route") == route
    page.evaluate("location.hash = 'other'")
    assert seen(page, {"page_key": "other", "route_vars": {}}, "hashchange")["target"] == "body"


def test_a_repeaters_event_gives_its_handler_key_and_value(page: Page) -> None:
    page.click("text=second")
    context = seen(page, NO_KEYS, "click")
    assert (context["id"], context["todo"]) == ("b", {"title": "second", "tags": []})
    assert (context["keyVariable"], context["valueVariable"]) == ("id", "todo")
    page.click("i:has-text('y')")
    page.wait_for_function("manyhands.state.seen.context.itemId === '1'")
    inner = page.evaluate("manyhands.state.seen.context")
    assert (inner["item"], inner["id"]) == ("y", "a")
    page.click("ol li:has-text('20')")
    page.wait_for_function("manyhands.state.seen.context.item === 20")


def test_fast_typing_ends_with_what_was_typed(page: Page) -> None:
    page.click("#name")
    page.keyboard.type("the quick brown fox", delay=15)
    expect(page.locator("#shown")).to_have_text("THE QUICK BROWN FOX")
    expect(page.locator("#name")).to_have_value("THE QUICK BROWN FOX")


def test_a_long_task_shows_its_progress_and_is_cancelled(page: Page) -> None:
    page.click("#start")
    expect(page.locator("#start")).to_have_attribute("aria-busy", "true")
    page.wait_for_function("document.querySelector('#progress').value > 4")
    page.evaluate("void (window.task = manyhands.fire('long_task').on('partial', () => (window.came = true)))")
    page.wait_for_function("window.came")
    end = page.evaluate("(task.cancel(), task)")
    assert (end["ok"], end["error"]["code"]) == (False, "cancelled")
    page.evaluate("manyhands.cancel(task.n - 1)")
    expect(page.locator("#start[wf-busy]")).to_have_count(0)


def test_what_fire_gives_tells_of_each_step_and_of_the_end(page: Page) -> None:
    end = page.evaluate("""async () => {
      const steps = [];
      const event = manyhands.fire("double", 21).on("accepted", (n) => steps.push(n));
      const { n, ok, result, error } = await event;
      return { steps, n, ok, result, error };
    }""")
    assert end == {"steps": [end["n"]], "n": end["n"], "ok": True, "result": 42, "error": None}
    failed = page.evaluate("manyhands.fire('fail').on('failed', (error) => (window.why = error.code))")
    assert (failed["ok"], failed["error"]["code"]) == (False, "handler_failed")
    assert page.evaluate("why") == "handler_failed"
    unknown = page.evaluate("manyhands.fire('doubel', 1)")
    assert unknown["error"]["code"] == "unknown_handler"
    assert "double" in unknown["error"]["message"]


def test_a_subscriber_is_called_with_the_new_value_once_a_frame(page: Page) -> None:
    call = "(value) => (window.values ??= []).push(value)"
    page.evaluate(f"void (window.stop = manyhands.subscribe('seen.payload', {call}))")
    page.evaluate("Promise.all([manyhands.fire('see', 1), manyhands.fire('see', 2)])")
    page.wait_for_function("window.values?.at(-1) === 2")
    page.evaluate("stop()")
    page.evaluate("manyhands.fire('see', 3)")
    page.wait_for_function("manyhands.state.seen.payload === 3")
    assert page.evaluate("values.at(-1)") == 2


def test_clicks_made_offline_survive_a_reload_and_run_once_in_their_order(page: Page) -> None:
    # What the first two send is lost, as if the network had died: they have numbers, the others have none.
    page.evaluate("""() => {
      const send = WebSocket.prototype.send;
      WebSocket.prototype.send = () => {};
      for (const payload of [1, 2]) void manyhands.fire("append", payload);
      WebSocket.prototype.send = function (frame) {
        WebSocket.prototype.send = send;
        this.close();
      };
      void manyhands.fire("append", 3);
    }""")
    page.wait_for_function("manyhands.status === 'connecting'")
    page.evaluate("void manyhands.fire('append', 4)")
    page.reload()
    page.wait_for_function("manyhands.state.log?.length >= 4")
    assert page.evaluate("manyhands.fire('append', 'later').then(() => manyhands.state.log)") == [1, 2, 3, 4, "later"]
    assert page.evaluate("[manyhands.unsent, sessionStorage['manyhands.outbox'] ?? null]") == [0, None]


def test_ticks_wait_for_the_answer_and_the_camera_takes_pictures_over_msgpack(
    context: BrowserContext, url: str
) -> None:
    sockets: list[Any] = []
    context.on("page", lambda page: page.on("websocket", lambda socket: sockets.append(socket)))
    page = open_page(context, f"{url}/static/more.html")
    page.wait_for_function("manyhands.state.seen.context?.event === 'webcam'")
    assert page.evaluate("manyhands.state.seen.payload") == ["bytes", True, True]
    page.wait_for_function("manyhands.state.ticks >= 3")
    before, began = page.evaluate("[manyhands.state.ticks, performance.now()]")
    page.wait_for_function("(before) => manyhands.state.ticks >= before + 3", arg=before)
    # Each takes 0.15 s, though the interval is 0.05 s.
    assert page.evaluate("performance.now()") - began > 300
    assert page.evaluate("localStorage.getItem('manyhands.session')") is None, "the session is of this tab alone"


def test_a_program_imports_the_client_in_either_form(context: BrowserContext, url: str) -> None:
    page = context.new_page()
    page.goto(f"{url}/static/plain.html")
    for name in ("client.js", "client.mjs"):
        result = page.evaluate(
            """async (name) => {
              const { connect } = await import(`/_mh/${name}`);
              const client = connect({ session: "tab", protocol: name === "client.js" ? "msgpack" : "json" });
              const end = await client.fire("double", "ab");
              client.close();
              return [end.result, client.status, "manyhands" in window];
            }""",
            name,
        )
        assert result == ["abab", "closed", False]
    text = page.evaluate("fetch('/_mh/client.js').then((answer) => answer.text())")
    assert not re.search(r"^export", text, re.MULTILINE)


def test_tabs_share_a_session_and_those_that_want_their_own_have_it(context: BrowserContext, url: str) -> None:
    first, second = open_page(context, f"{url}/"), open_page(context, f"{url}/")
    first.evaluate("manyhands.fire('see', 'shared')")
    second.wait_for_function("manyhands.state.seen.payload === 'shared'")
    own = open_page(context, f"{url}/static/more.html")
    assert own.evaluate("manyhands.state.seen.payload ?? null") != "shared"
    own.wait_for_function("manyhands.state.ticks >= 1")
    own.reload()
    own.wait_for_function("manyhands.state.ticks >= 2")
