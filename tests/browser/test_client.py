"""The browser client against a scripted gateway: what it sends, shows and survives, in a real Chromium."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from support.scripted_gateway import ORIGIN, Gateway

PAGE = """<!doctype html>
<title>test</title>
<script src="/_mh/client.js" defer></script>
<b id="counter" wf-text="counter"></b> <b id="nested" wf-text="user.name"></b> <b id="odd" wf-text="constructor"></b>
<button id="plus" wf-click="increment"><i>+1</i></button>
<input id="name" wf-change="rename" wf-value="user.name">
<progress id="bar" max="10" wf-value="progress"></progress> <input id="after" wf-value="after">
<input id="check" type="checkbox" wf-change="tick">
"""

#: Makes of each pause a moment, and notes how long it would have been; but 20 s without an answer don't pass.
NO_PAUSES = """() => {
  window.wait = setTimeout;
  window.setTimeout = (call, ms) => ms === 20000 ? 0 : (window.pause = ms, wait(call, 1));
}"""


@pytest.fixture
def gateway(context: BrowserContext) -> Gateway:
    return Gateway(context, PAGE)


@pytest.fixture
def page(context: BrowserContext, gateway: Gateway) -> Page:
    opened = context.new_page()
    opened.goto(f"{ORIGIN}/")
    return opened


def state(page: Page) -> Any:
    return page.evaluate("manyhands.state")


def test_it_says_hello_without_a_session_and_shows_the_state_it_is_given(page: Page, gateway: Gateway) -> None:
    expect(page.locator("html")).to_have_attribute("data-mh-status", "connecting")
    hello = gateway.welcome(page, state={"counter": 3, "user": {"name": "<i>Bob</i>"}})

    assert set(hello) == {"type", "client", "add"}
    assert len(hello["client"]) == 32
    expect(page.locator("html")).to_have_attribute("data-mh-status", "open")
    expect(page.locator("#counter")).to_have_text("3")
    expect(page.locator("#nested")).to_have_text("<i>Bob</i>")
    expect(page.locator("#name")).to_have_value("<i>Bob</i>")
    expect(page.locator("#odd")).to_have_text("")


def test_clicks_and_changes_are_numbered_on_from_the_welcome(page: Page, gateway: Gateway) -> None:
    gateway.welcome(page, n=7, state={})
    page.click("#plus i")
    page.fill("#name", "Ada")
    page.press("#name", "Enter")
    page.check("#check")

    click, change, tick = (gateway.take(page, "event") for _ in range(3))
    assert click == {
        "type": "event", "n": 8, "handler": "increment",
        "payload": {"ctrl_key": False, "shift_key": False, "meta_key": False},
        "context": {"event": "click", "target": "plus"},
    }  # fmt: skip
    assert (change["n"], change["handler"], change["payload"]) == (9, "rename", "Ada")
    assert (tick["n"], tick["payload"]) == (10, True)


def test_a_click_before_the_welcome_is_sent_after_it(page: Page, gateway: Gateway) -> None:
    page.click("#plus")
    gateway.welcome(page, n=4, state={})

    assert gateway.take(page, "event")["n"] == 5


def test_updates_unset_first_and_then_set(page: Page, gateway: Gateway) -> None:
    gateway.welcome(page, seq=5, state={"a": {"b": 1, "c": 2}, "counter": 1})
    gateway.update(6, (["a", "d", "e"], 3), (["counter"], 2), unset=(["a", "b"], ["no", "such"]))
    gateway.update(7, (["a"], {"b": 9}))
    gateway.update(8, (["counter", "x"], 1))
    gateway.update(8, (["counter"], "seen already"))
    gateway.update(9, (["constructor", "prototype", "polluted"], 1), (["user"], {"name": None}))
    expect(page.locator("#counter")).to_have_text('{"x":1}')
    page.wait_for_function("manyhands.state.constructor.prototype")

    assert state(page)["a"] == {"b": 9}
    assert page.evaluate("({}).polluted") is None
    expect(page.locator("#nested")).to_have_text("")


def test_an_input_is_not_changed_under_the_users_fingers(page: Page, gateway: Gateway) -> None:
    gateway.welcome(page, state={"user": {"name": "Bob"}, "counter": 0})
    page.fill("#name", "Ada is typ")
    gateway.update(1, (["user", "name"], "Eve"), (["counter"], 1))
    expect(page.locator("#counter")).to_have_text("1")

    expect(page.locator("#name")).to_have_value("Ada is typ")


def test_after_a_broken_connection_it_resumes_and_sends_again_what_was_not_accepted(
    page: Page, gateway: Gateway
) -> None:
    first = gateway.welcome(page, state={"counter": 0})
    page.click("#plus")
    page.click("#plus")
    one, two = gateway.take(page, "event"), gateway.take(page, "event")
    gateway.send(type="accepted", n=one["n"])
    gateway.update(1, (["counter"], 1))
    expect(page.locator("#counter")).to_have_text("1")
    gateway.sockets[-1].close(code=1001)
    page.click("#plus")
    again = gateway.welcome(page, n=one["n"], resumed=True, seq=1)

    assert again == {**first, "session": "token-1", "seq": 1}
    assert gateway.take(page, "event") == two
    assert gateway.take(page, "event")["n"] == two["n"] + 1
    assert state(page) == {"counter": 1}


def test_a_gap_in_the_updates_makes_it_resume(page: Page, gateway: Gateway) -> None:
    gateway.welcome(page, state={"counter": 0})
    gateway.update(2, (["counter"], 2))

    assert gateway.take(page, "hello")["seq"] == 0


def test_a_session_that_is_gone_is_forgotten_and_a_new_one_begun(page: Page, gateway: Gateway) -> None:
    gateway.welcome(page, seq=5, state={"counter": 5})
    gateway.sockets[-1].close(code=4001, reason="expired")
    hello = gateway.welcome(page, session="token-2", state={"counter": 0})

    assert set(hello) == {"type", "client", "add"}
    expect(page.locator("#counter")).to_have_text("0")
    assert page.evaluate("localStorage['manyhands.session']") == "token-2"


def test_a_session_that_another_tab_has_begun_is_entered_from_its_beginning(page: Page, gateway: Gateway) -> None:
    first = gateway.welcome(page, n=7, seq=5, state={"counter": 5, "old": True})
    page.click("#plus")
    gateway.take(page, "event")
    page.evaluate("localStorage['manyhands.session'] = 'token-2'")
    with page.expect_console_message(lambda message: "increment was dropped" in message.text):
        gateway.sockets[-1].close(code=1001)
        page.evaluate("void manyhands.fire('later')")
        hello = gateway.welcome(page, session="token-2", seq=2, state={"counter": 2})
    gateway.update(3, (["counter"], 3))

    assert hello == {"type": "hello", "client": first["client"], "add": True, "session": "token-2"}
    event = gateway.take(page, "event")
    assert (event["n"], event["handler"]) == (1, "later"), "what was never sent goes to the new session"
    expect(page.locator("#counter")).to_have_text("3")
    assert state(page) == {"counter": 3}


def test_an_event_may_belong_to_a_trace(page: Page, gateway: Gateway) -> None:
    gateway.welcome(page, state={})
    more = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    page.evaluate("(more) => void manyhands.fire('traced', null, {}, more)", more)
    page.evaluate("void manyhands.fire('untraced')")
    traced, untraced = gateway.take(page, "event"), gateway.take(page, "event")
    assert traced["traceparent"] == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert "traceparent" not in untraced


def test_the_event_that_was_too_large_is_dropped_and_the_others_are_sent_again(page: Page, gateway: Gateway) -> None:
    gateway.welcome(page, state={})
    page.evaluate("['small', 'x'.repeat(1000), 'more'].map((payload, i) => manyhands.fire(`handler${i}`, payload))")
    small, _, more = (gateway.take(page, "event") for _ in range(3))
    with page.expect_console_message(lambda message: "handler1 was dropped" in message.text) as caught:
        gateway.sockets[-1].close(code=1009)
    gateway.welcome(page, resumed=True)

    assert caught.value.type == "error"
    assert [gateway.take(page, "event"), gateway.take(page, "event")] == [small, more]


def pause_after(page: Page, gateway: Gateway) -> float:
    """Close the connection; give the milliseconds that the client will wait."""
    page.evaluate(NO_PAUSES)
    gateway.sockets[-1].close(code=1001)
    page.wait_for_function("window.pause !== undefined")
    page.evaluate("window.setTimeout = wait")
    return float(page.evaluate("const ms = window.pause; delete window.pause; ms"))


def test_only_what_was_accepted_makes_the_next_pause_short_again(page: Page, gateway: Gateway) -> None:
    pauses = []
    for n in range(5):
        gateway.welcome(page, state={"counter": n})
        pauses.append(pause_after(page, gateway))
    gateway.welcome(page, state={})
    page.click("#plus")
    gateway.send(type="accepted", n=gateway.take(page, "event")["n"])
    gateway.update(1, (["counter"], 9))
    expect(page.locator("#counter")).to_have_text("9")

    assert pauses[-1] >= 2000
    assert pause_after(page, gateway) <= 250


def test_a_connection_that_has_lived_makes_the_next_pause_short_again(page: Page, gateway: Gateway) -> None:
    for _ in range(5):
        gateway.welcome(page, state={})
        pause_after(page, gateway)
    gateway.welcome(page, state={})
    page.evaluate("const now = performance.now(); performance.now = () => now + 6000")

    assert pause_after(page, gateway) <= 250


@pytest.mark.parametrize("seconds", [0.05, None])
def test_an_event_that_no_worker_can_run_yet_is_kept_and_sent_again(
    page: Page, gateway: Gateway, seconds: float | None
) -> None:
    gateway.welcome(page, state={})
    page.click("#plus")
    event = gateway.take(page, "event")
    gateway.send(type="rejected", n=event["n"], code="no_worker", message="none yet", retry_after=seconds)

    assert gateway.take(page, "event") == event


def test_an_element_that_refuses_its_value_is_named_and_keeps_no_other_from_its_own(
    page: Page, gateway: Gateway
) -> None:
    with page.expect_console_message(lambda message: 'id="bar"' in message.text) as caught:
        gateway.welcome(page, state={"progress": "half", "after": "shown"})

    assert caught.value.type == "error"
    expect(page.locator("#after")).to_have_value("shown")


def test_without_a_worker_it_says_hello_again_on_the_same_socket(page: Page, gateway: Gateway) -> None:
    first = gateway.take(page, "hello")
    gateway.send(type="rejected", n=None, code="no_worker", message="none yet", retry_after=0.05)
    again = gateway.welcome(page, state={})

    assert again == first
    assert len(gateway.sockets) == 1


def test_an_event_that_may_come_again_is_sent_again_with_its_number_and_before_later_ones(
    page: Page, gateway: Gateway
) -> None:
    gateway.welcome(page, state={})
    page.click("#plus")
    event = gateway.take(page, "event")
    gateway.send(type="rejected", n=event["n"], code="unavailable", message="Redis", retry_after=0.3)
    gateway.send(type="log", level="info", text="seen", event=None, time=0)
    page.wait_for_function("manyhands.unsent === 1")
    page.evaluate("void manyhands.fire('later')")

    assert gateway.take(page, "event") == event
    assert gateway.take(page, "event")["handler"] == "later"


def test_an_event_that_is_refused_for_good_is_dropped(page: Page, gateway: Gateway) -> None:
    gateway.welcome(page, state={})
    page.click("#plus")
    event = gateway.take(page, "event")
    with page.expect_console_message(lambda message: "unknown_handler: no such" in message.text):
        gateway.send(type="rejected", n=event["n"], code="unknown_handler", message="no such", retry_after=None)
    gateway.sockets[-1].close(code=1001)
    gateway.welcome(page, n=event["n"])
    page.click("#plus")

    assert gateway.take(page, "event")["n"] == event["n"] + 1


@pytest.mark.parametrize("code", [4000, 4003])
def test_what_reconnecting_cannot_mend_is_not_tried_again(page: Page, gateway: Gateway, code: int) -> None:
    gateway.welcome(page, state={})
    with page.expect_console_message(lambda message: f"({code} because)" in message.text):
        gateway.sockets[-1].close(code=code, reason="because")

    expect(page.locator("html")).to_have_attribute("data-mh-status", "closed")


def test_a_reload_is_the_same_client_and_another_tab_another_client_of_the_same_session(
    page: Page, gateway: Gateway, context: BrowserContext
) -> None:
    first = gateway.welcome(page, state={})
    page.reload()
    reloaded = gateway.welcome(page, state={})
    other = context.new_page()
    other.goto(f"{ORIGIN}/")
    tab = gateway.welcome(other, state={})

    assert reloaded["client"] == first["client"] != tab["client"]
    assert first.get("session") is None
    assert reloaded["session"] == tab["session"] == "token-1"
    assert "seq" not in reloaded


def test_a_restart_is_followed_after_its_delay(page: Page, gateway: Gateway) -> None:
    gateway.welcome(page, state={})
    gateway.send(type="restart", delay=0.01)
    gateway.sockets[-1].close(code=1012)
    gateway.welcome(page)

    assert len(gateway.sockets) == 2


@pytest.mark.parametrize("reason", ["flooding: more than 50 pings", "`hello` must come within 5 s"])
def test_a_close_that_time_mends_is_followed_by_a_long_pause_and_another_try(
    page: Page, gateway: Gateway, reason: str
) -> None:
    gateway.welcome(page, state={})
    page.evaluate(NO_PAUSES)
    gateway.sockets[-1].close(code=4000, reason=reason)
    gateway.welcome(page, resumed=True)

    assert page.evaluate("window.pause") >= 5000


def test_an_event_that_could_not_be_sent_within_its_lifetime_is_dropped(page: Page, gateway: Gateway) -> None:
    gateway.welcome(page, state={})
    gateway.sockets[-1].close(code=1001)
    page.wait_for_function("manyhands.status === 'connecting'")
    page.evaluate("void (window.late = manyhands.fire('late', null, {}, {lifetime: 0.001}))")
    page.evaluate("void manyhands.fire('kept', null, {}, {lifetime: 60})")
    with page.expect_console_message(lambda message: "late was dropped" in message.text):
        gateway.welcome(page)

    assert page.evaluate("late")["error"]["code"] == "expired"
    assert gateway.take(page, "event")["handler"] == "kept"


def test_an_event_is_cancelled_before_it_is_sent_and_also_once_the_connection_is_back(
    page: Page, gateway: Gateway
) -> None:
    gateway.welcome(page, state={})
    page.evaluate("void (window.sent = manyhands.fire('sent'))")
    n = gateway.take(page, "event")["n"]
    gateway.send(type="accepted", n=n)
    page.wait_for_function("manyhands.unsent === 0")
    gateway.sockets[-1].close(code=1001)
    page.wait_for_function("manyhands.status === 'connecting'")
    page.evaluate("void (window.never = manyhands.fire('never'))")
    page.evaluate("(never.cancel(), sent.cancel())")
    gateway.welcome(page, n=n, pending=[n], ended=[])

    assert page.evaluate("never")["error"]["code"] == "cancelled"
    assert gateway.take(page, "cancel")["n"] == n


def test_after_a_welcome_with_the_state_each_event_ends_as_it_says(page: Page, gateway: Gateway) -> None:
    gateway.welcome(page, state={})
    page.evaluate("void (window.events = ['a', 'b', 'c'].map((name) => manyhands.fire(name)))")
    numbers = [gateway.take(page, "event")["n"] for _ in range(3)]
    for n in numbers:
        gateway.send(type="accepted", n=n)
    page.wait_for_function("manyhands.unsent === 0")
    page.evaluate("void manyhands.onMail('greet', (mail, own) => (window.mail = [mail.text, own]))")
    gateway.sockets[-1].close(code=1001)
    mail = [{"type": "greet", "text": "hi"}]
    ended = [{"n": numbers[0], "ok": True, "result": 7, "error": None, "mail": mail}]
    gateway.welcome(page, n=numbers[2], seq=9, state={}, pending=[numbers[1]], ended=ended)
    one, three = page.evaluate("Promise.all([events[0], events[2]])")

    assert (one["ok"], one["result"]) == (True, 7)
    assert (three["ok"], three["error"]["code"]) == (None, "unknown_end")
    assert page.evaluate("Promise.race([events[1], 'still running'])") == "still running"
    assert page.evaluate("window.mail") == ["hi", True]


def test_the_page_says_that_it_is_not_connected_and_what_waits(page: Page, gateway: Gateway) -> None:
    status = page.get_by_role("status")
    gateway.welcome(page, state={})
    expect(status).to_be_hidden()
    gateway.sockets[-1].close(code=1001)
    page.wait_for_function("manyhands.status === 'connecting'")
    page.click("#plus")
    expect(status).to_contain_text("Not connected")
    expect(status).to_contain_text("(1)")
    page.add_style_tag(content=".mh-status { display: none }")
    expect(status).to_be_hidden()
    gateway.welcome(page)
    expect(page.locator(".mh-status")).to_have_text("")
    gateway.sockets[-1].close(code=4003, reason="not you")
    expect(page.locator(".mh-status")).to_contain_text("not you")


def test_what_an_authors_code_raises_and_payloads_that_cannot_be_sent_disturb_nothing_else(
    page: Page, gateway: Gateway
) -> None:
    page.evaluate("""() => {
      const fail = () => { throw new Error("the author's"); };
      manyhands.subscribe("counter", fail);
      for (const what of ["status", "welcome", "unsent"]) manyhands.on(what, fail);
      const loop = {};
      loop.loop = loop;
      window.bad = manyhands.fire("bad", loop);
    }""")
    gateway.welcome(page, state={"counter": 1})
    expect(page.locator("#counter")).to_have_text("1")
    assert page.evaluate("bad")["error"]["code"] == "bad_payload"
    gateway.update(1, (["counter"], 2))
    gateway.update(2, (["user"], {"name": "Ada"}))
    expect(page.locator("#nested")).to_have_text("Ada")
    expect(page.locator("#counter")).to_have_text("2")
    page.evaluate("void manyhands.fire('good')")
    assert gateway.take(page, "event")["handler"] == "good"


def test_what_waits_for_a_part_of_the_client_that_cannot_be_loaded_is_done_in_order_once_it_can(
    page: Page, gateway: Gateway
) -> None:
    gateway.missing.add("page.mjs")
    gateway.welcome(page, state={})
    with page.expect_console_message(lambda message: "no_part: page.mjs can't be loaded" in message.text):
        for seq, name in enumerate(("one", "two"), 1):
            mail = [{"type": "set_route_vars", "vars": {name: str(seq), "last": name}}]
            gateway.send(type="update", seq=seq, event={"client": "x", "n": seq}, done=True, ok=True, mail=mail)
    gateway.missing.clear()
    page.wait_for_function("location.hash === '#/one=1&last=two&two=2'")


def test_the_page_hears_what_is_said_to_its_author(page: Page, gateway: Gateway) -> None:
    page.evaluate("""() => {
      window.said = [];
      const hear = ({ detail: { code, message, element } }) => said.push([code, message, element?.id]);
      addEventListener("manyhands:diagnostic", hear);
    }""")
    gateway.welcome(page, state={"user": {"nome": "x"}})
    page.wait_for_function("said.length === 5")
    gateway.send(type="rejected", n=None, code="bad_frame", message="no such thing", retry_after=None)
    page.wait_for_function("said.length === 6")
    said = {code: (message, element) for code, message, element in page.evaluate("said") if element in ("nested", None)}
    assert said["no_path"][0].endswith("shows user.name, which the state doesn't have; write nome for name")
    assert said["bad_frame"] == ("no such thing", None)


def test_a_connection_on_which_nothing_is_answered_is_given_up_for_another_one(page: Page, gateway: Gateway) -> None:
    page.clock.install()
    gateway.welcome(page, state={})
    page.evaluate("void manyhands.fire('lost')")
    first = gateway.take(page, "event")
    page.clock.run_for(21_000)
    gateway.welcome(page, n=0)
    assert gateway.take(page, "event") == first
    gateway.send(type="accepted", n=first["n"])
    page.wait_for_function("manyhands.unsent === 0")
    page.clock.run_for(60_000)
    assert page.evaluate("manyhands.status") == "open", "an event may run for as long as it wants"


def test_a_page_that_is_looked_at_again_finds_out_whether_its_connection_lives(page: Page, gateway: Gateway) -> None:
    gateway.welcome(page, state={})
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert gateway.take(page, "cancel")["n"] == 2**53 - 1


def test_tabs_that_have_begun_two_sessions_at_once_meet_in_the_latest(
    page: Page, gateway: Gateway, context: BrowserContext
) -> None:
    gateway.welcome(page, state={"counter": 1})
    one, other = gateway.sockets[-1], context.new_page()
    other.goto(f"{ORIGIN}/")
    gateway.take(other, "hello")
    other.evaluate("localStorage.removeItem('manyhands.session')")
    page.wait_for_timeout(0)
    gateway.send(type="welcome", session="token-2", resumed=False, seq=0, n=0, state={"counter": 2})
    assert one is not gateway.sockets[-1]
    hello = gateway.welcome(page, session="token-2", seq=0, state={"counter": 2})
    assert hello["session"] == "token-2"
    assert state(page) == {"counter": 2}
