"""`manyhands check`: what is a handler, what is not and why, and what is wrong with an app that can't be imported."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from manyhands.cli import COMMANDS, main

APP = '''
import manyhands as mh
from os.path import join
import more

print("imported")
mh.init_state({"counter": 0})
mh.init_handlers(more)

def increment(state):
    """Add one."""

async def fetch(payload, session): ...

def needs(user, state): ...

everything = lambda state: None
'''


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(APP)
    (tmp_path / "more.py").write_text("def run(context): ...\n")
    return tmp_path


def check(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell would."""
    return subprocess.run(
        [sys.executable, "-m", "manyhands", "check", *arguments],
        env={**{key: value for key, value in os.environ.items() if not key.startswith("MANYHANDS")}, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_it_lists_handlers_and_what_is_none_and_why(app: Path) -> None:
    done = check(str(app))
    assert done.returncode == 0, done.stderr
    assert done.stderr == "imported\n"
    head, version, *rest = done.stdout.splitlines()
    assert head == f"main, from {app}/main.py"
    assert version.startswith("version ")
    assert version.endswith(", 1 default")
    join_at = next(line for line in rest if line.startswith("  join"))
    assert "\n".join(rest) == textwrap.dedent(f"""
        3 handlers:
          increment(state)  main.py:10
          async fetch(payload, session)  main.py:13
          more.run(context)  more.py:1

        Not a handler:
        {join_at}
              it is defined outside the app's directory, in posixpath
          needs  main.py:15
              its parameter user can't be filled: a handler's parameters are state, payload, context,
              session; rename it, give it a default, or begin the function's name with an underscore
          everything  main.py:17
              it is a lambda; write it with def""")


def test_the_argument_overrides_the_environment(app: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "main.py").write_text("def other(): ...")
    assert "other()" in check(MANYHANDS_APP=str(other)).stdout
    assert "other()" not in check(str(app), MANYHANDS_APP=str(other)).stdout


def test_without_a_name_it_checks_the_current_directory(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(app)
    done = check()
    assert "increment(state)" in done.stdout


def test_an_app_that_cannot_be_imported_is_shown_with_its_traceback(app: Path) -> None:
    (app / "more.py").write_text("def f():\n    return 1 / 0\n\nf()\n")
    done = check(str(app))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f'Traceback (most recent call last):\n  File "{app}/main.py", line 4, in <module>')
    assert f'File "{app}/more.py", line 2, in f' in done.stderr
    assert done.stderr.endswith(
        "ZeroDivisionError: division by zero\n"
        "manyhands: importing the app's module 'main' raised ZeroDivisionError: division by zero\n"
    )


def test_an_app_that_exits_is_one_that_cannot_be_imported(app: Path) -> None:
    (app / "more.py").write_text("import sys\nsys.exit(0)\n")
    done = check(str(app))
    assert done.returncode == 1
    assert "raised SystemExit: 0" in done.stderr


def test_a_name_that_names_no_app_is_told_what_is_expected(tmp_path: Path) -> None:
    done = check(str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"manyhands: can't find the app '{tmp_path}': the directory {tmp_path} holds no main.py"
    )


def test_a_bad_variable_is_named(app: Path) -> None:
    done = check(MANYHANDS_APP=str(app), MANYHANDS_LEASE="soon")
    assert done.returncode == 1
    assert "MANYHANDS_LEASE is 'soon'" in done.stderr


@pytest.mark.parametrize("code", ["", "raise RuntimeError"])
def test_a_thread_that_the_app_began_does_not_hold_the_process(app: Path, code: str) -> None:
    (app / "more.py").write_text(f"import threading\nthreading.Thread(target=threading.Event().wait).start()\n{code}\n")
    done = check(str(app))
    assert done.returncode == (1 if code else 0)
    assert ("increment(state)" in done.stdout) == (not code)


def test_whoever_reads_its_output_may_stop(app: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "manyhands", "check", str(app)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "imported\n")


def test_ctrl_c_ends_a_command_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("manyhands.cli.settings.run", interrupted)
    assert main(["settings"]) == 130


@pytest.mark.parametrize("command", ["check", "handlers"])
def test_its_help_begins_with_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command in COMMANDS
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert "APP" in capsys.readouterr().out


TYPED = """
import manyhands as mh

class AppState(mh.State):
    counter: int = 0

initial = mh.init_state(schema=AppState)

@mh.computed("counter")
def double(state):
    return state.counter * 2

def _heard(payload): ...

initial.subscribe_mutation(["counter", "user.name"], _heard)
"""


def test_it_lists_computed_values_and_subscriptions(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(TYPED)
    done = check(str(tmp_path))
    assert done.returncode == 0, done.stderr
    _, version, *rest = done.stdout.splitlines()
    assert version.endswith(", 2 defaults")
    assert rest == [
        "",
        "0 handlers:",
        "",
        "1 computed value:",
        "  double  main.py:9",
        "",
        "2 subscriptions:",
        "  counter: _heard(payload)  main.py:13",
        "  user.name: _heard(payload)  main.py:13",
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("int = 0", "int = None", 'SchemaViolation: state["counter"] is declared as int by AppState, got None'),
        ('computed("counter")', 'computed("double")', "AppError: computed values depend on one another: double"),
        ("* 2", "/ 0", "ComputedFailed: the computed value double raised ZeroDivisionError: division by zero"),
        ("(payload)", "(payload, ui)", "AppError: the subscriber _heard to counter has parameters"),
    ],
)
def test_it_says_what_is_wrong_with_a_declaration(tmp_path: Path, before: str, after: str, said: str) -> None:
    (tmp_path / "main.py").write_text(TYPED.replace(before, after))
    done = check(str(tmp_path))
    assert done.returncode == 1
    assert f"manyhands: importing the app's module 'main' raised {said}" in done.stderr
