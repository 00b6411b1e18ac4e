"""Tests of this app, as you may write them for yours: `pytest examples/hello`."""

from pathlib import Path

import pytest

from manyhands.testing import TestApp


@pytest.fixture
def tab():
    with TestApp(Path(__file__).parent) as app:
        yield app.open()


def test_a_click_counts(tab):
    for _ in range(3):
        tab.fire("increment", check=True)
    assert tab.state["counter"] == 3


@pytest.mark.parametrize(
    ("sent", "greeted"),
    [(" Ada ", "Hello, Ada!"), ("", "Hello, whoever you are."), (7, "Hello, whoever you are.")],
)
def test_whoever_gives_a_name_is_greeted(tab, sent, greeted):
    tab.fire("greet", sent, check=True)
    assert tab.state["greeting"] == greeted


def test_the_task_shows_its_progress_and_can_be_cancelled(tab):
    task = tab.start("start")
    tab.wait_until(lambda: tab.state["task"]["progress"] > 0)
    tab.fire("increment", check=True)
    tab.fire("cancel", check=True)

    assert task.wait().ok
    assert tab.state["task"]["message"].startswith("Cancelled at ")
    assert tab.state["counter"] == 1


def test_a_second_start_replaces_the_first(tab):
    first = tab.start("start")
    tab.wait_until(lambda: tab.state["task"]["run"] == 1)
    second = tab.start("start")
    assert first.wait().ok
    assert not second.ended
    second.cancel()
    assert second.wait().error.code == "cancelled"
