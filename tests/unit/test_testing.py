"""The test client of app authors: handlers run in this process, without Redis, and mean what they mean in a fleet."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyhands.errors import AppImportError, ClientClosed, EventFailed, SessionRefused
from manyhands.testing import Tab, TestApp, Update
from support.event_loop import run

APPS = Path(__file__).parents[1] / "apps"
SEMANTICS = APPS / "semantics"


@pytest.fixture(scope="module")
def app() -> Iterator[TestApp]:
    with TestApp(SEMANTICS) as started:
        yield started


@pytest.fixture
def tab(app: TestApp) -> Tab:
    return app.open()


def app_of(directory: Path, code: str, **settings: object) -> TestApp:
    directory.mkdir(exist_ok=True)
    (directory / "main.py").write_text(f"import manyhands as mh\n{code}")
    return TestApp(directory, **settings)  # type: ignore[arg-type]


# --- what a tab has ---


def test_a_tab_has_what_the_handler_assigned(tab: Tab) -> None:
    assert tab.state["counter"] == 0
    end = tab.fire("increment")
    assert end.ok
    assert end.accepted
    assert tab.state["counter"] == 1
    assert end.updates == [Update({"counter": 1}, [], partial=False)]


def test_browsers_do_not_see_what_begins_with_an_underscore_and_the_test_does(app: TestApp, tab: Tab) -> None:
    assert "_secret" not in tab.state
    assert app.stored_state(tab)["_secret"] == 1


def test_the_stored_state_has_values_as_handlers_have_them(tmp_path: Path) -> None:
    code = "import datetime\ndef note(state):\n state['on'] = datetime.date(2026, 1, 2)\n state['t'] = (1, 2)\n"
    with app_of(tmp_path, code) as app:
        tab = app.open()
        tab.fire("note", check=True)
        assert tab.state == {"on": "2026-01-02", "t": [1, 2]}
        stored = app.stored_state(tab)
        assert stored["on"].year == 2026
        assert stored["t"] == (1, 2)


def test_tabs_of_one_session_have_the_same_and_another_session_has_its_own(app: TestApp, tab: Tab) -> None:
    second, stranger = app.open(tab), app.open()
    tab.fire("increment")
    assert second.state["counter"] == 1
    assert stranger.state["counter"] == 0
    assert second.session_id == tab.session_id != stranger.session_id


def test_after_a_reload_a_tab_has_the_state_that_is_stored(tab: Tab) -> None:
    tab.fire("assign", [[["user", "name"], "Ann"], [["gone", "x"]]])
    before = dict(tab.state)
    tab.reload()
    assert tab.state == before
    assert tab.state["user"] == {"name": "Ann", "age": 3}
    assert tab.fire("increment").ok


def test_a_state_that_was_taken_does_not_change_later(tab: Tab) -> None:
    before = tab.state
    tab.fire("assign", [[["user", "name"], "Ann"], [["gone", "x"]]])
    assert before["user"] == {"name": "Bob", "age": 3}
    assert before["gone"] == {"x": 1}


def test_large_values_are_there_as_if_they_were_small(tmp_path: Path) -> None:
    code = (
        "def fill(state):\n state['rows'] = [{'n': i} for i in range(20_000)]\n"
        " state['file'] = mh.pack_bytes(b'x' * 100_000, 'text/plain')\n"
    )
    with app_of(tmp_path, code) as app:
        tab = app.open()
        tab.fire("fill", check=True)
        assert tab.state["rows"][-1] == {"n": 19_999}
        assert tab.fetch(tab.state["file"]) == b"x" * 100_000
        tab.reload()
        assert len(tab.state["rows"]) == 20_000
        assert app.stored_state(tab)["rows"][0] == {"n": 0}
        with pytest.raises(LookupError, match="no URL"):
            tab.fetch("/_mh/blob/x/nonsense")


# --- how events end ---


def test_what_a_handler_raises_is_told_to_the_test_and_not_to_the_browser(tab: Tab) -> None:
    end = tab.fire("fail")
    assert not end.ok
    assert end.error is not None
    assert end.error.code == "handler_failed"
    assert "secret detail" not in end.error.message
    assert isinstance(end.exception, ValueError)
    assert tab.state["before"] == "kept"


def test_with_check_an_event_that_fails_raises_with_its_cause(tab: Tab) -> None:
    with pytest.raises(EventFailed, match="the event for fail has ended with handler_failed") as raised:
        tab.fire("fail", check=True)
    assert str(raised.value.__cause__) == "secret detail"
    assert tab.fire("show", 3, check=True).result == 3


def test_what_can_not_be_stored_fails_its_event_alone(tab: Tab) -> None:
    end = tab.fire("assign_object")
    assert end.error is not None
    assert end.error.code == "not_serialisable"
    assert (tab.state["fine"], tab.state["also_fine"]) == (1, 2)
    assert tab.fire("increment").ok


def test_an_unknown_handler_is_not_accepted_and_the_nearest_one_is_named(tab: Tab) -> None:
    end = tab.fire("incremet")
    assert not end.accepted
    assert end.error is not None
    assert end.error.code == "unknown_handler"
    assert "'increment'" in end.error.message
    assert tab.fire("increment").ok


def test_a_payload_that_no_browser_could_send_is_refused_where_it_is_fired(tab: Tab) -> None:
    with pytest.raises(TypeError, match="what a browser can send"):
        tab.fire("show", object())
    assert tab.fire("show", [1, None, {"a": b"b"}]).result == [1, None, {"a": b"b"}]


def test_a_context_is_what_the_protocol_says_and_a_bad_one_is_refused(tab: Tab) -> None:
    around = {"state": ["user"], "key": "name"}
    context = tab.fire("show_context", context={"event": "wf-click", "target": "b", "repeaters": [around]}).result
    assert (context["event"], context["target"], context["item"]) == ("wf-click", "b", "Bob")
    end = tab.fire("show_context", context={"repeaters": [{"state": ["_secret"], "key": "x"}]})
    assert end.error is not None
    assert end.error.code == "bad_frame"


def test_what_was_printed_is_told_with_its_event(tab: Tab, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tab.start("print_lines", "a"), tab.start("print_lines_async", "b")
    print("the test's own")
    assert first.wait().output == "".join(f"a-{i}!\n" for i in range(20))
    assert second.wait().output == "".join(f"b-{i}!\n" for i in range(20))
    assert capsys.readouterr().out == "the test's own\n"


def test_what_the_app_printed_on_import_is_told(tmp_path: Path) -> None:
    with app_of(tmp_path, "print('hello')\n") as app:
        assert app.output == "hello\n"


# --- what takes long ---


def test_a_long_handler_is_detached_and_sends_partial_updates(tab: Tab) -> None:
    running = tab.start("slow_loop", 10)
    tab.wait_until(lambda: tab.state.get("rounds", 0) > 2)
    assert tab.fire("increment").ok
    assert not running.ended
    tab.fire("set_cancel")
    end = running.wait()
    assert end.result == "cancelled"
    assert end.updates[0].partial
    assert not end.updates[-1].partial
    assert tab.state["counter"] == 1


def test_a_running_handler_is_cancelled_and_keeps_what_it_assigned(tab: Tab) -> None:
    for handler in ("slow_loop", "slow_async"):
        running = tab.start(handler, 30)
        tab.wait_until(lambda: running.updates)  # noqa: B023
        running.cancel()
        end = running.wait()
        assert end.error is not None
        assert end.error.code == "cancelled"
    assert tab.state["async"] == "began"


LEAVES = (
    "import asyncio, sys\ninit = mh.init_state({'x': 0})\n"
    "async def _leave(state):\n await asyncio.sleep(0)\n sys.exit('from a subscriber')\n"
    "init.subscribe_mutation('x', _leave)\n"
    "def subscriber(state): state['x'] = 1\n"
    "async def task(state):\n child = asyncio.create_task(_interrupt())\n await asyncio.wait([child])\n"
    " return type(child.exception()).__name__\n"
    "async def _interrupt(): raise KeyboardInterrupt\n"
)


def test_async_handlers_go_on_when_a_task_of_one_of_them_wants_to_leave(tmp_path: Path) -> None:
    with app_of(tmp_path, LEAVES) as app:
        tab = app.open()
        end = tab.fire("subscriber")
        assert end.error is not None
        assert (end.error.code, repr(end.exception)) == ("handler_failed", "SystemExit('from a subscriber')")
        assert [tab.fire("task", check=True).result for _ in range(2)] == ["KeyboardInterrupt"] * 2


def test_an_event_that_waits_is_cancelled_without_being_begun(tmp_path: Path) -> None:
    code = (
        "import threading\ngo = threading.Event()\ndef wait(): go.wait()\ndef tell(): go.set()\n"
        "def count(state): state['n'] = 1\n"
    )
    with app_of(tmp_path, code, turn_limit=60.0) as app:
        tab, other = app.open(), app.open()
        first, second = tab.start("wait"), tab.start("count")
        second.cancel()
        assert second.wait().error is not None
        other.fire("tell")
        assert first.wait().ok
        assert tab.state == {}


def test_events_of_a_session_run_in_their_order_and_two_sessions_beside_each_other(app: TestApp) -> None:
    tabs = [app.open() for _ in range(3)]
    fired = [tab.start("append", i) for i in range(10) for tab in tabs]
    for one in fired:
        assert one.wait().ok
    assert [tab.state["log"] for tab in tabs] == [list(range(10))] * 3


def test_an_event_that_takes_longer_than_the_test_waits_is_named(tab: Tab) -> None:
    with pytest.raises(TimeoutError, match=r"event 1 for slow_async has not ended within 0.05 s"):
        tab.fire("slow_async", 30, timeout=0.05)
    tab.cancel(1)


def test_a_handler_that_runs_on_when_the_test_is_over_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyhands.testing.app.END_WITHIN", 0.01)
    started = app_of(tmp_path, "import threading\ngo = threading.Event()\ndef stay(): go.wait()\n")
    with contextlib.ExitStack() as stack:
        tab = stack.enter_context(started).open()
        go = sys.modules["main"].go
        tab.start("stay")
        with pytest.warns(RuntimeWarning, match="run on though their test is over: stay"):
            stack.close()
    go.set()


# --- several of everything ---


def test_the_same_app_is_loaded_afresh_each_time_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("seen = []\n")
    code = "import own\ndef see(): own.seen.append(1); return len(own.seen)\n"
    before, path = set(sys.modules), list(sys.path)
    for _ in range(2):
        with app_of(tmp_path, code) as app:
            tab = app.open()
            assert [tab.fire("see").result for _ in range(2)] == [1, 2]
            assert "own" in sys.modules
    assert "own" not in sys.modules
    assert "main" not in set(sys.modules) - before
    assert sys.path == path


def test_two_apps_are_open_at_the_same_time(tmp_path: Path) -> None:
    one = app_of(tmp_path / "one", "mh.init_state({'who': 1})\ndef who(state): return state['who']\n")
    other = app_of(tmp_path / "other", "mh.init_state({'who': 2})\ndef who(state): return state['who']\n")
    with one, other:
        tabs = one.open(), other.open()
        assert [tab.fire("who", check=True).result for tab in tabs] == [1, 2]
    with pytest.raises(RuntimeError, match="with TestApp"):
        one.open()


OWN_CLASS = (
    "import dataclasses, lib\n@dataclasses.dataclass\nclass Who:\n name: str = lib.who\n"
    "def put(state): state['who'] = Who()\n"
    "def get(state): return type(state['who']) is Who and state['who'].name\n"
    "def late():\n import more\n return more.who\n"
)


def test_of_two_apps_whose_modules_have_the_same_names_each_finds_its_own(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        tabs = []
        for name in ("one", "other"):
            started = app_of(tmp_path / name, OWN_CLASS)
            for module in ("lib", "more"):
                (tmp_path / name / f"{module}.py").write_text(f"who = {name!r}\n")
            tabs.append(stack.enter_context(started).open())
            tabs[-1].fire("put", check=True)
        for handler in ("get", "late"):
            assert [tab.fire(handler, check=True).result for tab in tabs] == ["one", "other"]
        with app_of(tmp_path / "third", "def f(): ...\n") as third:
            third.open().fire("f", check=True)
        assert sys.modules["lib"].who == "other"
    assert not {"lib", "more"} & set(sys.modules)


def test_what_the_test_itself_has_put_on_the_path_stays_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    with app_of(tmp_path, "def f(): ...\n"):
        pass
    assert sys.path.count(str(tmp_path)) == 1


def test_threads_end_with_the_app(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with app_of(tmp_path, "async def f(state): state['x'] = 1\n") as app:
        app.open().fire("f", check=True)
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive(), thread


def test_an_app_that_can_not_be_imported_says_why_and_the_next_one_runs(tmp_path: Path) -> None:
    path, stdout = list(sys.path), sys.stdout
    bad = app_of(tmp_path / "bad", "import beside\n1 / 0\n")
    (tmp_path / "bad" / "beside.py").touch()
    with pytest.raises(AppImportError, match="ZeroDivisionError"), bad:
        pass
    assert (sys.path, sys.stdout) == (path, stdout)
    assert "beside" not in sys.modules
    with app_of(tmp_path / "good", "def f(): return 1\n") as app:
        assert app.open().fire("f").result == 1


def test_handlers_run_on_a_thread_of_the_worker_also_where_the_test_has_an_event_loop(tmp_path: Path) -> None:
    code = "import asyncio\ndef f(state): return asyncio.run(g())\nasync def g(): return 3\n"

    async def test() -> None:
        with app_of(tmp_path, code) as app:
            assert app.open().fire("f", check=True).result == 3

    run(test())


# --- sessions and rooms ---

GUARDED = (
    "@mh.session_verifier\ndef check(headers, cookies):\n"
    " return headers.get('X-Team') == 'blue' or cookies.get('a') == '1'\n"
    "def show(session): return [session['headers'].get('X-Team'), session['cookies']]\n"
)


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_session_verifiers_decide_on_headers_and_cookies(tmp_path: Path, kind: str) -> None:
    with app_of(tmp_path, GUARDED.replace("def check", f"{kind} check")) as app:
        assert app.handlers == {"show"}
        with pytest.raises(SessionRefused):
            app.open()
        assert app.open(headers={"X-Team": "blue"}).fire("show").result == ["blue", {}]
        assert app.open(cookies={"a": "1"}).fire("show").result == [None, {"a": "1"}]


ROOM = (
    "def join(session, payload): session.join(payload)\ndef leave(session, payload): session.leave(payload)\n"
    "def add(payload):\n room = mh.shared('chat', {'said': [], '_log': 1})\n room['said'] = [*room['said'], payload]\n"
    "async def add_async(payload):\n room = await mh.shared('chat', {'said': []})\n"
    " room['said'] = [*room['said'], payload]\n"
)


def test_sessions_in_a_room_have_what_others_wrote_to_it(tmp_path: Path) -> None:
    with app_of(tmp_path, ROOM) as app:
        one, other, outside = app.open(), app.open(), app.open()
        one.fire("join", "chat", check=True)
        one.fire("add", "first", check=True)
        other.fire("join", "chat", check=True)
        other.fire("add_async", "second", check=True)
        assert one.shared == other.shared == {"chat": {"said": ["first", "second"]}}
        assert outside.shared == {}
        one.reload()
        assert one.shared["chat"]["said"] == ["first", "second"]
        one.fire("leave", "chat", check=True)
        other.fire("add", "third", check=True)
        assert one.shared == {}
        assert other.shared["chat"]["said"][-1] == "third"


def test_two_handlers_take_a_room_one_after_the_other(tmp_path: Path) -> None:
    with app_of(tmp_path, ROOM) as app:
        tabs = [app.open() for _ in range(6)]
        tabs[0].fire("join", "chat", check=True)
        fired = [tab.start(handler, "x") for tab in tabs for handler in ("add", "add_async")]
        assert all(one.wait().ok for one in fired)
        tabs[0].wait_until(lambda: len(tabs[0].shared["chat"]["said"]) == 12)


def test_while_developing_the_browser_is_told_what_was_raised() -> None:
    with TestApp(SEMANTICS, dev=True) as app:
        error = app.open().fire("fail").error
        assert error is not None
        assert error.message == "ValueError: secret detail"


def test_a_tab_that_was_closed_says_so(app: TestApp) -> None:
    tab = app.open()
    tab.close()
    with pytest.raises(ClientClosed, match="by the test"):
        tab.fire("increment")


def test_settings_may_differ_and_limits_hold(tmp_path: Path) -> None:
    with app_of(tmp_path, "def f(): ...\n", rate_limit=1.0, max_payload=10) as app:
        tab = app.open()
        ends = [tab.fire("f") for _ in range(3)]
        assert [end.accepted for end in ends] == [True, True, False]
        assert ends[-1].error is not None
        assert ends[-1].error.code == "rate_limited"
        large = tab.fire("f", "x" * 11)
        assert large.error is not None
        assert large.error.code == "payload_too_large"
