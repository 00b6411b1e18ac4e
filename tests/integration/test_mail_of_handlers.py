"""What handlers ask of the page, all the way to the sockets of a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.browser import JSON, MSGPACK, Tab
from support.fleet import Fleet
from support.http import ask

APP = str(Path(__file__).parents[1] / "apps" / "mail")


@pytest.fixture(scope="module")
def fleet(module_fleet_of: Callable[..., Fleet]) -> Fleet:
    """A fleet that the tests share; each has its own sessions."""
    return module_fleet_of(app=APP)


def mail_in(tab: Tab) -> list[dict[str, Any]]:
    return [mail for update in tab.updates for mail in update["mail"]]


def pages(tab: Tab) -> list[str]:
    return [mail["page"] for mail in mail_in(tab)]


def test_mail_reaches_every_tab_and_says_whether_it_is_for_the_one_that_fired(fleet: Fleet) -> None:
    tab = fleet.tab()
    other = fleet.tab(token=tab.token, subprotocol=MSGPACK)
    tab.call("notify", ["warning", "Mind", "the gap"])
    tab.call("notify_everyone", "all")
    other.wait_for(lambda: len(mail_in(other)) == 2)
    said = {"type": "add_notification", "kind": "warning", "title": "Mind", "message": "the gap", "own": True}
    everyone = {"type": "add_notification", "kind": "info", "title": "all", "message": ""}
    assert mail_in(tab) == mail_in(other) == [said, everyone]
    assert other.updates[-1]["event"]["client"] == tab.client


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
def test_a_large_download_is_fetched_over_http_and_its_update_stays_small(fleet: Fleet, subprotocol: str) -> None:
    tab = fleet.tab(subprotocol=subprotocol)
    end = tab.call("download", 3_000_000)
    (mail,) = end["mail"]
    assert (mail["type"], mail["name"]) == ("file_download", "numbers of today.csv")
    assert mail["url"].startswith("/_mh/blob/")
    answer = ask(tab.url, mail["url"])
    assert answer.status == 200
    assert answer.body == b"7" * 3_000_000
    assert answer.headers["content-disposition"] == "attachment"
    assert end["set"] == []


def test_mail_of_a_handler_that_fails_is_kept(fleet: Fleet) -> None:
    tab = fleet.tab()
    end = tab.call("fail_after")
    assert end["error"]["code"] == "handler_failed"
    assert [mail["page"] for mail in end["mail"]] == ["before"]


def test_what_no_page_could_do_fails_the_handler_and_says_why_in_the_log(fleet: Fleet) -> None:
    tab = fleet.tab()
    assert tab.call("open_url", "javascript:alert(1)")["error"]["code"] == "handler_failed"
    fleet.workers[0].wait_for_output("state.open_url expected as url")
    assert mail_in(tab) == []


def test_mail_of_a_detached_handler_comes_with_its_partial_updates(fleet: Fleet) -> None:
    tab = fleet.tab()
    n = tab.fire("slowly")
    tab.wait_for(lambda: pages(tab) == ["first"])
    assert not tab.has_ended(n)
    tab.call("tell", "go_on")
    tab.wait_for(lambda: pages(tab) == ["first", "second"])
    assert not tab.has_ended(n)
    tab.call("tell", "end")
    assert [mail["page"] for mail in tab.wait_done(n)["mail"]] == ["last"]
    assert pages(tab) == ["first", "second", "last"]


def test_mail_of_a_handler_that_is_cancelled_is_kept(fleet: Fleet) -> None:
    tab = fleet.tab()
    n = tab.fire("until_cancelled")
    tab.wait_for(lambda: pages(tab) == ["begun"])
    tab.cancel(n)
    assert tab.wait_done(n)["error"]["code"] == "cancelled"
    assert pages(tab) == ["begun", "cleaned up"]


def test_mail_of_a_worker_that_died_before_its_commit_comes_once(
    fleet_of: Callable[..., Fleet], tmp_path: Path
) -> None:
    fleet = fleet_of(app=APP, workers=2, environ={"MANYHANDS_LEASE": "1"})
    tab = fleet.tab()
    assert tab.wait_done(tab.fire("die_once", str(tmp_path / "died")), 30)["ok"]
    assert tab.state["ran"] == 1
    assert pages(tab) == ["once"]


def test_a_tab_that_was_away_finds_the_mail_of_its_event_with_the_end(fleet: Fleet) -> None:
    tab = fleet.tab()
    n = tab.fire("notify", ["info", "Done", ""])
    tab.wait_done(n)
    again = fleet.tab(token=tab.token, client=tab.client)
    assert [mail["title"] for mail in again.ended[n]["mail"]] == ["Done"]
