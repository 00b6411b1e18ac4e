"""What a type checker tells an app's author: nothing about a right app, and where a wrong one is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

RIGHT = """
import manyhands as mh
import more

mh.init_state({"counter": 0, "user": {"name": "Bob"}, "_secret": 1})
mh.init_handlers(more)
mh.init_handlers([more])


def increment(state: mh.State) -> None:
    state["counter"] += 1
    state["user"]["name"] = "Ada"
    del state["_secret"]
    missing = state["missing"] is None
    plain: dict[str, object] = state.to_dict()
    state["summary"] = [missing, len(state), "counter" in state, state.get("x", 0), list(state), plain]


async def fetch(state: mh.State, payload: object, context: dict[str, object], session: dict[str, object]) -> str:
    for key, value in state.items():
        print(key, value)
    try:
        return str(session["id"])
    except mh.Cancelled:
        raise
    except mh.ManyHandsError as error:
        return f"{error} {payload} {context}"
"""

WRONG = """
import manyhands as mh

mh.init_state("counter")


def increment(state: mh.State) -> None:
    state[0] = 1
    state.counter = 1
    mh.no_such_name()
"""

TYPED = """
from __future__ import annotations

from typing import Any

import manyhands as mh


class UserState(mh.State):
    name: str = "Bob"
    age: int | None

    @mh.property("name")
    def greeting(self) -> str:
        return "Dear " + self.name


class AppState(mh.State):
    counter: int
    user: UserState
    settings: dict[str, str]

    @mh.computed("counter", "user.name")
    def title(self) -> str:
        return self.user.name * self.counter


initial = mh.init_state({"counter": 0, "settings": {}}, schema=AppState)


@mh.computed("title")
def length(state: AppState) -> int:
    return len(state.title)


def _renamed(state: AppState, payload: dict[str, Any]) -> None:
    state.counter = 0


initial.subscribe_mutation("user.name", _renamed)
initial.subscribe_mutation(["counter", "user.age"], _renamed)


def increment(state: AppState) -> None:
    state.counter += 1
    state["counter"] += 1
    state.user.name = state.user.greeting.upper()
    state.settings = {**state.settings, "colour": "red"}
    age: int | None = state.user.age
    del state["counter"]
    print(age, state.title.upper())
"""

WRONGLY_TYPED = """
import manyhands as mh


class AppState(mh.State):
    counter: int

    @mh.computed("counter")
    def double(self) -> int:
        return self.counter * 2


def increment(state: AppState) -> None:
    state.counter = "one"
    state.countr += 1
    state.double.upper()
    mh.init_state({}, schema=int)
"""


@dataclass(frozen=True)
class Verdict:
    """What mypy said."""

    code: int
    output: str

    def is_wrong_at(self, line: int, kind: str) -> bool:
        """Tell whether this line of the app was found wrong in this way."""
        return any(one.startswith(f"main.py:{line}: error:") and f"[{kind}]" in one for one in self.output.splitlines())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


def check(directory: Path, code: str, cache: Path) -> Verdict:
    """Check an app as its author would, in a directory that knows nothing of this repository."""
    (directory / "main.py").write_text(code, "utf-8")
    (directory / "more.py").write_text("def more() -> None: ...\n", "utf-8")
    (directory / "mypy.ini").write_text("[mypy]\n", "utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(cache), "main.py"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MYPY")}
    done = subprocess.run(command, cwd=directory, env=environ, capture_output=True, text=True, timeout=100, check=False)
    return Verdict(done.returncode, done.stdout + done.stderr)


def test_an_app_with_types_passes_strict_checking(tmp_path: Path, cache: Path) -> None:
    verdict = check(tmp_path, RIGHT, cache)
    assert verdict.code == 0, verdict.output
    assert "no issues found in 1 source file" in verdict.output


def test_a_typed_state_passes_strict_checking(tmp_path: Path, cache: Path) -> None:
    verdict = check(tmp_path, TYPED, cache)
    assert verdict.code == 0, verdict.output


def test_a_wrongly_typed_state_is_told_where_it_is_wrong(tmp_path: Path, cache: Path) -> None:
    verdict = check(tmp_path, WRONGLY_TYPED, cache)
    assert verdict.is_wrong_at(14, "assignment"), verdict.output
    assert verdict.is_wrong_at(15, "attr-defined"), verdict.output
    assert verdict.is_wrong_at(16, "attr-defined"), verdict.output
    assert verdict.is_wrong_at(17, "arg-type"), verdict.output


def test_pyright_understands_a_typed_state_too(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(TYPED, "utf-8")
    (tmp_path / "wrong.py").write_text(WRONGLY_TYPED, "utf-8")
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}', "utf-8")
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    found = {
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1)
        for one in json.loads(done.stdout)["generalDiagnostics"] if one["severity"] == "error"
    }  # fmt: skip
    assert found == {("wrong.py", line) for line in (14, 15, 16, 17)}, done.stdout


def test_a_wrong_app_is_told_where_it_is_wrong(tmp_path: Path, cache: Path) -> None:
    verdict = check(tmp_path, WRONG, cache)
    assert verdict.code == 1, verdict.output
    assert verdict.is_wrong_at(4, "arg-type"), verdict.output
    assert verdict.is_wrong_at(8, "index"), verdict.output
    assert verdict.is_wrong_at(9, "attr-defined"), verdict.output
    assert verdict.is_wrong_at(10, "attr-defined"), verdict.output
