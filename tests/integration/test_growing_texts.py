"""Texts that grow while browsers look on: each learns what was added, once, and all see the same text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from support.browser import JSON, MSGPACK, Tab
from support.fleet import Fleet

#: Partial updates come often, so that few words make many of them.
ENVIRON = {"MANYHANDS_TURN_LIMIT": "0.03", "MANYHANDS_PARTIAL_INTERVAL": "0.03"}
WORDS = [f"word {n} " for n in range(200)]
TEXT = ["messages", "1", "text"]


@pytest.fixture(scope="module")
def fleet(module_fleet_of: Callable[..., Fleet]) -> Fleet:
    return module_fleet_of(gateways=2, workers=2, environ=ENVIRON)


def said_of(updates: Sequence[dict[str, Any]], path: Sequence[str]) -> list[str]:
    """Give all that updates said of a text, whole or added."""
    return [said for one in updates for where, said in (*one["set"], *one.get("add", ())) if where == path]


def tabs_of(fleet: Fleet, count: int) -> list[Tab]:
    """Open tabs of one session, at both gateways and in both subprotocols, that read additions."""
    first = fleet.tab(add=True)
    others = [
        fleet.tab(number % 2, token=first.token, add=True, subprotocol=(JSON, MSGPACK)[number // 2 % 2])
        for number in range(1, count)
    ]
    return [first, *others]


def wait_same(tabs: Sequence[Tab], seq: int) -> None:
    for tab in tabs:
        tab.wait_for(lambda tab=tab: tab.seq == seq, 20)  # type: ignore[misc]


def test_of_a_text_that_is_streamed_each_word_travels_once(fleet: Fleet) -> None:
    tabs = tabs_of(fleet, 4)
    assert tabs[0].call("speak", [TEXT, WORDS, 0.005], timeout=30)["ok"]
    wait_same(tabs, tabs[0].seq or 0)
    text = "".join(WORDS)
    for tab in tabs:
        said = said_of(tab.updates, TEXT)
        assert len(said) > 10, "there were few partial updates, so this shows little"
        # Only the first few words are too short a text for it to be worth while.
        assert len("".join(said)) < len(text) + 500
        assert tab.state["messages"]["1"]["text"] == text


@pytest.mark.parametrize("length", [10_000, 20_000])
def test_one_click_that_adds_to_a_long_text_sends_what_it_added(fleet: Fleet, length: int) -> None:
    tab = fleet.tab(add=True)
    tab.call("say", [["log"], "x" * length])
    update = tab.call("say", [["log"], " and y"])
    assert update["add"] == [[["log"], " and y"]]
    assert update["set"] == []
    assert tab.state["log"] == "x" * length + " and y"


def test_a_text_that_browsers_fetch_apart_is_fetched_again(fleet: Fleet) -> None:
    tab = fleet.tab(add=True)
    tab.call("say", [["log"], "x" * 40_000])
    assert "add" not in tab.call("say", [["log"], " and y"])
    assert tab.state["log"] == "x" * 40_000 + " and y"


def test_whoever_writes_to_a_text_at_the_same_time_all_browsers_see_the_same(fleet: Fleet) -> None:
    tabs = tabs_of(fleet, 4)
    spoken = [tab.fire("speak", [TEXT, WORDS[:100], 0.005]) for tab in tabs]
    for number in range(30):
        tab = tabs[number % 4]
        tab.call("say", [TEXT, f"<{number}>"] if number % 7 else [["messages", "2"], "another"])
        if number % 10 == 5:
            tab.call("assign", [[["messages", "1"], {"text": "from the beginning " * 4}]])
    for tab, n in zip(tabs, spoken, strict=True):
        tab.wait_done(n, 30)
    last = tabs[0].call("show", 1)["seq"]
    wait_same(tabs, last)
    fresh = fleet.tab(token=tabs[0].token)
    assert [tab.state for tab in tabs] == [fresh.state] * 4
    assert any("add" in update for update in tabs[0].updates)


def test_a_browser_that_was_away_gets_what_was_added_meanwhile(fleet: Fleet) -> None:
    tab = fleet.tab(add=True)
    other = fleet.tab(1, token=tab.token, add=True, subprotocol=MSGPACK)
    n = tab.fire("speak", [TEXT, WORDS, 0.005])
    for gateway in (1, 0, 1):
        words = len(other.updates) + 5
        other.wait_for(lambda words=words: len(other.updates) > words, 20)  # type: ignore[misc]
        welcome = other.reconnect(fleet.urls[gateway])
        assert "state" not in welcome
    tab.wait_done(n, 30)
    wait_same([other], tab.seq or 0)
    assert other.state == tab.state
    assert other.state["messages"]["1"]["text"] == "".join(WORDS)


def test_a_browser_that_reads_no_additions_may_come_at_any_time(fleet: Fleet) -> None:
    tab = fleet.tab(add=True)
    n = tab.fire("speak", [TEXT, WORDS, 0.005])
    tab.wait_for(lambda: len(said_of(tab.updates, TEXT)) > 5, 20)
    plain = fleet.tab(1, token=tab.token)
    tab.wait_done(n, 30)
    wait_same([plain], tab.seq or 0)
    assert plain.state == tab.state

    # It goes, and what it has missed is whole.
    plain.drop()
    assert "add" not in tab.call("say", [TEXT, "!"])
    plain.connect(fleet.urls[0])
    assert "state" not in plain.join()
    wait_same([plain], tab.seq or 0)
    assert plain.state == tab.state


def test_a_browser_that_missed_additions_which_it_cannot_read_gets_the_whole_state(fleet: Fleet) -> None:
    tab = fleet.tab(add=True)
    tab.call("say", [["log"], "x" * 100])
    seq = tab.seq
    assert "add" in tab.call("say", [["log"], "y"])
    plain = fleet.tab(token=tab.token, hello=False)
    plain.seq = seq
    welcome = plain.join()
    assert welcome["state"]["log"] == "x" * 100 + "y"
