"""Tests of this app, as you may write them for yours: `pytest examples/long_task`."""

import sys
from pathlib import Path

import pytest

from manyhands.testing import TestApp

APP = Path(__file__).parent


@pytest.fixture
def tab():
    with TestApp(APP) as app:
        yield app.open()


@pytest.fixture
def hurry(monkeypatch, tab):
    """Let towns answer quickly from when it is called, but not so quickly that a run ends within its turn."""
    return lambda: monkeypatch.setattr(sys.modules["main"], "SECONDS_A_TOWN", 0.03)


@pytest.fixture
def quick(hurry):
    """Let towns answer quickly."""
    hurry()


def told(end):
    """The keys of the answers that an event has sent: the first ones with the dict that they are put into."""
    for update in end.updates:
        yield from update.set.get("sales", {})
        yield from (path.split(".")[1] for path in update.set if path.startswith("sales."))


def test_all_towns_are_asked_and_the_page_is_told(tab, quick):
    end = tab.fire("start", check=True)
    assert len(tab.state["sales"]) == 24
    assert (tab.state["running"], tab.state["progress"]) == (False, 1)
    assert [(mail["kind"], mail["title"]) for mail in end.mail] == [("success", "All towns have answered.")]


def test_each_answer_is_sent_once(tab, quick):
    end = tab.fire("start", check=True)
    assert len(end.updates) > 1
    assert len(list(told(end))) == 24


def test_a_click_on_cancel_stops_it_and_what_was_found_stays(tab):
    task = tab.start("start")
    tab.wait_until(lambda: tab.state["sales"])
    tab.fire("increment", check=True)
    tab.fire("cancel", check=True)
    end = task.wait()
    assert end.ok
    assert end.output == "connected\nconnection closed\n"
    assert (tab.state["running"], tab.state["message"], tab.state["counter"]) == (False, "Cancelled.", 1)
    assert 0 < len(tab.state["sales"]) < 24


def test_a_task_that_a_script_cancels_closes_its_connection_and_says_so(tab):
    task = tab.start("start")
    tab.wait_until(lambda: tab.state["sales"])
    task.cancel()
    end = task.wait()
    assert end.error.code == "cancelled"
    assert end.output == "connected\nconnection closed\n"
    assert (tab.state["running"], tab.state["message"]) == (False, "Cancelled by the page.")


def test_a_second_start_goes_on_where_the_first_was(tab, hurry):
    first = tab.start("start")
    tab.wait_until(lambda: tab.state["sales"])
    second = tab.start("start")
    ends = [first.wait(check=True)]
    assert not second.ended
    hurry()
    ends.append(second.wait(check=True))
    # Those that the first was asking when the second began may be asked twice.
    assert 24 <= sum(len(list(told(end))) for end in ends) <= 28
    assert [len(end.mail) for end in ends] == [0, 1]
    assert tab.state["message"] == "All towns have answered."


def test_a_start_after_the_end_begins_anew(tab, quick):
    tab.fire("start", check=True)
    again = tab.start("start")
    tab.wait_until(lambda: tab.state["running"])
    assert tab.state["progress"] < 1
    assert again.wait().ok


def test_a_task_that_fails_says_so_and_can_be_started_again(tab, quick, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(sys.modules["main"], "_ask", lambda town: 1 // 0)
        end = tab.fire("start")
    assert end.error.code == "handler_failed"
    assert (tab.state["running"], tab.state["message"]) == (False, "Something went wrong.")
    tab.fire("start", check=True)
    assert tab.state["progress"] == 1
