"""Events the whole way: browser, gateway process, Celery worker process, Redis, every browser."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from manyhands import codec, fields
from manyhands.keys import Keys
from manyhands.store.scripts_loader import load_script
from support.browser import JSON, MSGPACK, Tab
from support.processes import Process, Processes
from support.redis_server import RedisServer

APP = str(Path(__file__).parent.parent / "apps" / "semantics")


class Fleet:
    """Two gateways and two workers of the semantics app, in front of one Redis."""

    def __init__(self, processes: Processes) -> None:
        self.namespace = processes.environ["MANYHANDS_NAMESPACE"]
        environ = {"MANYHANDS_APP": APP}
        self.workers = [processes.worker(APP), processes.worker(APP)]
        self.gateways = [processes.gateway(environ=environ) for _ in range(2)]
        self.urls = [url for _, url in self.gateways]
        for (process, url) in self.gateways:
            process.wait_for_http(f"{url}/readyz")
        for worker in self.workers:
            worker.wait_for_output("serving")

    @property
    def output(self) -> str:
        """What the workers have logged."""
        return "".join(worker.output for worker in self.workers)


@pytest.fixture(scope="module")
def fleet(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One fleet for all tests of this module; each test has sessions of its own."""
    environ = {
        "REDIS_URL": redis_server.url,
        "MANYHANDS_NAMESPACE": f"way{tmp_path_factory.mktemp('way').name}",
        "MANYHANDS_SECRET_KEY": "only-for-tests-0123456789",
        "MANYHANDS_RATE_LIMIT": "1000",
    }
    processes = Processes(tmp_path_factory.mktemp("fleet"), environ)
    try:
        yield Fleet(processes)
    finally:
        processes.end()


@pytest.fixture
def open_tab(fleet: Fleet) -> Iterator[Callable[..., Tab]]:
    """A factory of tabs; `gateway` says which of the two."""
    with contextlib.ExitStack() as stack:

        def open_one(gateway: int = 0, **options: Any) -> Tab:
            return stack.enter_context(Tab(fleet.urls[gateway], **options))

        yield open_one


Open = Callable[..., Tab]


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
def test_a_click_changes_the_counter_in_every_tab_of_its_session(open_tab: Open, subprotocol: str) -> None:
    first = open_tab(0, subprotocol=subprotocol)
    second = open_tab(1, token=first.token)
    assert first.state["counter"] == second.state["counter"] == 0
    done = first.call("increment")
    assert (done["ok"], done["error"], done["set"]) == (True, None, [[["counter"], 1]])
    second.wait_for(lambda: second.state["counter"] == 1)
    second.call("increment")
    first.wait_for(lambda: first.state["counter"] == 2)


def test_200_increments_through_two_gateways_end_at_200(open_tab: Open) -> None:
    tabs = [open_tab(0)]
    tabs.append(open_tab(1, token=tabs[0].token))
    numbers = [(tab, tab.fire("increment")) for _ in range(100) for tab in tabs]
    for tab, n in numbers:
        assert tab.wait_done(n, 30)["ok"]
    for tab in tabs:
        tab.wait_for(lambda tab=tab: tab.state["counter"] == 200)
        assert [update["set"][0][1] for update in tab.updates] == list(range(1, 201))


def test_three_that_read_sleep_and_write_give_three(open_tab: Open) -> None:
    tab = open_tab()
    for n in [tab.fire("read_sleep_write") for _ in range(3)]:
        tab.wait_done(n)
    assert tab.state["counter"] == 3


def test_async_increments_lose_nothing(open_tab: Open) -> None:
    tab = open_tab()
    for n in [tab.fire("async_increment") for _ in range(20)]:
        tab.wait_done(n)
    assert tab.state["counter"] == 20


def test_short_events_of_one_client_end_in_the_order_in_which_they_were_sent(open_tab: Open) -> None:
    tab = open_tab()
    numbers = [tab.fire("append", i) for i in range(60)]
    tab.wait_done(numbers[-1], 30)
    assert [update["event"]["n"] for update in tab.updates] == numbers
    assert tab.state["log"] == list(range(60))


ASSIGNMENTS = [
    pytest.param([[["k"], 1], [["k"]], [["k"], 2]], {"k": 2}, id="deleted, then assigned"),
    pytest.param([[["d"], {"x": 1, "y": 2}], [["d"], {"y": 3}]], {"d": {"y": 3}}, id="a dict with fewer keys"),
    pytest.param([[["a.b.c"], 1], [["d"], {"x.y": {}}]], {"a.b.c": 1, "d": {"x.y": {}}}, id="keys with dots"),
    pytest.param([[["empty"], {}]], {"empty": {}}, id="an empty dict"),
    pytest.param([[[""], {"": 1}]], {"": {"": 1}}, id="empty keys"),
    pytest.param([[["gone"]], [["gone"], {"y": 2}], [["gone", "z"], 3]], {"gone": {"y": 2, "z": 3}},
                 id="a default deleted, then a dict below it assigned"),
    pytest.param([[["k"], {"x": 1}], [["k"], 5], [["k"], {"y": {"z": 1}}]], {"k": {"y": {"z": 1}}},
                 id="dict, number, dict"),
    pytest.param([[["gone", "x"]]], {"gone": {}}, id="the last child of a default dict deleted"),
    pytest.param([[["d"], {"x": 1}], [["d", "x"]]], {"d": {}}, id="the last child of an assigned dict deleted"),
    pytest.param([[["user"], 7]], {"user": 7}, id="a number over a default dict"),
    pytest.param([[["user", "name"], "Al"]], {"user": {"name": "Al", "age": 3}}, id="a leaf in a default dict"),
    pytest.param([[["user", "name"]]], {"user": {"age": 3}}, id="a default leaf deleted"),
]  # fmt: skip


@pytest.mark.parametrize("at_once", [True, False], ids=["in one event", "in an event each"])
@pytest.mark.parametrize(("steps", "expected"), ASSIGNMENTS)
def test_assignments_leave_what_a_dict_would_hold(
    fleet: Fleet, open_tab: Open, redis_server: RedisServer, steps: list[Any], expected: dict[str, Any], at_once: bool
) -> None:
    tab = open_tab()
    for payload in [steps] if at_once else [[step] for step in steps]:
        assert tab.call("assign", payload)["ok"]
    start = {"counter": 0, "user": {"name": "Bob", "age": 3}, "gone": {"x": 1}, "log": [], "cancel": False}
    assert tab.state == {**start, **expected}
    assert open_tab(1, token=tab.token).state == tab.state
    assert tab.call("show_state")["result"] == tab.state
    stored = fields_in_redis(fleet, redis_server, tab)
    assert {path for path, value in stored.items() if value != fields.CUT} <= set(paths_of(tab.state))


def fields_in_redis(fleet: Fleet, redis_server: RedisServer, tab: Tab) -> dict[tuple[str, ...], bytes]:
    """Read the session's hash."""
    session = tab.call("show_session")["result"]["id"]
    with redis_server.client() as client:
        stored = client.hgetall(Keys(fleet.namespace).state(session))
    return {fields.decode_path(field): value for field, value in stored.items()}


def paths_of(state: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in state.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from paths_of(value, (*above, name))


def test_two_events_that_write_below_the_same_dict_keep_each_others_keys(open_tab: Open) -> None:
    tab = open_tab()
    first = tab.fire("assign", [[["user", "a"], 1]])
    second = tab.fire("assign", [[["user", "b"], 2]])
    tab.wait_done(first)
    tab.wait_done(second)
    assert tab.state["user"] == {"name": "Bob", "age": 3, "a": 1, "b": 2}


def test_sessions_never_see_one_another(open_tab: Open) -> None:
    one, other = open_tab(headers={"User-Agent": "one"}), open_tab(headers={"User-Agent": "other", "Cookie": "k=v"})
    one.call("increment")
    assert other.call("show_state")["result"]["counter"] == 0
    assert other.state["counter"] == 0
    mine, theirs = one.call("show_session")["result"], other.call("show_session")["result"]
    assert (mine["agent"], theirs["agent"]) == ("one", "other")
    assert (mine["cookies"], theirs["cookies"]) == ({}, {"k": "v"})
    assert mine["id"] != theirs["id"]
    assert mine["id"] != one.token


def test_underscored_keys_are_kept_and_never_sent(open_tab: Open) -> None:
    tab = open_tab()
    done = tab.call("assign", [[["_secret"], 42], [["d"], {"_x": 1, "y": [{"_z": 1, "w": 2}]}]])
    assert done["set"] == [[["d"], {"y": [{"w": 2}]}]]
    assert tab.call("show_secret")["result"] == 42
    assert tab.call("show_state")["result"]["d"] == {"y": [{"w": 2}]}
    assert open_tab(1, token=tab.token).state["d"] == {"y": [{"w": 2}]}


def test_a_value_that_cannot_be_stored_fails_its_event_and_keeps_the_others(open_tab: Open) -> None:
    tab = open_tab()
    done = tab.call("assign_object")
    assert (done["ok"], done["error"]["code"]) == (False, "not_serialisable")
    assert 'state["bad"]["inner"]' in done["error"]["message"]
    assert "object" in done["error"]["message"]
    assert (tab.state["fine"], tab.state["also_fine"], "bad" in tab.state) == (1, 2, False)
    assert tab.call("increment")["ok"]


def test_a_result_that_cannot_be_sent_fails_its_event_and_the_next_works(open_tab: Open) -> None:
    tab = open_tab()
    done = tab.call("return_object")
    assert (done["error"]["code"], done["result"]) == ("not_serialisable", None)
    assert tab.call("show", [1, "two", None])["result"] == [1, "two", None]


def test_a_handler_that_raises_keeps_what_it_assigned_and_tells_no_secrets(fleet: Fleet, open_tab: Open) -> None:
    tab = open_tab()
    done = tab.call("fail")
    assert (done["ok"], done["error"]["code"]) == (False, "handler_failed")
    assert "secret" not in done["error"]["message"]
    assert tab.state["before"] == "kept"
    assert "ValueError: secret detail" in fleet.output
    assert tab.call("leave")["error"]["code"] == "handler_failed"
    assert tab.call("increment")["ok"]


def test_parameters_context_and_modules_are_those_of_the_app(open_tab: Open) -> None:
    tab = open_tab()
    assert tab.call("wrapped", 5)["result"] == ["wrapped", [5, 0]]
    assert tab.call("own_modules")["result"] == ["the app's own shared", "shared.py"]
    assert tab.call("more_handlers.more")["ok"]
    assert tab.state["more"] is True
    repeaters = [{"state": ["user"], "key": "name"}]
    n = tab.fire("show_context", context={"event": "click", "target": "b1", "repeaters": repeaters})
    assert tab.wait_done(n)["result"] == {
        "event": "click", "target": "b1", "itemId": "name", "item": "Bob", "keyVariable": "itemId",
        "valueVariable": "item",
    }  # fmt: skip


def test_an_object_changed_in_place_is_as_it_was_in_the_next_event(open_tab: Open) -> None:
    tab = open_tab()
    tab.call("change_in_place")
    state = tab.call("show_state")["result"]
    assert (state["log"], state["user"]["name"]) == ([], "Bob")


def test_a_long_handler_sends_partial_updates_while_others_of_its_session_finish(open_tab: Open) -> None:
    tab = open_tab()
    long = tab.fire("slow_loop", 3)
    tab.wait_for(lambda: tab.state.get("rounds", 0) > 5)
    assert tab.call("increment", timeout=2)["ok"]
    assert not tab.has_ended(long)
    assert tab.wait_done(long)["result"] == "finished"
    partial = [update for update in tab.updates if update["event"]["n"] == long and not update["done"]]
    assert 9 <= len(partial) <= 14
    assert tab.state["counter"] == 1


def test_a_running_loop_sees_a_key_that_a_click_sets(open_tab: Open) -> None:
    tab = open_tab()
    long = tab.fire("slow_loop", 30)
    tab.wait_for(lambda: tab.state.get("rounds", 0) > 5)
    tab.call("set_cancel")
    assert tab.wait_done(long, 5)["result"] == "cancelled"


def test_an_async_handler_neither_blocks_nor_is_blocked(open_tab: Open) -> None:
    tab, other = open_tab(), open_tab()
    blocked = [other.fire("block", 1.0) for _ in range(4)]
    slow = tab.fire("slow_async", 0.6)
    tab.wait_for(lambda: tab.state.get("async") == "began")
    assert tab.call("increment", timeout=2)["ok"]
    assert tab.wait_done(slow, 3)["result"] == 0.6
    assert tab.state["async"] == "ended"
    assert not other.has_ended(blocked[-1])
    for n in blocked:
        other.wait_done(n)


def test_output_of_events_that_print_at_the_same_time_never_mixes(fleet: Fleet, open_tab: Open) -> None:
    tabs = [open_tab() for _ in range(6)]
    handlers = ["print_lines", "print_lines_async"] * 3
    numbers = [tab.fire(handler, f"P{i}") for i, (tab, handler) in enumerate(zip(tabs, handlers, strict=True))]
    for tab, n in zip(tabs, numbers, strict=True):
        tab.wait_done(n)
    for i, tab in enumerate(tabs):
        mine = [line for line in fleet.output.splitlines() if f" {tab.client[:8]}/" in line and "| P" in line]
        assert [line.split("| ")[1] for line in mine] == [f"P{i}-{k}!" for k in range(20)]


def test_what_the_browser_sends_arrives_as_it_was(open_tab: Open) -> None:
    payload = {"text": "é\u0000\U0001f600", "numbers": [0, -1, 2**53 - 1, 1.5], "nested": {"": [None, True, {}]}}
    for subprotocol in (JSON, MSGPACK):
        tab = open_tab(subprotocol=subprotocol)
        assert tab.call("show", {**payload, "bytes": b"\x00\xff"})["result"] == {**payload, "bytes": b"\x00\xff"}
        assert tab.call("assign", [[["b"], b"\x01"]])["ok"]
        assert tab.state["b"] == b"\x01"


def test_a_tab_that_reconnects_elsewhere_misses_nothing(open_tab: Open, fleet: Fleet) -> None:
    first = open_tab(0)
    second = open_tab(1, token=first.token)
    first.call("increment")
    first.drop()
    for _ in range(3):
        second.call("increment")
    first.connect(fleet.urls[1])
    welcome = first.join()
    assert welcome["resumed"]
    assert "state" not in welcome
    first.wait_for(lambda: first.state["counter"] == 4)


def test_a_tab_learns_of_what_ended_and_what_is_pending_while_it_was_away(open_tab: Open) -> None:
    tab = open_tab(0)
    quick, long = tab.fire("show", "result"), tab.fire("slow_loop", 1.5)
    tab.wait_accepted(long)
    tab.drop()
    tab.connect()
    tab.seq = None
    welcome = tab.join()
    assert long in welcome["pending"]
    assert tab.wait_done(quick)["result"] == "result"
    assert tab.wait_done(long)["ok"]


def test_the_same_number_sent_twice_runs_once(open_tab: Open, fleet: Fleet) -> None:
    tab = open_tab(0)
    n = tab.fire("increment")
    tab.fire("increment", n=n)
    tab.wait_done(n)
    tab.reconnect(fleet.urls[1])
    tab.fire("increment", n=n)
    tab.wait_accepted(n)
    tab.call("show", None)
    assert tab.state["counter"] == 1


def test_a_waiting_event_that_is_cancelled_never_begins(open_tab: Open) -> None:
    tab = open_tab()
    long, waiting = tab.fire("block", 0.15), tab.fire("increment")
    tab.wait_accepted(waiting)
    tab.cancel(waiting)
    assert tab.wait_done(waiting)["error"]["code"] == "cancelled"
    assert tab.wait_done(long)["ok"]
    assert tab.call("show_state")["result"]["counter"] == 0


@pytest.mark.parametrize(("handler", "payload"), [("slow_loop", 20), ("slow_async", 20)])
def test_a_running_event_that_is_cancelled_ends_and_keeps_what_it_assigned(
    open_tab: Open, handler: str, payload: float
) -> None:
    tab = open_tab()
    n = tab.fire(handler, payload)
    tab.wait_for(lambda: tab.state.get("rounds") or tab.state.get("async"))
    began = time.monotonic()
    tab.cancel(n)
    assert tab.wait_done(n, 5)["error"]["code"] == "cancelled"
    assert time.monotonic() - began < 3
    assert tab.state.get("async", "began") == "began"


def test_one_event_costs_three_round_trips_whatever_the_number_of_keys(
    fleet: Fleet, open_tab: Open, redis_server: RedisServer
) -> None:
    tab = open_tab()
    tab.call("assign", [[[f"key{i}"], i] for i in range(300)])
    session = tab.call("show_session")["result"]["id"]
    names = {load_script(name).sha: name for name in ("accept", "begin", "commit", "keep")}
    with redis_server.client() as client, client.monitor() as monitor:
        tab.call("assign", [[[f"key{i}"], -i] for i in range(100)])
        client.set(f"{fleet.namespace}:the-mark", session, px=1)
        seen = list(itertools.takewhile(lambda one: ":the-mark" not in one["command"], monitor.listen()))
    sent = [one["command"] for one in seen if session in one["command"] and one["client_type"] != "lua"]
    scripts = [names[command.split()[1]] for command in sent if command.startswith("EVALSHA")]
    # While it has a connection a session is also kept alive, now and then.
    assert [name for name in scripts if name != "keep"] == ["accept", "begin", "commit"]
    # A doorbell of Celery's would name the session in a body that is base64: the worker that had the session's last
    # turn was told by `accept` itself.
    assert [command for command in sent if not command.startswith("EVALSHA")] == []
    assert not [one for one in seen if f"{fleet.namespace}.turns" in one["command"] and "LPUSH" in one["command"]]


def test_values_that_json_lacks_travel_as_the_contract_says(open_tab: Open) -> None:
    tab = open_tab(subprotocol=MSGPACK)
    nan = tab.call("show", float("nan"))["result"]
    assert nan != nan
    in_json = open_tab(token=tab.token)
    tab.call("assign", [[["big"], 2**63], [["inf"], float("inf")]])
    in_json.wait_for(lambda: "big" in in_json.state)
    assert (in_json.state["big"], in_json.state["inf"]) == (str(2**63), None)
    assert tab.state["inf"] == float("inf")


def test_an_app_that_cannot_be_imported_stops_its_worker_with_the_traceback(
    processes: Processes, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text("import manyhands\n\nraise RuntimeError('broken at import')\n")
    worker: Process = processes.worker(str(tmp_path))
    assert worker.wait_for_exit() == 1
    assert "RuntimeError: broken at import" in worker.output
    assert "main.py" in worker.output


def test_only_what_was_assigned_is_written(fleet: Fleet, open_tab: Open, redis_server: RedisServer) -> None:
    tab = open_tab()
    tab.call("increment")
    stored = fields_in_redis(fleet, redis_server, tab)
    assert {path: codec.decode(value) for path, value in stored.items()} == {("counter",): 1}
