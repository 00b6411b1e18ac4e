"""`manyhands dev`: the real command on examples/hello, driven through real sockets."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manyhands_worker.loader import hash_code
from support.browser import Tab
from support.liveness import DEADLINE, descendants, is_alive, wait_until_dead
from support.processes import Process, Processes, get
from support.waiting import wait_until

HELLO = Path(__file__).parents[2] / "examples" / "hello"

#: What a test's own environment would add to that of `dev`, which brings its own Redis and secret.
ALONE = {"REDIS_URL": "", "MANYHANDS_SECRET_KEY": "", "MANYHANDS_NAMESPACE": ""}


class Dev:
    """One `manyhands dev` that says where to click."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.url = process.wait_for_output(r"Open (http://\S+)/ and click")[1]

    def tab(self, token: str | None = None) -> Tab:
        return Tab(self.url, token=token)

    @property
    def children(self) -> list[int]:
        return descendants(self.process.pid)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return copy_of_hello(tmp_path)


def copy_of_hello(directory: Path) -> Path:
    ignored = shutil.ignore_patterns(".manyhands", "__pycache__")
    return Path(shutil.copytree(HELLO, directory / "hello", ignore=ignored))


@pytest.fixture
def own_dev(processes: Processes, app: Path) -> Iterator[Dev]:
    """One for a test that ends it."""
    running = Dev(processes.manyhands("dev", str(app), "--port", "0", environ=ALONE))
    yield from ended_afterwards(running)


@pytest.fixture(scope="module")
def shared_dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Dev, Path]]:
    """One for all tests that leave it running, with its app."""
    app = copy_of_hello(tmp_path_factory.mktemp("shared"))
    processes = Processes(tmp_path_factory.mktemp("processes"), {})
    running = Dev(processes.manyhands("dev", str(app), "--port", "0", environ=ALONE))
    yield from ((one, app) for one in ended_afterwards(running))


def ended_afterwards(dev: Dev) -> Iterator[Dev]:
    children = dev.children
    yield dev
    dev.process.terminate()
    for pid in children:
        wait_until_dead(pid)


@pytest.fixture
def dev(shared_dev: tuple[Dev, Path]) -> Iterator[Dev]:
    """The shared one, as if just started: with the app as it was, and without what it said before."""
    running, app = shared_dev
    running.process.forget_output()
    yield running
    running.process.forget_output()
    if put_back(app):
        # After that line: what the test itself has changed last may still be about to be served.
        served = rf"(?s)changed: restarting.*serving \d+ handlers of version {hash_code(HELLO)}"
        running.process.wait_for_output(served, DEADLINE)


@pytest.fixture
def its_app(shared_dev: tuple[Dev, Path]) -> Path:
    """The app of the shared one."""
    return shared_dev[1]


def put_back(app: Path) -> bool:
    """Give an app's directory the files of the example again; tells whether code has changed."""
    good = {file.relative_to(HELLO): file.read_bytes() for file in files_of(HELLO)}
    found = {file.relative_to(app): file.read_bytes() for file in files_of(app)}
    for name in found.keys() - good.keys():
        (app / name).unlink()
    changed = [name for name in found.keys() | good.keys() if found.get(name) != good.get(name)]
    for name in changed:
        if name in good:
            (app / name).write_bytes(good[name])
    return any(name.suffix == ".py" for name in changed)


def files_of(app: Path) -> Iterator[Path]:
    for path in app.rglob("*"):
        if path.is_file() and not {".manyhands", "__pycache__"} & set(path.parts):
            yield path


def test_it_says_where_to_click_when_a_click_works(dev: Dev) -> None:
    assert get(f"{dev.url}/readyz") is not None
    with dev.tab() as tab:
        assert tab.state["counter"] == 0
        tab.call("increment")
        assert tab.state["counter"] == 1


def test_it_serves_page_styles_and_client(dev: Dev) -> None:
    assert 'wf-click="increment"' in (get(f"{dev.url}/") or "")
    assert "color-scheme" in (get(f"{dev.url}/static/hello.css") or "")
    assert "manyhands.1.json" in (get(f"{dev.url}/_mh/client.js") or "")


def test_a_second_tab_of_the_session_sees_the_click(dev: Dev) -> None:
    with dev.tab() as one, dev.tab(token=one.token) as other:
        one.call("increment")
        other.wait_for(lambda: other.state["counter"] == 1)


def test_a_page_hears_what_its_own_session_prints_and_no_other_does(dev: Dev, its_app: Path) -> None:
    code = (its_app / "main.py").read_text()
    (its_app / "main.py").write_text(
        f"{code}\n\ndef speak(payload):\n    print(payload)\n    raise ValueError(payload)\n"
    )
    dev.process.wait_for_output("main.py changed: restarting the workers")
    with dev.tab() as tab, dev.tab() as stranger:
        wait_until(lambda: '"speak"' in (get(f"{dev.url}/_mh/studio/app") or ""), DEADLINE, "the new handler")
        n = tab.fire("speak", "for one session")
        tab.wait_for(lambda: len(logs_of_events(tab)) == 2, DEADLINE)
        printed, raised = logs_of_events(tab)

        assert (printed["level"], printed["text"]) == ("info", "for one session")
        assert printed["event"] == raised["event"] == {"client": tab.client, "n": n}
        assert abs(time.time() - printed["time"]) < DEADLINE
        assert raised["level"] == "error"
        assert "main.py" in raised["text"]
        stranger.call("increment")
        assert logs_of_events(stranger) == []


def logs_of_events(tab: Tab) -> list[Any]:
    """List what a page was told of events; of what a worker does beside them, every page is told."""
    return [one for one in tab.others if one["type"] == "log" and one["event"]]


def test_a_change_of_the_code_counts_for_the_next_click_and_keeps_the_session(dev: Dev, its_app: Path) -> None:
    with dev.tab() as tab:
        tab.call("increment")
        code = (its_app / "main.py").read_text()
        (its_app / "main.py").write_text(code.replace('state["counter"] += 1', 'state["counter"] += 10'))
        dev.process.wait_for_output("main.py changed: restarting the workers")
        # Until it has heard of that, the worker with the old code may take a click.
        dev.process.wait_for_output("going down: no new turns")
        tab.call("increment", timeout=DEADLINE)

        assert tab.state["counter"] == 11


def test_an_app_that_no_longer_imports_shows_its_traceback_and_is_mended_by_the_next_change(
    dev: Dev, its_app: Path
) -> None:
    good = (its_app / "main.py").read_text()
    with dev.tab() as tab:
        tab.call("increment")
        (its_app / "main.py").write_text(good + "\nraise RuntimeError('half-way through an edit')\n")
        dev.process.wait_for_output("RuntimeError: half-way through an edit")
        dev.process.wait_for_output("the app can't be imported, see above; waiting for the next change of its code")
        n = tab.fire("increment")
        tab.wait_accepted(n)
        (its_app / "main.py").write_text(good)
        tab.wait_done(n, DEADLINE)

        assert tab.state["counter"] == 2


def test_a_worker_that_ended_for_another_reason_is_not_said_to_have_an_app_that_cannot_be_imported(
    dev: Dev, its_app: Path
) -> None:
    (its_app / "main.py").write_text("import os\nos._exit(1)\n")
    dev.process.wait_for_output("ended with exit code 1, see above; waiting for the next change of its code")

    assert "can't be imported" not in dev.process.output


def test_it_does_not_say_that_a_click_works_because_one_worked_when_it_last_ran(
    own_dev: Dev, app: Path, processes: Processes
) -> None:
    own_dev.process.terminate()
    good = (app / "main.py").read_text()
    (app / "main.py").write_text("import no_such_module\n")
    again = processes.manyhands("dev", str(app), "--port", "0", environ=ALONE)
    again.wait_for_output("waiting for the next change of its code")
    again.wait_for_output("listening on")
    assert "Open http" not in again.output
    (app / "main.py").write_text(good)

    with Dev(again).tab() as tab:
        tab.call("increment")


def test_a_change_of_page_or_style_restarts_nothing(dev: Dev, its_app: Path) -> None:
    children = dev.children
    (its_app / "index.html").write_text("<p>another page</p>")
    (its_app / "static" / "hello.css").write_text("p {}")
    wait_until(lambda: get(f"{dev.url}/") == "<p>another page</p>", DEADLINE, "new page")
    # A change of code comes after them in the same watch: had they restarted anything, its message would be first.
    (its_app / "more.py").write_text("")
    dev.process.wait_for_output("changed: restarting")

    assert dev.process.output.count("changed: restarting") == 1
    assert "more.py changed" in dev.process.output
    assert set(children) & set(dev.children)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_children_and_exits_0(own_dev: Dev, number: signal.Signals) -> None:
    children = own_dev.children
    assert len(children) >= 3, "a gateway, a worker and a Redis"
    own_dev.process.send(number)

    assert own_dev.process.wait_for_exit() == 0
    for pid in children:
        assert not is_alive(pid)


def test_nothing_outlives_it_when_it_is_killed(own_dev: Dev) -> None:
    children = own_dev.children
    own_dev.process.send(signal.SIGKILL)

    for pid in children:
        wait_until_dead(pid)


def test_a_gateway_process_that_cannot_notice_it_dies_with_it_and_frees_the_port(own_dev: Dev) -> None:
    arbiter = next(pid for pid in own_dev.children if "gateway" in arguments(pid))
    served_by = descendants(arbiter)
    for pid in served_by:
        os.kill(pid, signal.SIGSTOP)
    try:
        own_dev.process.send(signal.SIGKILL)
        assert served_by
        for pid in served_by:
            wait_until_dead(pid)
    finally:
        for pid in filter(is_alive, served_by):
            os.kill(pid, signal.SIGKILL)


def test_a_killed_worker_is_started_again(own_dev: Dev) -> None:
    with own_dev.tab() as tab:
        worker = next(pid for pid in own_dev.children if "worker" in arguments(pid))
        subprocess.run(["kill", "-KILL", str(worker)], check=True)
        own_dev.process.wait_for_output(r"worker\.1 was killed by SIGKILL; starting it again")
        tab.call("increment", timeout=DEADLINE)

        assert tab.state["counter"] == 1


def test_the_session_survives_a_restart_of_dev(own_dev: Dev, app: Path, processes: Processes) -> None:
    with own_dev.tab() as tab:
        tab.call("increment")
        token = tab.token
    own_dev.process.terminate()
    again = Dev(processes.manyhands("dev", str(app), "--port", "0", environ=ALONE))

    with again.tab(token=token) as tab:
        assert tab.state["counter"] == 1


def test_a_second_dev_on_the_same_app_is_refused(dev: Dev, its_app: Path, processes: Processes) -> None:
    second = processes.manyhands("dev", str(its_app), "--port", "0", environ=ALONE)

    assert second.wait_for_exit() == 1
    assert f"another `manyhands dev` (process {dev.process.pid}) runs the app in {its_app}" in second.output


def test_a_port_in_use_is_named_with_the_flag_that_chooses_another(processes: Processes, app: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = processes.manyhands("dev", str(app), "--port", str(port), environ=ALONE)

        assert process.wait_for_exit() == 1
        assert f"can't listen on 127.0.0.1 port {port}: Address already in use" in process.output
        assert "--port" in process.output


def test_an_app_that_is_not_there_is_named(processes: Processes, tmp_path: Path) -> None:
    process = processes.manyhands("dev", str(tmp_path / "nowhere"), environ=ALONE)

    assert process.wait_for_exit() == 1
    assert "nowhere" in process.output
    assert "Traceback" not in process.output


def test_without_reload_an_app_that_does_not_import_ends_everything(processes: Processes, app: Path) -> None:
    (app / "main.py").write_text("import no_such_module\n")
    process = processes.manyhands("dev", str(app), "--port", "0", "--no-reload", environ=ALONE)

    assert process.wait_for_exit() == 1
    assert "ModuleNotFoundError: No module named 'no_such_module'" in process.output


def test_without_watchfiles_it_runs_without_reload_and_says_what_brings_it(
    processes: Processes, app: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['watchfiles'] = None\n")
    dev = Dev(processes.manyhands("dev", str(app), "--port", "0", environ={**ALONE, "PYTHONPATH": str(tmp_path)}))

    assert "no reload on change: `pip install 'manyhands[dev]'` brings watchfiles" in dev.process.output


def test_it_uses_the_redis_that_is_set_instead_of_its_own(processes: Processes, app: Path) -> None:
    dev = Dev(processes.manyhands("dev", str(app), "--port", "0"))
    with dev.tab() as tab:
        tab.call("increment")

    assert not any("redis-server" in " ".join(arguments(pid)) for pid in dev.children)


def test_it_runs_the_handlers_of_all_routes_by_itself(processes: Processes, app: Path) -> None:
    routes = {"MANYHANDS_ROUTES": "incr*=gpu,start=slow"}
    running = Dev(processes.manyhands("dev", str(app), "--port", "0", environ={**ALONE, **routes}))
    with running.tab() as tab:
        for handler in ("increment", "greet", "increment"):
            tab.call(handler)

        assert tab.state["counter"] == 2


def test_what_it_keeps_beside_the_app_is_private_and_ignored_by_git(dev: Dev, its_app: Path) -> None:
    folder = its_app / ".manyhands"

    assert (folder / ".gitignore").read_text() == "*\n"
    assert (folder / "secret").stat().st_mode & 0o077 == 0
    assert any(re.fullmatch(r"(redis|valkey)-\d+", path.name) for path in folder.iterdir())


def test_a_new_app_runs_as_it_was_made(processes: Processes, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "manyhands", "new", str(tmp_path / "app")], check=True, capture_output=True)
    dev = Dev(processes.manyhands("dev", "--port", "0", environ=ALONE, directory=tmp_path / "app"))

    with dev.tab() as tab:
        tab.call("increment")
        assert tab.state["counter"] == 1


def arguments(pid: int) -> list[str]:
    """Give the command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
