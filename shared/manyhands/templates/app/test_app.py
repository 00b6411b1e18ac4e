"""Tests of this app's handlers: `pytest` in this directory."""

from pathlib import Path

import pytest

from manyhands.testing import TestApp


@pytest.fixture
def tab():
    with TestApp(Path(__file__).parent) as app:
        yield app.open()


def test_clicks_count(tab):
    tab.fire("increment")
    tab.fire("increment")
    assert tab.state["counter"] == 2


def test_reset_begins_again(tab):
    tab.fire("increment")
    tab.fire("reset")
    assert tab.state["counter"] == 0
