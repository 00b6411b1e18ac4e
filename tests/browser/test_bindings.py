"""What attributes make of a page: bindings, repeaters, inputs, and what the console says to an author."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from support.scripted_gateway import ORIGIN, Gateway

Opened = tuple[Page, Gateway]
Open = Callable[..., Opened]


@pytest.fixture
def opened(context: BrowserContext) -> Open:
    """Open a page with this body and this state."""

    def make(body: str, **state: Any) -> Opened:
        script = '<script src="/_mh/client.js" defer></script>'
        gateway = Gateway(context, f"<!doctype html><title>test</title>{script}<main>{body}</main>")
        page = context.new_page()
        page.goto(f"{ORIGIN}/")
        gateway.welcome(page, state=state)
        return page, gateway

    return make


def painted(page: Page) -> None:
    """Wait until all that has come is shown."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


def test_values_are_shown_as_text_attributes_classes_and_by_hiding(opened: Open) -> None:
    page, gateway = opened(
        '<b id="x" wf-text="name" wf-attr:title="name" wf-attr:aria-pressed="on" wf-attr:disabled="off" '
        'wf-class:warm="on" wf-class:cold="!on" wf-show="off"></b>',
        name="<i>Bob</i>", on=True, off=False,
    )  # fmt: skip
    element = page.locator("#x")
    expect(element).to_have_text("<i>Bob</i>")
    expect(element).to_have_attribute("title", "<i>Bob</i>")
    expect(element).to_have_attribute("aria-pressed", "true")
    expect(element).to_have_class("warm")
    expect(element).to_be_hidden()
    assert element.get_attribute("disabled") is None
    gateway.update(1, (["on"], False), (["off"], True), unset=(["name"],))
    expect(element).to_have_class("cold")
    expect(element).to_have_attribute("disabled", "")
    expect(element).to_have_attribute("aria-pressed", "false")
    expect(element).to_have_text("")
    assert element.get_attribute("title") is None


def test_a_value_can_make_nothing_run(opened: Open) -> None:
    page, _ = opened(
        '<a id="a" wf-attr:href="bad">a</a><a id="b" wf-attr:href="good">b</a><b id="c" wf-attr:onclick="bad"></b>'
        '<iframe id="d" wf-attr:srcdoc="html"></iframe><iframe id="e" wf-attr:src="data"></iframe>'
        '<img id="f" wf-attr:src="picture"><b wf-text="html"></b>',
        bad=" java\nscript:window.ran=1", good="/page", html="<script>window.ran=1</script>",
        data="data:text/html,<script>parent.ran=1</script>", picture="data:image/gif;base64,R0lGODlhAQABAAAAACw=",
    )  # fmt: skip
    assert [page.get_attribute(f"#{name}", "href") for name in "ab"] == [None, "/page"]
    assert page.get_attribute("#c", "onclick") is None
    assert page.get_attribute("#d", "srcdoc") is None
    assert page.get_attribute("#e", "src") is None
    assert page.get_attribute("#f", "src")
    page.click("#a")
    assert page.evaluate("window.ran") is None


def test_only_what_has_changed_is_written(opened: Open) -> None:
    page, gateway = opened('<b id="a" wf-text="a"></b><b id="b" wf-text="b.c"></b>', a=1, b={"c": 1})
    page.evaluate("""() => {
      window.changed = [];
      const observer = new MutationObserver((records) => changed.push(...records.map((one) => one.target.id)));
      observer.observe(document.querySelector("main"), { childList: true, subtree: true, characterData: true });
    }""")
    gateway.update(1, (["b", "c"], 2))
    gateway.update(2, (["b", "c"], 3), (["other"], 1))
    expect(page.locator("#b")).to_have_text("3")
    assert set(page.evaluate("changed")) == {"b"}


TODOS = """
<ul><template wf-each="todos" wf-key="id" wf-value="todo">
  <li><button wf-click="toggle"></button><b wf-text="todo.title"></b><input>
    <template wf-each="todo.tags"><i><s wf-text="id"></s>/<s wf-text="itemId"></s>:<s wf-text="item"></s></i></template>
  </li>
</template></ul>
"""


def todo(title: str, *tags: str) -> dict[str, Any]:
    return {"title": title, "tags": list(tags)}


def test_repeaters_stand_within_repeaters_and_their_events_say_where(opened: Open) -> None:
    page, gateway = opened(TODOS, todos={"a": todo("first", "x", "y"), "b.c": todo("second")})
    expect(page.locator("li b")).to_have_text(["first", "second"])
    expect(page.locator("i")).to_have_text(["a/0:x", "a/1:y"])
    gateway.update(1, (["todos", "b.c", "tags"], ["z"]), (["todos", "d"], todo("third")), unset=(["todos", "a"],))
    expect(page.locator("li b")).to_have_text(["second", "third"])
    expect(page.locator("i")).to_have_text(["b.c/0:z"])
    page.click("li:has-text('second') button")
    event = gateway.take(page, "event")
    assert event["context"] == {
        "event": "click",
        "repeaters": [{"state": ["todos"], "key": "b.c", "keyVariable": "id", "valueVariable": "todo"}],
    }


def test_focus_and_what_is_half_typed_survive_when_others_come_go_and_move(opened: Open) -> None:
    page, gateway = opened(TODOS, todos={"a": todo("A"), "b": todo("B"), "c": todo("C")})
    field = page.locator("li:has-text('B') input")
    field.click()
    page.keyboard.type("half ty")
    page.evaluate("document.activeElement.mine = true")
    for seq, keys in enumerate(("cba", "bca", "xcb", "b", "abc"), 1):
        gateway.update(seq, (["todos"], {key: todo(key.upper()) for key in keys}))
        expect(page.locator("li b")).to_have_text([key.upper() for key in keys])
        assert page.evaluate("document.activeElement.mine && document.activeElement.value") == "half ty"
    page.keyboard.type("ped")
    expect(field).to_have_value("half typed")


def test_a_select_has_the_value_of_the_state_also_when_its_options_come_later(opened: Open) -> None:
    page, gateway = opened(
        '<select wf-value="choice"><template wf-each="options"><option wf-attr:value="itemId" wf-text="item"></option>'
        '</template></select><select id="many" multiple wf-value="several"><option>a<option>b<option>c</select>',
        choice="two", several=["a", "c"],
    )  # fmt: skip
    gateway.update(1, (["options"], {"one": "One", "two": "Two"}))
    expect(page.locator("select").first).to_have_value("two")
    expect(page.locator("#many")).to_have_values(["a", "c"])


def test_elements_that_a_script_adds_are_bound_and_removed_ones_are_not(opened: Open) -> None:
    page, gateway = opened("", a=1)
    page.evaluate("""() => {
      document.querySelector("main").innerHTML = '<p><b wf-text="a"></b></p>';
      window.old = document.querySelector("b");
    }""")
    expect(page.locator("b")).to_have_text("1")
    page.evaluate("old.remove()")
    gateway.update(1, (["a"], 2))
    page.evaluate("document.querySelector('main').append(Object.assign(document.createElement('i')))")
    painted(page)
    assert page.evaluate("old.textContent") == "1"


def test_typing_fast_in_a_slow_network_loses_no_key_and_never_jumps_back(opened: Open) -> None:
    page, gateway = opened(
        '<input id="name" wf-model="name" wf-change="rename"><b id="shown" wf-text="name"></b>', name=""
    )
    page.click("#name")
    page.keyboard.type("a")
    first = gateway.take(page, "event")
    page.keyboard.type("bcd")
    gateway.answer(first, 1, (["name"], "A"))
    second = gateway.take(page, "event")
    expect(page.locator("#name")).to_have_value("abcd")
    page.keyboard.type("e")
    gateway.answer(second, 2, (["name"], "ABCD"))
    third = gateway.take(page, "event")
    assert [one["payload"] for one in (first, second, third)] == ["a", "abcd", "abcde"]
    expect(page.locator("#name")).to_have_value("abcde")
    gateway.answer(third, 3, (["name"], "ABCDE"))
    # All is answered: now the input shows what the handler has made of it.
    expect(page.locator("#name")).to_have_value("ABCDE")
    expect(page.locator("#shown")).to_have_text("ABCDE")
    assert gateway.frames == []


def test_what_is_typed_into_a_model_shows_elsewhere_at_once(opened: Open) -> None:
    page, _ = opened('<input id="n" wf-model="user.name" wf-change-finish="save"><b wf-text="user.name"></b>', user={})
    page.click("#n")
    page.keyboard.type("Ada")
    expect(page.locator("b")).to_have_text("Ada")


def test_a_click_finds_all_that_was_typed_before_it(opened: Open) -> None:
    page, gateway = opened('<input id="name" wf-change="rename"><button id="go" wf-click="go">go</button>')
    page.click("#name")
    page.keyboard.type("abc")
    page.click("#go")
    events = [gateway.take(page, "event") for _ in range(3)]
    assert [one["handler"] for one in events] == ["rename", "rename", "go"]
    assert [one["payload"] for one in events[:2]] == ["a", "abc"]


def test_what_is_typed_on_while_a_form_is_answered_is_not_lost(opened: Open) -> None:
    page, gateway = opened(
        '<form id="f" wf-submit="add"><input id="a" name="a" wf-model="a"><input id="b" name="b" wf-model="b">'
        "<button>go</button></form>",
        a="", b="",
    )  # fmt: skip
    page.fill("#b", "sent")
    page.fill("#a", "sent")
    page.keyboard.press("Enter")
    event = gateway.take(page, "event")
    page.keyboard.type(" and more")
    gateway.answer(event, 1, (["a"], ""), (["b"], ""))
    expect(page.locator("#b")).to_have_value("")
    painted(page)
    expect(page.locator("#a")).to_have_value("sent and more")
    page.keyboard.press("Enter")
    event = gateway.take(page, "event")
    assert event["payload"] == {"a": "sent and more", "b": ""}
    gateway.answer(event, 2, (["a"], ""))
    expect(page.locator("#a")).to_have_value("")


def test_what_is_typed_offline_is_one_event_with_the_newest_value(opened: Open) -> None:
    page, gateway = opened('<input id="name" wf-change="rename">')
    gateway.sockets[-1].close(code=1001)
    page.wait_for_function("manyhands.status === 'connecting'")
    page.click("#name")
    page.keyboard.type("abc")
    gateway.welcome(page)
    assert gateway.take(page, "event")["payload"] == "abc"


def test_an_element_shows_that_its_event_runs(opened: Open) -> None:
    page, gateway = opened('<button id="go" wf-click="go">go</button>')
    page.click("#go")
    page.click("#go")
    one, two = gateway.take(page, "event"), gateway.take(page, "event")
    expect(page.locator("#go")).to_have_attribute("aria-busy", "true")
    gateway.answer(one, 1)
    painted(page)
    expect(page.locator("#go[wf-busy]")).to_have_count(1)
    gateway.answer(two, 2)
    expect(page.locator("#go[wf-busy], #go[aria-busy]")).to_have_count(0)


def test_values_of_a_room_are_shown_and_forgotten_when_it_is_left(opened: Open) -> None:
    page, gateway = opened('<b wf-text="@lobby.topic"></b>')
    gateway.send(type="update", shared="lobby", seq=7, state={"topic": "tea"}, event=None, done=False)
    expect(page.locator("b")).to_have_text("tea")
    gateway.send(type="update", shared="lobby", seq=8, set=[[["topic"], "coffee"]], unset=[], event=None, done=False)
    expect(page.locator("b")).to_have_text("coffee")
    assert page.evaluate("manyhands.shared.lobby.topic") == "coffee"
    gateway.sockets[-1].close(code=1001)
    hello = gateway.welcome(page, shared={"lobby": {"seq": 8}})
    assert hello["shared"] == {"lobby": 8}
    expect(page.locator("b")).to_have_text("coffee")
    gateway.send(type="update", shared="lobby", seq=9, state=None, event=None, done=False)
    expect(page.locator("b")).to_have_text("")
    assert page.evaluate("manyhands.shared.lobby") is None


def test_a_repeater_of_all_rooms_shows_those_that_the_session_is_in(opened: Open) -> None:
    page, gateway = opened(
        '<template wf-each="@" wf-key="name" wf-value="room"><p><b wf-text="name"></b>: <i wf-text="room.topic"></i>'
        '<template wf-each="room.said"><button wf-click="answer" wf-text="item"></button></template></p></template>'
    )
    expect(page.locator("p")).to_have_count(0)
    gateway.send(
        type="update", shared="a.lobby", seq=7, state={"topic": "tea", "said": {"4": "hello"}}, event=None, done=False
    )
    expect(page.locator("p")).to_have_text(["a.lobby: teahello"])
    gateway.send(
        type="update", shared="a.lobby", seq=8, set=[[["said", "5"], "ho"]], unset=[], event=None, done=False
    )
    page.click("text=ho >> nth=-1")
    around = gateway.take(page, "event")["context"]["repeaters"]
    assert [(one["state"], one["key"]) for one in around] == [(["@"], "a.lobby"), (["@", "a.lobby", "said"], "5")]

    gateway.send(type="update", shared="hall", seq=1, state={"topic": "rain"}, event=None, done=False)
    gateway.send(type="update", shared="a.lobby", seq=9, state=None, event=None, done=False)
    expect(page.locator("p")).to_have_text(["hall: rain"])
    gateway.sockets[-1].close(code=1001)
    gateway.welcome(page, shared={"library": {"seq": 1, "state": {"topic": "books"}}})
    expect(page.locator("p")).to_have_text(["library: books"])


def test_a_large_value_is_fetched_and_shown(opened: Open, context: BrowserContext) -> None:
    asked: list[str | None] = []

    def serve(route: Route) -> None:
        asked.append(route.request.header_value("authorization"))
        route.fulfill(json=["x", {"$bytes": "AA=="}])

    context.route("**/_mh/blob/**", serve)
    large = {"$blob": "/_mh/blob/s/1", "type": "application/json", "size": 9}
    page, _ = opened('<b wf-text="large.0"></b>', large=large)
    expect(page.locator("b")).to_have_text("x")
    assert asked == ["Bearer token-1"]
    assert page.evaluate("manyhands.state.large[1] instanceof Uint8Array")


MISTAKES = {
    '<b wf-text="conter"></b>': 'no_path: <b wf-text="conter"> shows conter, which the state doesn\'t have; write c',
    '<b wf-text="user.nme"></b>': "shows user.nme, which the state doesn't have; write name for nme",
    '<b wf-text="user.name.first"></b>': "shows user.name.first, which the state doesn't have; give it a value",
    '<template wf-each="rows"><b wf-text="item.titel"></b></template>': "shows item.titel, which",
    '<input wf-model="counter">': "model_alone",
    '<b wf-text="elsewhere"></b>': "give it a value with init_state",
    '<button wf-click="go">x</button>': 'no_id: <button wf-click="go"> has no id',
    '<b id="a" wf-click="go"></b><i id="a"></i>': 'same_id: <b id="a" wf-click="go">',
    '<b id="a" wf-clik="go"></b>': '<b id="a" wf-clik="go"> has wf-clik, which means nothing; write wf-click',
    '<b wf-attr:onclick="counter"></b>': "unsafe_attribute",
}  # fmt: skip


@pytest.mark.parametrize("body", MISTAKES)
def test_the_console_names_the_element_and_says_what_to_write_instead(
    context: BrowserContext, opened: Open, body: str
) -> None:
    heard: list[str] = []
    context.on("console", lambda message: heard.append(message.text))
    with context.expect_console_message(lambda message: message.text.startswith("manyhands: ")):
        page, gateway = opened(body, counter=1, user={"name": "Bob"}, rows={"a": {"title": "a"}, "b": {"title": "b"}})
    for seq in (1, 2):
        gateway.update(seq, (["counter"], seq))
    page.wait_for_function("manyhands.state.counter === 2")
    painted(page)
    ours = [text for text in heard if text.startswith("manyhands: ")]
    assert len(ours) == 1, heard
    assert MISTAKES[body] in ours[0]


def test_what_may_come_yet_is_no_mistake(context: BrowserContext, opened: Open) -> None:
    heard: list[str] = []
    context.on("console", lambda message: heard.append(message.text))
    page, gateway = opened(
        '<b wf-text="user.name"></b><b wf-text="rows.0.name"></b><b wf-text="@lobby.text"></b><b wf-text="!none"></b>'
        '<form wf-submit="save" id="f"><template wf-each="rows"><input wf-model="item.name"></template></form>'
        '<input wf-model="none" form="f"><p wf-change="set" id="p"><input wf-model="none"></p>',
        user=None, rows=[], none=None,
    )  # fmt: skip
    gateway.update(1, (["rows"], [{"name": "x"}]))
    page.locator("form input").wait_for()
    painted(page)
    assert heard == []
    with context.expect_console_message(lambda message: "shows @lobby.text" in message.text) as said:
        gateway.send(type="update", shared="lobby", seq=1, state={"txet": 1})
    assert "write text" not in said.value.text
    assert "write txet for text" in said.value.text


def test_a_handler_that_does_not_exist_is_named_with_the_element(opened: Open) -> None:
    page, gateway = opened('<button id="plus" wf-click="incremnt">+1</button>')
    page.click("#plus")
    event = gateway.take(page, "event")
    message = "there is no handler incremnt; did you mean increment?"
    with page.expect_console_message(lambda message: "incremnt" in message.text) as said:
        gateway.send(type="rejected", n=event["n"], code="unknown_handler", message=message, retry_after=None)
    assert message in said.value.text
    assert '<button id="plus" wf-click="incremnt">' in said.value.text
    expect(page.locator("#plus[wf-busy]")).to_have_count(0)


def test_half_typed_text_of_a_form_survives_an_update_until_it_is_sent(opened: Open) -> None:
    page, gateway = opened(
        '<form id="f" wf-submit="save"><input id="name" name="name" wf-value="name">'
        '<input id="b" name="b"><button>go</button></form>',
        name="Bob",
    )
    page.fill("#name", "half")
    page.click("#b")
    gateway.update(1, (["name"], "Eve"))
    painted(page)
    expect(page.locator("#name")).to_have_value("half")
    page.press("#b", "Enter")
    event = gateway.take(page, "event")
    assert event["payload"] == {"name": "half", "b": ""}
    gateway.answer(event, 2, (["name"], "HALF"))
    expect(page.locator("#name")).to_have_value("HALF")


def test_a_checkbox_follows_the_state_also_while_it_has_the_focus_and_a_reset_form_too(opened: Open) -> None:
    page, gateway = opened(
        '<form><input id="done" type="checkbox" wf-value="done" wf-change="toggle"><input id="n" wf-value="n"></form>',
        done=False, n="Bob",
    )  # fmt: skip
    page.check("#done")
    gateway.answer(gateway.take(page, "event"), 1, (["done"], True))
    gateway.update(2, (["done"], False))
    expect(page.locator("#done")).not_to_be_checked()
    page.fill("#n", "half")
    page.evaluate("document.activeElement.blur(), document.forms[0].reset()")
    expect(page.locator("#n")).to_have_value("Bob")


def test_each_input_within_one_element_that_hears_of_changes_is_answered_for_itself(opened: Open) -> None:
    page, gateway = opened(
        '<fieldset id="f" wf-change="set"><input id="a" wf-value="a"><input id="b" wf-value="b"></fieldset>',
        a="", b="",
    )  # fmt: skip
    page.fill("#a", "1")
    page.fill("#a", "12")
    page.fill("#b", "x")
    first, second = gateway.take(page, "event"), gateway.take(page, "event")
    assert [(one["payload"], one["context"]["target"]) for one in (first, second)] == [("1", "f"), ("x", "f")]
    gateway.answer(first, 1, (["a"], "1"))
    third = gateway.take(page, "event")
    assert third["payload"] == "12", "what was typed first is not lost for what was typed beside it"
    gateway.answer(second, 2, (["b"], "x"))
    gateway.answer(third, 3, (["a"], "12"))
    page.evaluate("document.activeElement.blur()")
    gateway.update(4, (["a"], "A"), (["b"], "B"))
    expect(page.locator("#a")).to_have_value("A")
    expect(page.locator("#b")).to_have_value("B")


def test_a_number_that_is_being_typed_is_not_written_anew(opened: Open) -> None:
    page, gateway = opened('<input id="n" type="number" wf-model="n" wf-change="set">', n=None)
    for seq, key in enumerate("1.05", 1):
        page.locator("#n").press_sequentially(key)
        event = gateway.take(page, "event")
        gateway.answer(event, seq, (["n"], event["payload"]))
        painted(page)
    assert event["payload"] == 1.05
    gateway.update(5, (["n"], 2.5))
    expect(page.locator("#n")).to_have_value("2.5")


def test_what_an_input_method_composes_is_left_alone(opened: Open) -> None:
    page, gateway = opened(
        '<input id="name" wf-model="name" wf-change="set" wf-keydown="key"><b wf-text="name"></b>', name=""
    )
    page.focus("#name")
    session = page.context.new_cdp_session(page)
    session.send("Input.imeSetComposition", {"text": "ni", "selectionStart": 2, "selectionEnd": 2})
    typed = gateway.take(page, "event")
    assert typed["payload"] == "ni"
    gateway.answer(typed, 1, (["name"], "NI"))
    expect(page.locator("b")).to_have_text("NI")
    painted(page)
    expect(page.locator("#name")).to_have_value("ni")
    page.evaluate("""document.getElementById('name').dispatchEvent(
        new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true}))""")
    session.send("Input.insertText", {"text": "你"})
    composed = gateway.take(page, "event")
    assert (composed["handler"], composed["payload"]) == ("set", "你")
    gateway.answer(composed, 2, (["name"], "你!"))
    expect(page.locator("#name")).to_have_value("你!")


def test_files_that_cannot_be_sent_are_said_and_leave_their_input_as_it_was(
    opened: Open, context: BrowserContext
) -> None:
    page, gateway = opened('<input id="f" type="file" multiple wf-file-change="take">')
    context.route("**/_mh/upload**", lambda route: route.fulfill(status=413, body="an upload has at most 9 bytes"))
    files: list[Any] = [{"name": "large", "mimeType": "", "buffer": b"x" * 300_000}]
    with page.expect_console_message(lambda message: "an upload has at most 9 bytes" in message.text):
        page.set_input_files("#f", files)
    expect(page.locator("#f[aria-busy]")).to_have_count(0)
    page.set_input_files("#f", [{"name": "empty", "mimeType": "text/plain", "buffer": b""}])
    event = gateway.take(page, "event")
    assert event["payload"] == [{"name": "empty", "type": "text/plain", "data": {"$bytes": ""}}]


def test_a_form_that_no_handler_takes_does_not_load_the_page_anew(opened: Open) -> None:
    page, gateway = opened(
        '<form><input id="draft" wf-model="draft" wf-change-finish="add"></form>'
        '<form><button id="go" wf-click="go">x</button></form>'
        '<dialog open><form method="dialog"><button id="ok" wf-click="ok">x</button></form></dialog>',
        draft="",
    )
    page.evaluate("window.same = true")
    page.fill("#draft", "x")
    page.press("#draft", "Enter")
    page.click("#go")
    page.click("#ok")
    assert [gateway.take(page, "event")["handler"] for _ in range(3)] == ["add", "go", "ok"]
    expect(page.locator("dialog")).to_be_hidden()
    assert page.evaluate("window.same")


def test_fields_may_be_called_as_objects_call_things_themselves(opened: Open) -> None:
    page, gateway = opened(
        '<form id="f" wf-submit="save"><input type="checkbox" name="constructor" value="a" checked>'
        '<input type="checkbox" name="constructor" value="b" checked><input type="radio" name="__proto__" value="p">'
        '<button id="b">x</button></form>'
    )
    page.click("#b")
    assert gateway.take(page, "event")["payload"] == {"constructor": ["a", "b"], "__proto__": None}


def test_a_style_is_set_also_where_the_pages_policy_allows_none_in_attributes(
    opened: Open, context: BrowserContext
) -> None:
    page, gateway = opened('<p id="x" wf-attr:style="style">x</p>', style="width: 50px")
    page.evaluate("""() => {
      const policy = document.createElement("meta");
      Object.assign(policy, { httpEquiv: "Content-Security-Policy", content: "style-src 'self'" });
      document.head.append(policy);
    }""")
    gateway.update(1, (["style"], "width: 60px"))
    expect(page.locator("#x")).to_have_css("width", "60px")
    gateway.update(2, (["style"], None))
    expect(page.locator("#x")).not_to_have_css("width", "60px")
