"""Session verifiers, the whole way: a browser's hello, a gateway, a worker that asks the app."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manyhands.settings import Settings
from manyhands.store.redis_store import RedisStore
from manyhands.wire import Close
from support.fleet import Fleet, wait_for_lines
from support.processes import Processes
from support.redis_server import RedisServer
from support.waiting import wait_until

GUARDED = str(Path(__file__).parent.parent / "apps" / "guarded")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file into which the app's verifier writes whom it was asked about."""
    return tmp_path_factory.mktemp("guarded") / "asked"


@pytest.fixture(scope="module")
def fleet(module_fleet_of: Callable[..., Fleet], asked: Path) -> Fleet:
    """A fleet that the tests share; each has its own sessions."""
    return module_fleet_of(app=GUARDED, gateways=2, environ={"VERIFIED_LOG": str(asked)})


@pytest.fixture
def begun(fleet: Fleet, redis_server: RedisServer) -> Callable[[], int]:
    """Count the sessions that have begun since the test did."""
    before = sessions_of(redis_server, fleet.namespace)
    return lambda: len(sessions_of(redis_server, fleet.namespace) - before)


@pytest.fixture
def store(settings: Settings) -> Iterator[RedisStore]:
    made = RedisStore(settings)
    yield made
    made.close()


def sessions_of(redis_server: RedisServer, namespace: str) -> set[bytes]:
    client = redis_server.client()
    try:
        return set(client.scan_iter(f"{namespace}:*:meta", count=1000))
    finally:
        client.close()


def test_a_session_that_is_let_in_is_asked_about_once_and_never_at_a_resume(fleet: Fleet, asked: Path) -> None:
    tab = fleet.tab(headers={"X-Verify": "yes", "Cookie": "a=1"})
    assert (tab.welcomes[0]["resumed"], tab.seq, tab.n) == (False, 0, 0)
    assert tab.call("increment")["ok"]
    tab.reconnect(fleet.urls[1])
    fleet.tab(1, token=tab.token, headers={"X-Verify": "no"})
    assert tab.state["counter"] == 1
    with_cookie = [line for line in wait_for_lines(asked, 1) if "'a'" in line]
    assert with_cookie == ["yes [('a', '1')] Cookie=False"]


def test_the_trial_leaves_nothing_behind(fleet: Fleet, begun: Callable[[], int]) -> None:
    fleet.tab(headers={"X-Verify": "yes"})
    assert begun() == 1


@pytest.mark.parametrize("how", ["no", "raise", "exit"])
def test_a_session_that_is_refused_is_closed_with_4003_and_gets_nothing(
    fleet: Fleet, begun: Callable[[], int], how: str
) -> None:
    tab = fleet.tab(hello=False, headers={"X-Verify": how})
    tab.send({"type": "hello", "client": tab.client})
    tab.fire("increment")
    code, reason = tab.wait_closed()
    assert code == Close.REFUSED
    assert "refused" in reason
    assert [tab.welcomes, tab.updates, tab.rejections, tab.receipts, tab.others] == [[]] * 5
    assert begun() == 0
    assert fleet.tab().call("increment")["ok"]
    if how == "raise":
        assert "PermissionError: not you" in fleet.log
        assert "not you" not in reason


def test_while_one_verifier_hangs_others_are_let_in_and_it_lets_nobody_in(
    fleet: Fleet, begun: Callable[[], int]
) -> None:
    waiting = fleet.tab(hello=False, headers={"X-Verify": "hang"})
    waiting.send({"type": "hello", "client": waiting.client})
    waiting.fire("increment")
    for _ in range(3):
        assert fleet.tab().call("increment", timeout=5)["ok"]
    assert not waiting.read(0.05)
    rejected = waiting.wait_rejected(timeout=20)
    assert (rejected["n"], rejected["code"], rejected["retry_after"]) == (None, "unavailable", 1.0)
    assert "verifiers have not decided" in rejected["message"]
    assert not waiting.welcomes
    assert waiting.wait_closed()[0] == Close.PROTOCOL  # the event came where another hello was due
    assert begun() == 3


def test_whom_no_worker_can_verify_waits_and_is_let_in_when_one_has_come_back(
    fleet_of: Callable[..., Fleet],
) -> None:
    fleet = fleet_of(app=GUARDED)
    assert fleet.tab().welcomes
    fleet.workers[0].send(signal.SIGKILL)
    fleet.workers[0].wait_for_exit()
    late = fleet.tab(hello=False)
    late.send({"type": "hello", "client": late.client})
    fleet.add_worker()
    late.wait_for(lambda: late.welcomes, 20, "welcome")
    assert late.call("increment")["ok"]


def test_async_verifiers_are_asked_too_and_by_every_subprotocol(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of(app=GUARDED, environ={"ASYNC_TOO": "1"})
    for subprotocol in ("manyhands.1.json", "manyhands.1.msgpack"):
        assert fleet.tab(subprotocol=subprotocol, headers={"Cookie": "banned=no"}).call("increment")["ok"]
        tab = fleet.tab(subprotocol=subprotocol, hello=False, headers={"Cookie": "banned=yes"})
        tab.send({"type": "hello", "client": tab.client})
        assert tab.wait_closed()[0] == Close.REFUSED


def test_no_browser_fires_the_verifiers_and_no_page_lists_them(fleet: Fleet) -> None:
    tab = fleet.tab()
    tab.fire("_verify_session")
    assert tab.wait_rejected()["code"] == "unknown_handler"
    page = fleet.gateways[0].wait_for_http(fleet.urls[0])
    assert "increment" in page
    assert "verif" not in page


def test_while_versions_run_side_by_side_the_one_with_verifiers_guards(
    fleet_of: Callable[..., Fleet], processes: Processes, tmp_path: Path, store: RedisStore
) -> None:
    fleet = fleet_of(app=GUARDED)
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "main.py").write_text("def increment(state):\n    state['counter'] = 1\n")
    processes.worker(str(tmp_path / "open")).wait_for_output("serving")
    wait_until(lambda: len(store.announcements()) == 2, 10, "second version")
    assert "_verify_session" not in store.announcements()[0].handlers
    for _ in range(4):
        tab = fleet.tab(hello=False, headers={"X-Verify": "no"})
        tab.send({"type": "hello", "client": tab.client})
        assert tab.wait_closed()[0] == Close.REFUSED
        assert fleet.tab(headers={"X-Verify": "yes"}).welcomes


def test_check_lists_the_verifiers(processes: Processes) -> None:
    process = processes.manyhands("check", GUARDED)
    assert process.wait_for_exit() == 0
    assert "1 session verifier:\n  by_header(headers, cookies)  main.py:" in process.output
