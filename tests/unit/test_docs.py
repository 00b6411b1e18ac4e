"""What the documentation shows is true: its snippets are apps that load and run, its links lead somewhere.

A comment before a ```python block, which nobody sees who reads the page, says what is done with it:

    <!-- file: basket.py -->                       the block is that file of the app whose main.py follows
    <!-- runs: add, clear; add(2) makes {…} -->    the block is a main.py with exactly these handlers; fired with
                                                   this payload, `add` makes what browsers see of the state this
    <!-- program -->                               the block is part of a program that uses an app at URL
    <!-- tests -->                                 the block is part of a test file beside my_app, the page's first app
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgpack
import pytest

from manyhands.app_location import locate
from manyhands.cli import COMMANDS
from manyhands.fields import apply, build_tree, encode_public
from manyhands.handlers import bind
from manyhands.rooms import Session, current_rooms
from manyhands.settings import Settings
from manyhands.state_nodes import Node
from manyhands.state_root import StateRoot
from manyhands_worker.changes import encode_changes
from manyhands_worker.loader import LoadedApp, load
from support.event_loop import run

REPOSITORY = Path(__file__).parents[2]
CLIENT = REPOSITORY / "gateway" / "manyhands_gateway" / "static" / "client"
PAGES = [
    *sorted(REPOSITORY.glob("*.md")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
    REPOSITORY / "deploy" / "README.md",
]
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>(?:runs:|file:|tests|program).*?) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.M | re.S
)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())


@dataclass(frozen=True)
class Fired:
    """One event and what it makes of a new session."""

    handler: str
    payload: Any
    state: Any


@dataclass(frozen=True)
class Snippet:
    """One app of the documentation."""

    where: str
    files: Mapping[str, str]
    handlers: frozenset[str]
    fired: tuple[Fired, ...]


def parse_fired(text: str) -> Fired:
    found = re.fullmatch(r"([\w.]+)\((.*?)\) makes (.*)", text, re.DOTALL)
    assert found, f"{text!r} does not say what a handler makes of the state"
    return Fired(found[1], json.loads(found[2] or "null"), json.loads(found[3]))


def snippets_of(page: Path) -> list[Snippet]:
    found: list[Snippet] = []
    files: dict[str, str] = {}
    text = page.read_text("utf-8")
    for block in BLOCK.finditer(text):
        mark, code = block["mark"] or "", block["code"]
        if mark.startswith("file:"):
            files[mark.removeprefix("file:").strip()] = code
        elif mark.startswith("runs:"):
            names, *fired = [part.strip() for part in mark.removeprefix("runs:").split("; ")]
            line = text[: block.start("code")].count("\n") + 1
            where = f"{page.relative_to(REPOSITORY)}:{line}"
            handlers = frozenset(name.strip() for name in names.split(","))
            found.append(Snippet(where, {**files, "main.py": code}, handlers, tuple(map(parse_fired, fired))))
            files = {}
    return found


class EmptyRoom:
    """A room that nobody else is in."""

    def __init__(self, defaults: Mapping[str, Any] | None) -> None:
        self.root = StateRoot(dict(defaults or {}))

    def node(self) -> Node:
        return self.root.state._node

    async def open(self) -> None:
        """It is."""


class EmptyRooms:
    """Gives each handler rooms of its own."""

    def room(self, name: str, defaults: Mapping[str, Any] | None) -> EmptyRoom:
        return EmptyRoom(defaults)


SNIPPETS = [snippet for page in PAGES for snippet in snippets_of(page)]
each_snippet = pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.where)


def load_snippet(snippet: Snippet, directory: Path) -> LoadedApp:
    for name, code in snippet.files.items():
        (directory / name).write_text(code, "utf-8")
    return load(locate(str(directory)))


def in_rooms(call: Callable[[], object]) -> None:
    """Call something as a handler whose rooms are all empty."""
    current_rooms.set(EmptyRooms())
    made = call()
    if inspect.iscoroutine(made):
        run(made)


def fire(app: LoadedApp, fired: Fired) -> Any:
    """Run a handler as a worker does, and give what a browser that joins afterwards gets."""
    handler = app.handlers[fired.handler]
    root = StateRoot(build_tree(app.defaults, {}), None, app.declared)
    session = Session({"id": "s", "headers": {}, "cookies": {}}, {})
    args, keywords = bind(handler, root.state, fired.payload, {"event": "click", "target": None}, session)
    copy_context().run(in_rooms, lambda: handler.function(*args, **keywords))
    changes = encode_changes(root.take_settled()[0], app.defaults, any_defaults=False)
    assert not changes.errors
    stored: dict[bytes, bytes] = {}
    apply(stored, changes.ops)
    return msgpack.unpackb(encode_public(build_tree(app.defaults, stored)))


def test_there_are_snippets() -> None:
    assert {snippet.where.partition(":")[0] for snippet in SNIPPETS} >= {"README.md", "docs/app.md"}


@each_page
def test_every_python_block_says_how_it_is_tested(page: Path) -> None:
    unmarked = [block["code"] for block in BLOCK.finditer(page.read_text("utf-8"))
                if block["language"] == "python" and not block["mark"]]  # fmt: skip
    assert not unmarked


@each_snippet
def test_a_snippet_has_the_handlers_that_the_page_says(snippet: Snippet, tmp_path: Path) -> None:
    assert set(load_snippet(snippet, tmp_path).handlers) == snippet.handlers


@each_snippet
def test_a_snippet_makes_of_the_state_what_the_page_says(snippet: Snippet, tmp_path: Path) -> None:
    app = load_snippet(snippet, tmp_path)
    for fired in snippet.fired:
        assert fire(app, fired) == fired.state, fired.handler


def shown_tests(page: Path) -> str:
    return "\n".join(block["code"] for block in BLOCK.finditer(page.read_text("utf-8")) if block["mark"] == "tests")


@pytest.mark.parametrize("page", [page for page in PAGES if shown_tests(page)], ids=lambda page: page.name)
def test_the_tests_that_a_page_shows_pass(page: Path, tmp_path: Path) -> None:
    (tmp_path / "my_app").mkdir()
    for name, code in snippets_of(page)[0].files.items():
        (tmp_path / "my_app" / name).write_text(code, "utf-8")
    (tmp_path / "test_my_app.py").write_text(shown_tests(page), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_app.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


@each_page
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    in_blocks = "\n".join(block["code"] for block in BLOCK.finditer(text))
    named = re.findall(r"`manyhands (\w+)", text)
    named += re.findall(r"(?:^|&& |: )manyhands (\w+)", in_blocks, re.MULTILINE)
    assert set(named) <= set(COMMANDS)


def test_the_readme_lists_every_command() -> None:
    section = (REPOSITORY / "README.md").read_text("utf-8").partition("## Commands")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| `manyhands (\w+)", section, re.MULTILINE)) == COMMANDS


@each_page
def test_every_variable_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"\bMANYHANDS_[A-Z_]+\b", page.read_text("utf-8")))
    assert named <= {one.metadata["variable"] for one in fields(Settings)}


@each_page
def test_the_client_knows_every_attribute_that_a_page_names(page: Path) -> None:
    named = set(re.findall(r"\bwf-([a-z]+(?:-[a-z]+)*)\b", page.read_text("utf-8")))
    lists = "".join((CLIENT / name).read_text("utf-8") for name in ("names.js", "advice.js"))
    parts = re.findall(r"^ +([a-z]+): \(\) => import", (CLIENT / "later.js").read_text("utf-8"), re.MULTILINE)
    assert named <= {*re.findall(r'"([a-z-]+)"', lists), *parts}
