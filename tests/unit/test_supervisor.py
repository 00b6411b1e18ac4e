"""The supervisor, with real child processes that are small Python programs."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from manyhands.child import Ending, Patience, Program, describe
from manyhands.supervisor import Supervisor
from manyhands.terminal import Terminal, wants_colour
from manyhands.tether import tethered
from support.event_loop import run
from support.liveness import DEADLINE, wait_until_dead

QUICK = Patience(grace=DEADLINE, pause=0.01, longest_pause=0.05, settled=60.0)


def program(name: str, code: str, **more: Any) -> Program:
    return Program(name, [sys.executable, "-I", "-S", "-u", "-c", code], **more)


class Stage:
    """A supervisor whose output is kept."""

    def __init__(self, patience: Patience = QUICK) -> None:
        self._stream = io.BytesIO()
        self.waiting: list[str] = []
        terminal = Terminal(self._stream, colour=False)
        self.supervisor = Supervisor(terminal, patience, lambda child: self.waiting.append(child.program.name))

    @property
    def lines(self) -> list[str]:
        return self._stream.getvalue().decode().splitlines()

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    async def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, self.lines
            await asyncio.sleep(0.01)

    def play(self, scene: Callable[[], Coroutine[Any, Any, None]]) -> int:
        """Run a scene beside the supervisor; a scene that fails, or ends, ends the supervisor too."""

        async def both() -> int:
            running = asyncio.create_task(self.supervisor.run())
            try:
                await scene()
                return await asyncio.wait_for(running, DEADLINE)
            finally:
                self.supervisor.stop()
                self.supervisor.stop()
                await running

        return run(both())


def test_each_line_of_output_has_its_childs_name_before_it() -> None:
    stage = Stage()

    async def scene() -> None:
        stage.supervisor.start(program("one", "print('first')\nprint('second', end='')"))
        stage.supervisor.start(program("two", "import sys; print('problem', file=sys.stderr); sys.stdin.read()"))
        await stage.until(lambda: stage.said("first") and stage.said("problem"))
        stage.supervisor.stop()

    assert stage.play(scene) == 0
    assert "one       | first" in stage.lines
    assert "one       | second" in stage.lines
    assert "two       | problem" in stage.lines


def test_a_very_long_line_is_shown_in_pieces() -> None:
    stage = Stage()

    async def scene() -> None:
        stage.supervisor.start(program("one", "print('x' * 200_000); print('after'); import time; time.sleep(99)"))
        await stage.until(lambda: stage.said("after"))
        stage.supervisor.stop()

    stage.play(scene)
    assert sum(line.count("x") for line in stage.lines) == 200_000


@pytest.mark.parametrize("death", ["os.kill(os.getpid(), 9)", "os._exit(70)", "os._exit(0)"])
def test_a_child_that_crashed_or_ended_unasked_is_started_again(death: str, tmp_path: Path) -> None:
    stage = Stage()
    count = tmp_path / "count"
    code = f"import os, time\nopen({str(count)!r}, 'a').write('x')\nif len(open({str(count)!r}).read()) < 3: {death}\n"

    async def scene() -> None:
        stage.supervisor.start(program("one", code + "print('up'); time.sleep(99)"))
        await stage.until(lambda: stage.said("up"))
        stage.supervisor.stop()

    assert stage.play(scene) == 0
    assert count.read_text() == "xxx"
    assert stage.said("starting it again")


def test_a_child_that_says_it_is_hopeless_stops_everything_with_its_code() -> None:
    stage = Stage()

    async def scene() -> None:
        stage.supervisor.start(program("lives", "import time; time.sleep(99)"))
        stage.supervisor.start(program("fails", "raise SystemExit(1)"))

    assert stage.play(scene) == 1
    assert stage.said("fails ended with exit code 1; stopping")


def test_a_child_may_wait_to_be_replaced_instead() -> None:
    stage = Stage()

    async def scene() -> None:
        stage.supervisor.start(program("lives", "import time; time.sleep(99)"))
        stage.supervisor.start(program("app", "raise SystemExit(1)", waits_after=frozenset({1})))
        await stage.until(lambda: stage.waiting)
        stage.supervisor.stop()

    assert stage.play(scene) == 0
    assert stage.waiting == ["app"]
    assert not stage.said("starting it again")


@pytest.mark.parametrize("line", ["sign: and more", "no sign"])
def test_a_child_tells_by_a_line_of_its_output_what_its_exit_code_cannot(line: str) -> None:
    stage = Stage()
    told: list[bool] = []
    stage.supervisor.on_wait = lambda child: told.append(child.gave_sign)

    async def scene() -> None:
        code = f"print({line!r}); raise SystemExit(1)"
        stage.supervisor.start(program("child", code, waits_after=frozenset({1}), sign=b"sign:"))
        await stage.until(lambda: told)
        stage.supervisor.stop()

    stage.play(scene)
    assert told == [line.startswith("sign:")]


def test_a_retired_child_ends_while_the_others_run_on() -> None:
    stage = Stage()
    loop = "import signal, sys, time\nsignal.signal(15, lambda *a: sys.exit(0))\nprint('up')\ntime.sleep(99)"

    async def scene() -> None:
        old = stage.supervisor.start(program("old", loop))
        new = stage.supervisor.start(program("new", loop))
        await stage.until(lambda: len(stage.lines) == 2)
        stage.supervisor.retire(old)
        await stage.until(lambda: old.pid is None)
        assert new.pid is not None
        stage.supervisor.stop()

    assert stage.play(scene) == 0
    assert not stage.said("starting it again")


def test_a_child_that_does_not_end_in_time_is_killed_with_what_it_started() -> None:
    stage = Stage(Patience(grace=0.2))
    deaf = "import signal, subprocess, sys, time\nsignal.signal(15, signal.SIG_IGN)\n"
    deaf += "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)']).pid)\ntime.sleep(99)"

    async def scene() -> None:
        stage.supervisor.start(program("deaf", deaf))
        await stage.until(lambda: stage.lines)
        stage.supervisor.stop()

    assert stage.play(scene) == 1
    assert stage.said("killing deaf")
    wait_until_dead(int(stage.lines[0].split()[-1]))


def test_a_second_stop_does_not_wait() -> None:
    stage = Stage(Patience(grace=600))

    async def scene() -> None:
        stage.supervisor.start(
            program("deaf", "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('up')\ntime.sleep(600)")
        )
        await stage.until(lambda: stage.said("up"))
        stage.supervisor.stop()
        stage.supervisor.stop()

    assert stage.play(scene) == 1


SUPERVISE = """
import os, sys
from manyhands.child import Program
from manyhands.supervisor import supervise
code = "import os, time; print('pid', os.getpid(), os.getsid(0), flush=True); time.sleep(99)"
sys.exit(supervise([Program(name, [sys.executable, "-c", code]) for name in ("a", "b")]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_children_and_supervisor_with_exit_code_0(number: signal.Signals) -> None:
    with supervising() as (parent, children):
        parent.send_signal(number)

        assert parent.wait(DEADLINE) == 0
        for pid, _ in children:
            wait_until_dead(pid)


def test_children_do_not_outlive_a_killed_supervisor() -> None:
    with supervising() as (parent, children):
        parent.kill()
        parent.wait(DEADLINE)

        for pid, _ in children:
            wait_until_dead(pid)


def test_children_lead_sessions_of_their_own_so_that_ctrl_c_reaches_the_supervisor_alone() -> None:
    with supervising() as (_, children):
        assert all(pid == session for pid, session in children)


def test_a_tethered_child_is_the_program_itself() -> None:
    child = subprocess.run(tethered([sys.executable, "-c", "import os; print(os.getppid())"]), capture_output=True)

    assert int(child.stdout) == os.getpid()


@pytest.mark.parametrize(
    ("code", "ending"),
    [(0, Ending.AGAIN), (-9, Ending.AGAIN), (70, Ending.AGAIN), (1, Ending.STOP), (2, Ending.STOP), (3, Ending.STOP)],
)
def test_what_follows_an_exit_code(code: int, ending: Ending) -> None:
    assert Program("any", []).ending(code) is ending


def test_pauses_double_up_to_a_limit_and_begin_anew_after_a_long_life() -> None:
    patience = Patience(pause=1, longest_pause=5, settled=10)
    pauses = [0.0]
    for _ in range(5):
        pauses.append(patience.next_pause(pauses[-1], lived=0.1))

    assert pauses == [0, 1, 2, 4, 5, 5]
    assert patience.next_pause(5, lived=11) == 1


def test_an_ending_is_described_in_words() -> None:
    assert describe(70) == "ended with exit code 70"
    assert describe(-9) == "was killed by SIGKILL"
    assert describe(-40) == "was killed by signal 40"


class FakeTty(io.BytesIO):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_whose_owner_wants_it() -> None:
    assert wants_colour(FakeTty(), {})
    assert not wants_colour(FakeTty(), {"NO_COLOR": "1"})
    assert not wants_colour(FakeTty(), {"TERM": "dumb"})
    assert not wants_colour(io.BytesIO(), {})


def test_each_name_has_its_own_colour() -> None:
    stream = FakeTty()
    terminal = Terminal(stream, colour=True)
    for name in ("gateway", "worker.1", "gateway"):
        terminal.write(name, b"hello")

    first, second, third = (line.partition(b"m")[0] for line in stream.getvalue().splitlines())
    assert first == third != second


@contextlib.contextmanager
def supervising() -> Iterator[tuple[subprocess.Popen[str], list[tuple[int, int]]]]:
    """Run a supervisor with two children; give its process, and each child's process and session id."""
    parent = subprocess.Popen([sys.executable, "-c", SUPERVISE], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        lines = [parent.stdout.readline().split() for _ in range(2)]
        yield parent, [(int(line[-2]), int(line[-1])) for line in lines]
    finally:
        parent.kill()
        parent.communicate()
