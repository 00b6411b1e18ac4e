"""Two versions of an app side by side, as during a deploy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.fleet import Fleet
from support.processes import Process

OLD = """
import manyhands as mh
mh.init_state({"colour": "old", "log": []})

def which(state):
    state["log"] = [*state["log"], "which"]
    return "old"
"""
NEW = OLD.replace('"old"', '"new"') + """
def only_new(state, payload):
    state["log"] = [*state["log"], payload]
    return "new"
"""


@pytest.fixture
def old_and_new(tmp_path: Path) -> tuple[str, str]:
    """The directories of the two versions."""
    for name, code in (("old", OLD), ("new", NEW)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.py").write_text(code)
    return str(tmp_path / "old"), str(tmp_path / "new")


def add_version(fleet: Fleet, app: str) -> Process:
    worker = fleet.processes.worker(app, environ=fleet.environ)
    worker.wait_for_output("serving")
    fleet.workers.append(worker)
    return worker


def test_an_event_that_only_the_new_version_knows_is_not_failed_by_the_old_one(
    fleet_of: Callable[..., Fleet], old_and_new: tuple[str, str]
) -> None:
    old, new = old_and_new
    fleet = fleet_of(app=old, workers=3)
    before = fleet.tab()
    add_version(fleet, new)
    after = fleet.tab()
    numbers = [(tab, tab.fire("only_new", i)) for i in range(30) for tab in (before, after)]
    for tab, n in numbers:
        assert tab.wait_done(n, 20)["result"] == "new"
    assert before.state["log"] == after.state["log"] == list(range(30))


def test_a_session_keeps_the_defaults_it_began_with(
    fleet_of: Callable[..., Fleet], old_and_new: tuple[str, str]
) -> None:
    old, new = old_and_new
    fleet = fleet_of(app=old, workers=1)
    before = fleet.tab()
    add_version(fleet, new)
    fleet.workers[0].terminate()
    after = fleet.tab()
    assert (before.state["colour"], after.state["colour"]) == ("old", "new")
    assert before.call("which")["result"] == "new"
    assert fleet.tab(token=before.token).state == {"colour": "old", "log": ["which"]}
    assert fleet.tab(gateway=0, token=after.token).state["colour"] == "new"


def test_events_for_the_new_version_wait_while_it_has_no_worker(
    fleet_of: Callable[..., Fleet], old_and_new: tuple[str, str]
) -> None:
    old, new = old_and_new
    fleet = fleet_of(app=old, workers=1)
    newer = add_version(fleet, new)
    tab = fleet.tab()
    tab.call("only_new", 0)
    newer.kill()
    n = tab.fire("only_new", 1)
    tab.wait_accepted(n)
    add_version(fleet, new)
    assert tab.wait_done(n, 20)["result"] == "new"
    assert tab.state["log"] == [0, 1]
