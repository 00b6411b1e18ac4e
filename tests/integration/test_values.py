"""Values the whole way: written by one worker process, read by another, shown to clients of both subprotocols."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pyarrow as pa
import pytest
import redis

from manyhands import codec
from manyhands.keys import Keys
from manyhands.paths import encode_path
from manyhands.types import Code
from support.browser import JSON, MSGPACK, Tab
from support.fleet import Fleet
from support.redis_server import RedisServer

REPOSITORY = Path(__file__).parents[2]
APP = str(REPOSITORY / "tests" / "apps" / "values")
PAGE = (REPOSITORY / "docs" / "values.md").read_text("utf-8")
ROWS: dict[str, str] = dict(re.findall(r"^\| `(.*?)`(?: \(.*?\))? \| `(.*?)`(?:, .*?)? \|$", PAGE, re.MULTILINE))
#: Seconds that a worker may take to import all of the libraries, and to make and draw all values, on a busy machine.
PATIENCE = 60


@pytest.fixture(scope="module")
def fleet(module_fleet_of: Callable[..., Fleet]) -> Fleet:
    """A worker that writes, and another one, which alone reads."""
    made = module_fleet_of(app=APP, environ={"MANYHANDS_ROUTES": "compare=readers"})
    made.add_worker("--queues", "readers")
    return made


@pytest.fixture(scope="module")
def tab(fleet: Fleet) -> Tab:
    """A tab of a session in which every value was written."""
    opened = fleet.tab(subprotocol=JSON)
    assert opened.call("write", timeout=PATIENCE)["ok"], fleet.log
    return opened


def shown(state: Any) -> Any:
    """Give what the page calls JSON, of a state that a client has decoded."""
    return codec.jsonable(state)


def check_against_page(values: dict[str, Any]) -> None:
    assert set(values) == set(ROWS)
    for expression, expected in ROWS.items():
        beginning, cut, _ = expected.partition("…")
        seen = json.dumps(shown(values[expression]))
        assert seen.startswith(beginning) if cut else seen == expected


def test_every_value_of_the_page_is_read_equal_in_another_process(tab: Tab) -> None:
    written_by = tab.call("write", timeout=PATIENCE)["result"]
    compared = tab.call("compare", timeout=PATIENCE)
    assert compared["error"] is None
    assert compared["result"]["differing"] == []
    assert compared["result"]["rows"] == len(ROWS) > 40
    assert compared["result"]["pid"] != written_by


def test_what_was_read_and_is_assigned_again_is_as_it_was(tab: Tab) -> None:
    before = shown(tab.state["alone"])
    assert tab.call("assign_again", timeout=PATIENCE)["error"] is None
    assert shown(tab.state["alone"]) == before
    assert tab.call("compare", timeout=PATIENCE)["result"]["differing"] == []


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
def test_clients_get_what_the_page_says_as_an_update_and_in_a_welcome(
    fleet: Fleet, tab: Tab, subprotocol: str
) -> None:
    late = fleet.tab(subprotocol=subprotocol, token=tab.token)
    check_against_page(late.state["alone"])
    assert tab.call("write", timeout=PATIENCE)["ok"]
    late.wait_for(lambda: late.seq == tab.seq)
    check_against_page(late.state["alone"])
    for expression, value in late.state["within"].items():
        assert list(value[0]) == ["deep"]
        assert shown(value[0]["deep"][0]) == shown(late.state["alone"][expression]) or "Figure" in expression
        assert value[1] == {}


def test_both_subprotocols_carry_the_same_and_msgpack_nan_and_bytes_as_they_are(fleet: Fleet, tab: Tab) -> None:
    packed = fleet.tab(subprotocol=MSGPACK, token=tab.token).state["alone"]
    assert shown(packed) == shown(fleet.tab(subprotocol=JSON, token=tab.token).state["alone"])
    assert repr(packed['float("nan")']) == "nan"
    assert packed[r'b"\x00"'] == b"\x00"
    assert packed['Image.new("RGB", (1, 1))'].startswith(b"\x89PNG")


# --- damage ---


@pytest.mark.parametrize(
    ("code", "content"),
    [
        (Code.DRAWING, [b"<script>", "text/html", 1.0, 1.0, 1.0]),
        (Code.PLOTLY, [[{"type": "bar", "__class__": "Popen"}], {}, [], None, None]),
        (Code.ALTAIR, {"\0class": "Popen", "\0set": {"args": "true"}}),
    ],
)
def test_a_figure_that_was_tampered_with_is_named_by_session_and_path(
    fleet: Fleet, redis_server: RedisServer, code: Code, content: Any
) -> None:
    tab = fleet.tab()
    session = (tab.token or "").rpartition(".")[0]
    packed = msgpack.packb(msgpack.ExtType(code, msgpack.packb(content)))
    with redis.Redis.from_url(redis_server.url) as client:
        client.hset(Keys(fleet.namespace).state(session), encode_path(("tampered",)), packed)
    ended = tab.call("read", "tampered")
    assert ended["error"]["code"] == "handler_failed"
    where = f'the value stored at state["tampered"] of session {session} can\'t be read'
    assert any(where in worker.output for worker in fleet.workers)


# --- Arrow ---

FRAMES = ("frame", "small", "wide")


def read(tab: Tab, name: str) -> Any:
    return pa.ipc.open_stream(tab.state[name]["arrow"]).read_all()


def arrow_tab(open_tab: Callable[..., Tab], tab: Tab, subprotocol: str) -> Tab:
    asking = open_tab(subprotocol=subprotocol, token=tab.token, hello=False)
    asking.send({"type": "hello", "client": asking.client, "session": tab.token, "arrow": True})
    asking.wait_for(lambda: asking.welcomes)
    return asking


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
def test_a_session_gets_tables_as_arrow_from_when_one_of_its_clients_asks_for_it(
    fleet: Fleet, subprotocol: str
) -> None:
    tab = fleet.tab(subprotocol=subprotocol)
    assert tab.call("write", timeout=PATIENCE)["ok"]
    assert list(tab.state["frame"]) == ["columns", "rows", "length"]
    asking = arrow_tab(fleet.tab, tab, subprotocol)
    assert list(asking.state["frame"]) == ["columns", "rows", "length"]
    assert tab.call("write", timeout=PATIENCE)["ok"]
    asking.wait_for(lambda: "arrow" in asking.state["wide"])
    table = read(asking, "frame")
    assert table.column_names == ["a", "text"]
    assert table.column("a").to_pylist() == list(range(5000))
    assert len(asking.state["frame"]["rows"]) == 1000
    assert (read(asking, "small").num_rows, read(asking, "wide").num_columns) == (3, 50)
    assert {name: tab.state[name] for name in FRAMES} == {name: asking.state[name] for name in FRAMES}


def test_the_stream_of_a_larger_table_is_fetched_apart_from_its_rows(fleet: Fleet) -> None:
    tab = fleet.tab(subprotocol=MSGPACK)
    arrow_tab(fleet.tab, tab, MSGPACK)
    assert tab.call("write", timeout=PATIENCE)["ok"]
    sent = {path[0]: value for update in tab.updates for path, value in update["set"]}
    assert isinstance(sent["small"]["arrow"], bytes)
    assert len(sent["frame"]["rows"]) == 1000
    assert sent["frame"]["arrow"]["type"] == "application/vnd.apache.arrow.stream"
    # Of this one the rows alone are too many.
    assert sent["wide"]["type"] == "application/json"
    assert isinstance(tab.state["wide"]["arrow"], bytes)


def test_a_hello_whose_arrow_is_neither_true_nor_false_is_refused(fleet: Fleet) -> None:
    tab = fleet.tab(hello=False)
    tab.send({"type": "hello", "client": "c", "arrow": "yes"})
    assert tab.wait_closed() == (4000, "`arrow` is true or false, got 'yes'")
