"""Schemas, computed values and subscribers the whole way: through a real gateway, worker and Redis."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manyhands.wire import Failure
from support.browser import Tab
from support.fleet import Fleet
from support.waiting import wait_until

APP = str(Path(__file__).parent.parent / "apps" / "typed")


@pytest.fixture(scope="module", params=["0", "1"], ids=["production", "dev"])
def fleet(request: pytest.FixtureRequest, module_fleet_of: Callable[..., Fleet]) -> Fleet:
    """One worker for all tests of this module; each test has a session of its own."""
    return module_fleet_of(app=APP, environ={"MANYHANDS_DEV": request.param})


@pytest.fixture
def tab(fleet: Fleet) -> Tab:
    return fleet.tab()


def as_dict(update: dict[str, Any]) -> dict[str, Any]:
    """Give what an update sets, by dotted paths."""
    return {".".join(path): value for path, value in update["set"]}


def is_dev(fleet: Fleet) -> bool:
    return fleet.environ["MANYHANDS_DEV"] == "1"


def test_a_new_session_begins_with_class_defaults_and_computed_values(tab: Tab) -> None:
    assert tab.state == {
        "counter": 0, "user": {"first": "Ada", "last": "Lovelace", "full_name": "Ada Lovelace"},
        "chart": {"mark": "bar"}, "divisor": 1, "log": [], "awaited": "",
        "title": "Ada Lovelace: 0", "quotient": 100, "slept": None,
    }  # fmt: skip


def test_the_commit_that_changes_a_dependency_holds_the_computed_value(fleet: Fleet, tab: Tab) -> None:
    done = tab.call("increment")
    assert as_dict(done) == {"counter": 1, "title": "Ada Lovelace: 1"}
    assert done["result"] == "Ada Lovelace: 1"
    done = tab.call("rename", "Eve")
    assert as_dict(done) == {
        "user.first": "Eve", "user.full_name": "Eve Lovelace", "title": "Eve Lovelace: 1",
        "log": ["user.first: Ada -> Eve"],
    }  # fmt: skip
    tab.call("replace_user", {"first": "Zoe", "last": "X"})
    assert tab.state["user"] == {"first": "Zoe", "last": "X", "full_name": "Zoe X"}
    assert tab.state["log"][1:] == ["user.first: Eve -> Zoe"]
    tab.call("rename", "Amy")
    assert tab.state["title"] == "Amy X: 1"
    assert len(tab.state["log"]) == 3
    again = fleet.tab(token=tab.token)
    assert again.state == tab.state
    assert "| computing the full name" in fleet.log


def test_a_value_that_can_not_be_computed_keeps_what_it_was_and_ends_its_event_by_name(fleet: Fleet, tab: Tab) -> None:
    done = tab.call("divide", 0)
    assert done["error"]["code"] == Failure.HANDLER_FAILED
    assert done["error"]["message"].startswith("the computed value quotient ")
    assert ("ZeroDivisionError" in done["error"]["message"]) is is_dev(fleet)
    assert (tab.state["counter"], tab.state["divisor"], tab.state["quotient"]) == (1, 0, 100)
    assert tab.call("divide", 4)["ok"]
    assert tab.state["quotient"] == 25
    assert "ZeroDivisionError" in fleet.log


def test_a_detached_handlers_partial_updates_hold_computed_values_and_what_subscribers_assign(tab: Tab) -> None:
    n = tab.fire("slow_rename", ["Eve", "Zoe", "Amy"])
    done = tab.wait_done(n, 20)
    assert done["result"] == tab.state["title"] == "Amy Lovelace: 0"
    partial = [as_dict(update) for update in tab.updates if not update["done"]]
    renamed = [one for one in partial if "user.first" in one]
    assert renamed
    for one in renamed:
        assert one["user.full_name"] == f"{one['user.first']} Lovelace"
        assert one["title"] == f"{one['user.first']} Lovelace: 0"
        assert one["log"][-1].endswith(f"-> {one['user.first']}")


@pytest.mark.parametrize("handler", ["marry", "marry_async"])
def test_an_async_subscriber_ends_before_its_event_does(tab: Tab, handler: str) -> None:
    done = tab.call(handler, "King")
    assert done["ok"]
    assert as_dict(done)["awaited"] == "King of 1"
    assert as_dict(done)["user.full_name"] == "Ada King"


def test_a_subscriber_that_raises_ends_its_event_by_name_and_the_next_one_works(fleet: Fleet, tab: Tab) -> None:
    done = tab.call("set_counter", 13)
    assert done["error"]["code"] == Failure.HANDLER_FAILED
    assert "the subscriber _refuse to counter " in done["error"]["message"]
    assert ("thirteen" in done["error"]["message"]) is is_dev(fleet)
    assert (tab.state["counter"], tab.state["before"], tab.state.get("after")) == (13, 13, None)
    assert tab.state["title"] == "Ada Lovelace: 13"
    assert "ValueError: thirteen" in fleet.log
    assert tab.call("increment")["ok"]


def test_a_loop_of_subscribers_ends_its_event_and_the_next_one_works(tab: Tab) -> None:
    done = tab.call("set_counter", 99)
    assert done["error"]["code"] == Failure.HANDLER_FAILED
    assert "the subscriber _answer (on counter)" in done["error"]["message"]
    assert tab.call("increment")["ok"]
    assert tab.state["counter"] == 100


def test_a_value_that_breaks_the_schema_is_refused_by_its_field_and_the_rest_is_kept(fleet: Fleet, tab: Tab) -> None:
    for handler, payload, field in (
        ("set_counter", "x", 'state["counter"] is declared as int by AppState, got \'x\' (str)'),
        ("rename", 3, 'state["user"]["first"] is declared as str by UserState, got 3 (int)'),
        ("replace_user", [], 'state["user"] is declared as UserState by AppState, got [] (list)'),
        ("assign_computed", None, 'state["title"] is a computed value, which can\'t be assigned'),
    ):
        done = tab.call(handler, payload)
        assert done["error"]["code"] == Failure.HANDLER_FAILED
        assert (field in done["error"]["message"]) is is_dev(fleet)
        assert field in fleet.log
    assert (tab.state["before"], tab.state["counter"], tab.state["user"]["first"]) == ("x", 0, "Ada")
    assert tab.call("increment")["ok"]


def test_a_declared_dict_is_one_value_in_updates_and_snapshots(fleet: Fleet, tab: Tab) -> None:
    done = tab.call("draw", "line")
    assert done["set"] == [[["chart"], {"mark": "line", "data": {"values": [1, 2]}}]]
    assert fleet.tab(token=tab.token).state["chart"] == {"mark": "line", "data": {"values": [1, 2]}}
    tab.call("draw", "point")
    assert tab.state["chart"] == {"mark": "point", "data": {"values": [1, 2]}}


def test_what_can_not_be_stored_is_named_with_its_path_type_and_cure_and_the_rest_is_kept(tab: Tab) -> None:
    done = tab.call("assign_unstorable")
    assert done["error"]["code"] == Failure.NOT_SERIALISABLE
    message = done["error"]["message"]
    assert 'state["deep"]["list"] holds' in message
    assert "object" in message
    assert "can't be stored: " in message
    assert message.partition("can't be stored: ")[2]
    assert (tab.state["counter"], tab.state["user"]["full_name"]) == (1, "Ada kept")
    assert "deep" not in tab.state
    assert tab.call("increment")["ok"]


def test_a_key_that_is_no_string_is_refused_where_it_is_assigned(fleet: Fleet, tab: Tab) -> None:
    done = tab.call("assign_number_key")
    assert done["error"]["code"] == Failure.HANDLER_FAILED
    text = "keys of the state are strings, got 1 (int) below state[\"deep\"][\"a\"]; use '1'"
    assert (text in done["error"]["message"]) is is_dev(fleet)
    assert text in fleet.log
    assert tab.state["counter"] == 1
    assert tab.call("increment")["ok"]


BEFORE = """
import manyhands as mh

mh.init_state({"counter": 1})

def increment(state):
    state["counter"] += 1
"""
AFTER = """
@mh.computed("counter")
def double(state):
    return state["counter"] * 2

def nothing(): ...
"""


def test_a_session_that_an_older_version_began_gets_computed_values_with_its_next_event(
    fleet_of: Callable[..., Fleet], tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text(BEFORE)
    fleet = fleet_of(app=str(tmp_path))
    tab = fleet.tab()
    tab.call("increment")
    (tmp_path / "main.py").write_text(BEFORE + AFTER)
    assert fleet.workers.pop().terminate() == 0
    fleet.add_worker()
    assert as_dict(tab.call("nothing")) == {"double": 4}
    assert as_dict(tab.call("nothing")) == {}
    assert as_dict(tab.call("increment")) == {"counter": 3, "double": 6}


def test_a_detached_handler_computes_from_what_other_events_have_assigned_meanwhile(tab: Tab) -> None:
    n = tab.fire("slow_rename", ["Eve", "Zoe", "Amy", "Ida"])
    tab.wait_for(lambda: tab.state["user"]["first"] == "Eve")
    assert as_dict(tab.call("marry", "King"))["user.full_name"] == "Eve King"
    assert tab.wait_done(n, 20)["result"] == "Ida King: 1"
    assert (tab.state["user"]["full_name"], tab.state["title"]) == ("Ida King", "Ida King: 1")


def test_a_large_dict_that_is_one_value_comes_back_as_one(fleet: Fleet, tab: Tab) -> None:
    assert tab.call("draw_large", 20_000)["ok"]
    assert tab.call("count_values")["result"] == 20_000


def test_a_value_that_is_computed_slowly_delays_nobody_elses_partial_updates(fleet: Fleet, tab: Tab) -> None:
    other = fleet.tab()
    counting = other.fire("count_slowly", 200)
    other.wait_for(lambda: other.state["counter"] > 0)
    slow = tab.fire("sleep_in_a_partial_update", 4)
    wait_until(lambda: "| computing for 4 seconds" in fleet.log, 20, "computing")
    seen = len(other.updates)
    other.wait_for(lambda: len(other.updates) >= seen + 3)
    tab.read(0)
    assert not tab.has_ended(slow)
    other.cancel(counting)
    assert tab.wait_done(slow, 20)["ok"]
    assert tab.state["slept"] == 4
