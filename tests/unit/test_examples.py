"""What all examples have in common: they load, their pages fire what there is, and the README says what each one is."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from html.parser import HTMLParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from manyhands.app_location import locate
from manyhands.loaded_app import LoadedApp
from manyhands_worker.loader import load

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = {path.parent.name: path.parent for path in sorted((REPOSITORY / "examples").glob("*/main.py"))}
#: What `manyhands new` makes unless it is asked for an example.
SMALL = REPOSITORY / "shared" / "manyhands" / "templates" / "app"
#: The attributes that name handlers.
EVENTS = "click|change|change-finish|submit|keydown|file-change|webcam|hashchange|load|tick"

each_example = pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)


@cache
def app_of(example: Path) -> LoadedApp:
    return load(locate(str(example)))


def page_of(example: Path) -> str:
    return (example / "index.html").read_text("utf-8")


@each_example
def test_an_example_has_nothing_public_that_is_no_handler_and_says_what_each_handler_does(example: Path) -> None:
    app = app_of(example)
    assert not app.not_exposed
    assert not [name for name, handler in app.handlers.items() if not handler.function.__doc__]


@each_example
def test_the_page_of_an_example_fires_handlers_that_there_are(example: Path) -> None:
    fired = set(re.findall(rf'\swf-(?:{EVENTS})="([^"]*)"', page_of(example)))
    assert fired
    assert fired <= app_of(example).handlers.keys()


def imported(example: Path) -> set[str]:
    """Give the packages that an example's modules import, but for its own, Python's and ours."""
    files = [file for file in example.glob("*.py") if not file.name.startswith("test_")]
    found = [one for file in files for one in ast.walk(ast.parse(file.read_text("utf-8")))]
    names = {alias.name for one in found if isinstance(one, ast.Import) for alias in one.names}
    names |= {str(one.module) for one in found if isinstance(one, ast.ImportFrom)}
    own = {file.stem for file in files} | {"manyhands"} | sys.stdlib_module_names
    return {name.partition(".")[0] for name in names} - own


@each_example
def test_an_example_says_what_it_needs_beside_manyhands(example: Path) -> None:
    listed = example / "requirements.txt"
    lines = listed.read_text("utf-8").splitlines() if listed.exists() else []
    required = {Requirement(line).name for line in lines if line and not line.startswith("#")}
    distributions = packages_distributions()
    assert {distributions[name][0].lower() for name in imported(example)} <= required
    assert required or not listed.exists()


class Ids(HTMLParser):
    """The `id` of each element of a page that fires events; in repeaters the key tells them apart."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str | None] = []
        self._templates = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element."""
        self._templates += tag == "template"
        if not self._templates and any(re.fullmatch(rf"wf-(?:{EVENTS})", name) for name, _ in attrs):
            self.found.append(dict(attrs).get("id"))

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._templates -= tag == "template"


@pytest.mark.parametrize("app", [*EXAMPLES.values(), SMALL], ids=lambda app: app.name)
def test_all_that_fires_events_has_an_id_of_its_own(app: Path) -> None:
    ids = Ids(page_of(app)).found
    assert ids
    assert None not in ids
    assert len(ids) == len(set(ids))


@each_example
def test_the_page_of_an_example_is_for_phones_and_readers_of_its_language_with_its_style_beside_it(
    example: Path,
) -> None:
    page = page_of(example)
    assert '<html lang="en">' in page
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert f'<link rel="stylesheet" href="/static/{example.name}.css">' in page
    assert '<script src="/_mh/client.js"' in page
    assert "color-scheme: light dark" in (example / "static" / f"{example.name}.css").read_text("utf-8")


@each_example
def test_an_example_has_tests_as_an_author_writes_them(example: Path) -> None:
    assert "from manyhands.testing import TestApp" in (example / f"test_{example.name}.py").read_text("utf-8")


@each_example
def test_the_page_of_an_example_is_tested_in_a_browser(example: Path) -> None:
    assert (REPOSITORY / "tests" / "browser" / f"test_example_{example.name}.py").exists()


def test_the_readme_says_of_each_example_what_the_example_says_of_itself() -> None:
    section = (REPOSITORY / "README.md").read_text("utf-8").partition("## Examples")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| \[(\w+)\]\(examples/\1\) \| (.*) \|$", section, re.MULTILINE)
    own = {name: (path / "main.py").read_text("utf-8").split("\n")[0] for name, path in EXAMPLES.items()}
    assert sorted(rows) == [(name, said.strip('"').removesuffix(".")) for name, said in own.items()]
