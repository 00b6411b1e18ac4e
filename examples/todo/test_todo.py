"""Tests of this app: `pytest examples/todo`."""

from pathlib import Path

import pytest

from manyhands.testing import TestApp


@pytest.fixture
def tab():
    with TestApp(Path(__file__).parent) as app:
        yield app.open()


def row(key):
    """What an event of a row of the page's repeater says of it."""
    return {"repeaters": [{"state": ["todos"], "key": key, "keyVariable": "id", "valueVariable": "todo"}]}


def add(tab, *titles):
    for title in titles:
        tab.fire("add", {"title": title}, check=True)
    return list(tab.state["todos"])


def titles(tab):
    return [todo["title"] for todo in tab.state["todos"].values()]


def test_what_is_added_is_open_and_the_input_is_empty_again(tab):
    end = tab.fire("add", {"title": "  buy   tea "}, check=True)
    assert tab.state["todos"] == {"1": {"title": "buy tea", "done": False}}
    assert tab.state["counts"] == {"all": 1, "open": 1, "done": 0}
    assert end.updates[-1].set["draft"] == ""


def test_ticking_one_off_sends_it_and_the_counts_and_nothing_else(tab):
    first, _ = add(tab, "one", "two")
    end = tab.fire("toggle", True, row(first), check=True)
    assert set(end.updates[-1].set) == {f"todos.{first}.done", "counts"}
    tab.fire("toggle", True, row(first), check=True)
    assert tab.state["counts"]["done"] == 1


def test_an_id_is_never_given_twice(tab):
    first, second = add(tab, "one", "two")
    tab.fire("remove", None, row(second), check=True)
    assert add(tab, "three") == [first, "3"]


def test_what_is_done_is_cleared_and_the_rest_stays(tab):
    one, _, three = add(tab, "one", "two", "three")
    for key in (one, three):
        tab.fire("toggle", True, row(key), check=True)
    tab.fire("clear_done", check=True)
    assert titles(tab) == ["two"]


def test_a_title_is_changed_unless_it_would_be_empty(tab):
    [key] = add(tab, "tee")
    tab.fire("rename", "tea", row(key), check=True)
    tab.fire("rename", "   ", row(key), check=True)
    assert titles(tab) == ["tea"]


def test_the_hint_says_why_there_is_nothing_to_see(tab):
    assert tab.state["hint"] == "Nothing here yet."
    add(tab, "one")
    assert tab.state["hint"] == ""
    tab.fire("choose", "done", check=True)
    assert tab.state["hint"] == "Nothing done yet."


@pytest.mark.parametrize("sent", [None, 7, [], {}, {"title": None}, {"title": ["x"]}, {"title": " "}])
def test_a_form_that_says_nothing_adds_nothing(tab, sent):
    tab.fire("add", sent, check=True)
    assert tab.state["todos"] == {}


@pytest.mark.parametrize("context", [None, row("99"), row("")])
@pytest.mark.parametrize("handler", ["toggle", "rename", "remove"])
def test_a_row_that_is_gone_changes_nothing(tab, handler, context):
    add(tab, "one")
    before = dict(tab.state["todos"])
    tab.fire(handler, "x", context, check=True)
    assert tab.state["todos"] == before


@pytest.mark.parametrize("sent", ["", "none", None, ["all"], {"all": 1}])
def test_a_filter_that_does_not_exist_is_not_chosen(tab, sent):
    tab.fire("choose", sent, check=True)
    assert tab.state["filter"] == "all"


def test_titles_and_the_list_are_bounded(tab, monkeypatch):
    monkeypatch.setattr("main.MOST", 2)
    add(tab, "x" * 10_000, "two")
    end = tab.fire("add", {"title": "three"}, check=True)
    assert [len(title) for title in titles(tab)] == [200, 3]
    assert end.mail[0]["title"] == "The list is full"
