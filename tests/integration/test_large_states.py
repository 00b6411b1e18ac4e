"""Sessions that hold far more than their handlers look at, the whole way."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from manyhands.store.scripts_loader import load_script
from support.browser import Tab
from support.fleet import Fleet
from support.redis_server import RedisServer
from support.waiting import wait_until

APP = str(Path(__file__).parent.parent / "apps" / "large")
MANY = 1500


@pytest.fixture(scope="module")
def fleet(module_fleet_of: Callable[..., Fleet]) -> Fleet:
    """A gateway and two workers of the app, which the tests share; each has its own sessions."""
    return module_fleet_of(workers=2, app=APP)


@pytest.fixture
def tab(fleet: Fleet) -> Tab:
    """A tab of a session that has many keys."""
    tab = fleet.tab()
    assert tab.call("fill", MANY)["ok"]
    return tab


def acts_of(tab: Tab, redis_server: RedisServer, namespace: str, *events: tuple[str, object]) -> list[str]:
    """List the scripts that run for a session while its events do."""
    names = {load_script(name).sha: name for name in ("accept", "begin", "commit", "read")}
    with redis_server.client() as client, client.monitor() as monitor:
        for handler, payload in events:
            assert tab.call(handler, payload)["ok"]
        client.set(f"{namespace}:the-mark", "", px=1)
        seen = list(itertools.takewhile(lambda one: ":the-mark" not in one["command"], monitor.listen()))
    sent = [one["command"].split() for one in seen if one["client_type"] != "lua" and namespace in one["command"]]
    return [names[words[1]] for words in sent if words[0] == "EVALSHA" and words[1] in names]


def test_what_a_handler_has_read_before_comes_along_with_its_turn(
    fleet: Fleet, tab: Tab, redis_server: RedisServer
) -> None:
    # Whichever worker gets it, both have read the counter then.
    for _ in range(10):
        tab.call("increment")
    assert acts_of(tab, redis_server, fleet.namespace, ("increment", None)) == ["accept", "begin", "commit"]


def test_a_handler_reads_and_writes_deep_in_a_large_state(tab: Tab) -> None:
    assert tab.call("raise_price", "item7")["result"] == 8
    done = tab.call("raise_price", "item7")
    assert (done["result"], done["set"], done["unset"]) == (9, [[["items", "item7", "price"], 9]], [])
    assert tab.call("total")["result"] == sum(range(MANY)) + 2
    assert tab.call("count")["result"] == [MANY + 4, MANY, MANY]


def test_a_large_dict_is_replaced_and_deleted_as_a_whole(tab: Tab) -> None:
    assert tab.call("replace_items", 5)["result"] == 1
    assert tab.call("count")["result"] == [MANY + 4, 1, 1]
    assert tab.call("total")["result"] == 5
    assert tab.call("remove_items")["result"] is False
    assert "items" not in tab.state


def test_of_many_clicks_at_once_none_is_lost_in_a_large_state(fleet: Fleet, tab: Tab) -> None:
    other = fleet.tab(token=tab.token)
    sent = [(one, one.fire("increment")) for _ in range(40) for one in (tab, other)]
    for one, n in sent:
        assert one.wait_done(n)["ok"]
    assert tab.call("increment")["result"] == len(sent) + 1


def test_a_long_handler_sees_what_others_change_in_a_large_state(tab: Tab) -> None:
    waits = tab.fire("wait_for_go")
    tab.wait_for(lambda: tab.state.get("waiting"))
    tab.call("raise_price", "item3")
    tab.call("fill", MANY)
    tab.call("raise_price", "item3")
    tab.call("go")
    done = tab.wait_done(waits)
    assert done["ok"]
    assert set(done["result"]) <= {3, 4}
    assert tab.call("raise_price", "item3")["result"] == 5


def test_the_time_in_which_redis_does_not_answer_a_read_is_not_the_handlers(
    fleet_of: Callable[..., Fleet], redis_server: RedisServer, tmp_path: Path
) -> None:
    fleet = fleet_of(workers=2, app=APP, environ={"MANYHANDS_TURN_LIMIT": "1"})
    tab = fleet.tab()
    assert tab.call("fill", MANY)["ok"]
    late = tab.fire("add_late", str(tmp_path / "file"))
    wait_until((tmp_path / "file.began").exists, 10, "the handler's beginning")
    with redis_server.client() as client:
        client.client_pause(2500)
        (tmp_path / "file.read").touch()
        client.ping()
    assert tab.call("add")["result"] == 9
    assert tab.wait_done(late)["ok"]
