"""Tests of this app: `pytest examples/data`."""

from pathlib import Path

import pytest

from manyhands.testing import TestApp


@pytest.fixture
def tab():
    with TestApp(Path(__file__).parent) as app:
        yield app.open()


def column(tab, name):
    rides = tab.state["rides"]
    place = rides["columns"].index(name)
    return [row[place] for row in rides["rows"]]


def test_only_a_page_of_the_rides_is_sent_and_sorted_by_the_server(tab):
    assert len(tab.state["rides"]["rows"]) == 25
    assert tab.state["rides"]["length"] == 10_000
    tab.fire("show", {"page": 0, "size": 10, "sort": "Minutes", "descending": True}, check=True)
    assert column(tab, "Minutes") == [60.0] * 10


def test_a_filter_changes_table_plot_and_words_and_begins_at_the_first_page(tab):
    tab.fire("show", {"page": 3, "size": 25, "sort": "km", "descending": False}, check=True)
    tab.fire("choose_station", "Harbour", check=True)
    tab.fire("only_members", True, check=True)
    end = tab.fire("set_longest", 10, check=True)
    assert set().union(*(update.set for update in end.updates)) == {"filter.longest", "rides", "plot", "found"}
    rides = tab.state["rides"]
    assert (rides["page"], rides["sort"]) == (0, "km")
    assert set(column(tab, "From")) == {"Harbour"}
    assert all(column(tab, "Member"))
    assert tab.state["found"].startswith(f"{rides['length']:,} of 10,000 rides")
    assert tab.state["plot"]["data"][1]["name"] == "Others"


def test_the_download_has_all_that_was_chosen_as_it_is_sorted(tab):
    tab.fire("choose_station", "Park", check=True)
    tab.fire("show", {"page": 0, "size": 25, "sort": "km", "descending": True}, check=True)
    [mail] = tab.fire("download", check=True).mail
    assert mail["name"] == "rides.csv"
    first, *lines = tab.fetch(mail["url"]).decode().splitlines()
    assert first == "Started,From,To,Minutes,km,Member,Rating"
    assert len(lines) == tab.state["rides"]["length"]
    assert float(lines[0].split(",")[4]) == column(tab, "km")[0]


@pytest.mark.parametrize("sent", [None, 7, [], {"sort": "nothing"}, {"page": -1}, {"page": "1"}, {"more": 1}])
def test_a_page_that_cannot_be_meant_changes_nothing(tab, sent):
    before = tab.state["rides"]
    assert tab.fire("show", sent).error.code == "handler_failed"
    assert tab.state["rides"] == before
    tab.fire("only_members", True, check=True)


@pytest.mark.parametrize(("handler", "sent"), [
    ("choose_station", "nowhere"), ("choose_station", ["Park"]), ("set_longest", -1), ("set_longest", True),
    ("only_members", "yes"),
])
def test_a_filter_that_does_not_exist_lets_everything_through(tab, handler, sent):
    tab.fire(handler, sent, check=True)
    assert tab.state["rides"]["length"] == 10_000
