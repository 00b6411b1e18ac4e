"""Tests of this app, as you may write them for yours: `pytest examples/llm_stream`."""

import sys
from pathlib import Path

import pytest

from manyhands.testing import TestApp

KEY = "mf2k9x01-00000001"


@pytest.fixture
def tab():
    with TestApp(Path(__file__).parent) as app:
        yield app.open()


@pytest.fixture
def quick(monkeypatch, tab):
    """Let the model answer quickly, but not within the handler's turn."""
    monkeypatch.setattr(sys.modules["main"], "SECONDS_A_PIECE", 0.004)


def ask(tab, question="Why?", key=KEY):
    return tab.start("ask", {"key": key, "question": question})


def click_stop(tab, key=KEY):
    return tab.fire("stop", context={"event": "click", "repeaters": [{"state": ["answers"], "key": key}]}, check=True)


def test_an_answer_grows_piece_by_piece(tab, quick):
    asked = ask(tab)
    tab.wait_until(lambda: tab.state["answers"])
    assert tab.state["answers"][KEY]["streaming"]
    end = asked.wait(check=True)
    answer = tab.state["answers"][KEY]
    assert answer["text"].startswith("You asked: “Why?”")
    assert answer["text"].endswith("begins my answer anew.")
    assert (answer["streaming"], answer["note"]) == (False, "")
    assert len(end.updates) > 2


def test_an_answer_is_stopped_by_its_button(tab):
    asked = ask(tab)
    tab.wait_until(lambda: tab.state["answers"] and tab.state["answers"][KEY]["text"])
    click_stop(tab)
    assert asked.wait().ok
    answer = tab.state["answers"][KEY]
    assert answer["text"].startswith("You asked: ")
    assert (answer["streaming"], answer["note"]) == (False, "Stopped.")


def test_an_answer_that_a_script_cancels_says_so(tab):
    asked = ask(tab)
    tab.wait_until(lambda: tab.state["answers"])
    asked.cancel()
    assert asked.wait().error.code == "cancelled"
    answer = tab.state["answers"][KEY]
    assert (answer["streaming"], answer["note"]) == (False, "Stopped by the page.")


def test_a_model_that_fails_is_told_of_and_what_it_said_stays(tab, quick):
    assert ask(tab, "Please fail.").wait().ok
    answer = tab.state["answers"][KEY]
    assert answer["text"].startswith("You asked: “Please fail.”")
    assert answer["note"] == "The model gave up: it was asked to fail."


def test_two_questions_are_answered_at_the_same_time_and_a_fourth_has_to_wait(tab):
    asked = [ask(tab, f"question {n}", f"mf2k9x01-0000000{n}") for n in (1, 2, 3, 4)]
    assert [mail["title"] for mail in asked[3].wait(check=True).mail] == ["One moment"]
    tab.wait_until(lambda: all(one["text"] for one in tab.state["answers"].values()))
    assert {one["question"] for one in tab.state["answers"].values()} == {"question 1", "question 2", "question 3"}
    tab.fire("clear", check=True)
    assert all(one.wait().ok for one in asked)
    tab.fire("clear", check=True)
    assert tab.state["answers"] == {}


def test_a_question_that_is_asked_twice_under_one_key_is_answered_once(tab, quick):
    ask(tab).wait(check=True)
    text = tab.state["answers"][KEY]["text"]
    assert ask(tab).wait(check=True).updates[0].set == {}
    assert tab.state["answers"][KEY]["text"] == text


def test_of_many_answers_the_oldest_go(tab, monkeypatch):
    monkeypatch.setattr(sys.modules["main"], "SECONDS_A_PIECE", 0)
    monkeypatch.setattr(sys.modules["main"], "MOST_ANSWERS", 2)
    for key in ("mf2k9x02-aaaaaaaa", "mf2k9x01-aaaaaaaa", "mf2k9x03-aaaaaaaa"):
        ask(tab, key=key).wait(check=True)
    assert sorted(tab.state["answers"]) == ["mf2k9x02-aaaaaaaa", "mf2k9x03-aaaaaaaa"]


@pytest.mark.parametrize(
    "payload",
    [None, [], {}, {"key": KEY}, {"key": KEY, "question": "  "}, {"key": KEY, "question": "x" * 501},
     {"key": KEY, "question": 7}, {"key": "_hidden", "question": "?"}, {"key": [KEY], "question": "?"}],
)  # fmt: skip
def test_what_is_no_question_is_refused(tab, payload):
    assert tab.fire("ask", payload).error.code == "handler_failed"
    assert tab.state["answers"] == {}


def test_stop_of_what_is_not_there_does_nothing(tab):
    click_stop(tab)
    tab.fire("stop", check=True)
    assert tab.state["answers"] == {}
