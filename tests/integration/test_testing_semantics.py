"""The test client and a real fleet, side by side: the same events come to the same ends, and make the same state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from manyhands.testing import End, TestApp
from support.fleet import SEMANTICS, Fleet

#: Handlers and payloads. What tells of time, of processes or of the request would differ between two fleets, too.
EVENTS: list[tuple[str, Any]] = [
    ("increment", None),
    ("async_increment", None),
    ("assign", [[["user", "name"], "Ann"], [["user", "age"]], [["new"], {"a": {"b": [1, {"_hidden": 2}]}}]]),
    ("assign", [[["user"], {"only": 1}], [["gone"]], [["_private"], 5], [["new", "a", "b"], "deeper"]]),
    ("assign", [[["big"], 2**60], [["nan"], 1.5], [["bytes"], b"\x00\xff"], [["a.b", "c d"], "dots"]]),
    ("assign", [[["no", "such", "parent"], 1]]),
    ("append", {"x": [1, None, True]}),
    ("append", "text"),
    ("fail", None),
    ("leave", None),
    ("assign_object", None),
    ("return_object", None),
    ("show", {"n": [1, 2.5, "ü", None, b"bytes"]}),
    ("wrapped", "payload"),
    ("show_secret", None),
    ("show_state", None),
    ("change_in_place", None),
    ("show_state", None),
    ("own_modules", None),
    ("more_handlers.more", None),
    ("block", 0.3),
    ("slow_async", 0.4),
    ("read_sleep_write", None),
    ("nap_until_told_", None),
    ("_helper", None),
    ("needs_more", None),
    ("show_state", None),
]
CONTEXTS: list[dict[str, Any]] = [
    {"event": "wf-click", "target": "one"},
    {"repeaters": [{"state": ["log"], "key": 0}]},
    {"repeaters": [{"state": ["user"], "key": "only", "keyVariable": "k", "valueVariable": "v"}]},
    {"repeaters": [{"state": ["_secret"], "key": "x"}]},
    {"repeaters": "no list"},
]


def told(end: End) -> dict[str, Any]:
    """Give what both are told of an end."""
    error = end.error and {"code": end.error.code, "message": end.error.message}
    return {"ok": end.ok, "result": end.result, "error": error, "accepted": end.accepted}


def test_of_the_same_events_a_fleet_and_the_test_client_make_the_same(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of()
    browser = fleet.tab(subprotocol="manyhands.1.msgpack")

    def ask(handler: str, payload: Any, context: dict[str, Any] | None = None) -> dict[str, Any]:
        n = browser.fire(handler, payload, context)
        browser.wait_for(lambda: n in browser.ended or browser.rejections, what=f"answer to {handler}")
        if browser.rejections:
            refused = browser.rejections.pop()
            error = {"code": refused["code"], "message": refused["message"]}
            return {"ok": False, "result": None, "error": error, "accepted": False}
        return {key: browser.ended[n][key] for key in ("ok", "result", "error")} | {"accepted": True}

    with TestApp(SEMANTICS) as app:
        tab = app.open()
        assert tab.state == browser.state
        for handler, payload in EVENTS:
            assert told(tab.fire(handler, payload)) == ask(handler, payload), handler
            assert tab.state == browser.state, handler
        for context in CONTEXTS:
            end = tab.fire("show_context", None, context)
            assert told(end) == ask("show_context", None, context), context
        tab.reload()
        browser.reconnect()
        assert tab.state == browser.state
