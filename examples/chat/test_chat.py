"""Tests of this app: `pytest examples/chat`."""

from pathlib import Path

import pytest

from manyhands.testing import TestApp


@pytest.fixture
def app():
    with TestApp(Path(__file__).parent) as running:
        yield running


def enter(app, room, name):
    """Open a tab in a room, under a name."""
    tab = app.open()
    tab.fire("rename", {"name": name}, check=True)
    tab.fire("enter", {"page_key": room, "route_vars": {}}, check=True)
    return tab


def said(tab, room):
    """Give what a tab shows of a room."""
    messages = tab.shared[room]["messages"]
    return [": ".join(filter(None, (one["name"], one["text"]))) for _, one in sorted(messages.items(), key=_number)]


def _number(item):
    return int(item[0])


def people(tab, room):
    return sorted(tab.shared[room]["people"].values())


def test_all_in_a_room_read_what_one_says(app):
    ann, bob = enter(app, "lobby", "Ann"), enter(app, "lobby", "Bob")
    ann.fire("say", {"text": " <b>tea</b>  anyone? "}, check=True)
    bob.wait_until(lambda: len(said(bob, "lobby")) == 3)
    assert said(bob, "lobby") == ["Ann is here.", "Bob is here.", "Ann: <b>tea</b> anyone?"]
    assert people(ann, "lobby") == ["Ann", "Bob"]


def test_pages_get_messages_and_people_and_nothing_else(app):
    ann = enter(app, "lobby", "Ann")
    ann.fire("say", {"text": "x"}, check=True)
    assert ann.shared["lobby"] == {
        "people": {ann.session_id: "Ann"},
        "messages": {"1": {"name": None, "text": "Ann is here."}, "2": {"name": "Ann", "text": "x"}},
    }


def test_who_goes_to_another_room_leaves_the_first_and_hears_no_more_of_it(app):
    ann, bob = enter(app, "lobby", "Ann"), enter(app, "lobby", "Bob")
    bob.fire("enter", {"page_key": "garden"}, check=True)
    ann.fire("say", {"text": "Bob?"}, check=True)
    assert said(ann, "lobby")[-2:] == ["Bob has left.", "Ann: Bob?"]
    assert people(ann, "lobby") == ["Ann"]
    bob.wait_until(lambda: "garden" in bob.shared)
    assert said(bob, "garden") == ["Bob is here."]
    assert "lobby" not in bob.shared


def test_two_who_change_places_do_not_wait_for_each_other(app):
    ann, bob = enter(app, "lobby", "Ann"), enter(app, "garden", "Bob")
    both = [ann.start("enter", {"page_key": "garden"}), bob.start("enter", {"page_key": "lobby"})]
    assert [one.wait().ok for one in both] == [True, True]
    assert (people(ann, "garden"), people(bob, "lobby")) == (["Ann"], ["Bob"])


def test_another_name_shows_in_the_room(app):
    ann = enter(app, "lobby", "Ann")
    ann.fire("rename", {"name": "Anna"}, check=True)
    assert people(ann, "lobby") == ["Anna"]
    assert said(ann, "lobby")[-1] == "Ann is now Anna."


def test_who_is_silent_for_long_is_shown_out_and_comes_back_when_heard_again(app, monkeypatch):
    ann, bob = enter(app, "lobby", "Ann"), enter(app, "lobby", "Bob")
    monkeypatch.setattr("main.AWAY", -1)
    ann.fire("stay", check=True)
    assert said(ann, "lobby")[2:] == ["Ann has left.", "Bob has left."]
    monkeypatch.setattr("main.AWAY", 150)
    bob.fire("say", {"text": "I was asleep."}, check=True)
    bob.wait_until(lambda: people(bob, "lobby") == ["Bob"])
    assert said(bob, "lobby")[-2:] == ["Bob is here.", "Bob: I was asleep."]


def test_old_messages_go_as_new_ones_come(app, monkeypatch):
    monkeypatch.setattr("main.KEPT", 3)
    ann = enter(app, "lobby", "Ann")
    for word in "abcd":
        ann.fire("say", {"text": word}, check=True)
    assert said(ann, "lobby") == ["Ann: b", "Ann: c", "Ann: d"]


@pytest.mark.parametrize("sent", [None, "lobby", {}, {"page_key": ""}, {"page_key": "cellar"}, {"page_key": ["lobby"]}])
def test_who_asks_for_no_room_is_sent_to_the_lobby(app, sent):
    tab = app.open()
    end = tab.fire("enter", sent, check=True)
    assert [(mail["type"], mail["page"]) for mail in end.mail] == [("set_page", "lobby")]
    assert tab.state["room"] == ""


@pytest.mark.parametrize("sent", [None, 7, [], {}, {"text": None, "name": 3}, {"text": " ", "name": " "}])
@pytest.mark.parametrize("handler", ["say", "rename"])
def test_a_form_that_says_nothing_changes_nothing(app, handler, sent):
    ann = enter(app, "lobby", "Ann")
    ann.fire(handler, sent, check=True)
    assert (ann.state["name"], said(ann, "lobby")) == ("Ann", ["Ann is here."])


def test_who_is_in_no_room_can_not_talk(app):
    tab = app.open()
    for handler in ("say", "rename", "stay"):
        tab.fire(handler, {"text": "x", "name": "y"}, check=True)
    assert tab.shared == {}
