"""The apps that `manyhands new` makes: a small one, and the examples.

An installed package holds the examples; in a checkout they lie beside it, and nowhere twice.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from manyhands.app_location import MAIN
from manyhands.errors import ManyHandsError


class ExampleUnknown(ManyHandsError):
    """There is no example of that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, sorted(known)
        near = difflib.get_close_matches(name.lower(), self.known, n=1)
        hint = f"; the nearest one is {near[0]!r}" if near else ""
        super().__init__(f"there is no example {name!r}{hint}; there are: {', '.join(self.known)}")


def small_app() -> Traversable:
    """Give the directory of the app that shows as little as one can."""
    return files("manyhands") / "templates" / "app"


def examples() -> dict[str, Traversable]:
    """Give the directories of all examples, by their names."""
    found = {one.name: one for one in _directory().iterdir() if (one / MAIN).is_file()}
    return dict(sorted(found.items()))


def example(name: str) -> Traversable:
    """Give an example's directory. Raises `ExampleUnknown`."""
    known = examples()
    if name not in known:
        raise ExampleUnknown(name, known)
    return known[name]


def described(app: Traversable) -> str:
    """Give what an app says of itself in the first line of its main module."""
    docstring = ast.get_docstring(ast.parse((app / MAIN).read_text("utf-8"))) or ""
    return docstring.partition("\n")[0]


def copy(source: Traversable, target: Path) -> None:
    """Copy an app, which need not lie in the file system, without what running it has left there.

    Never writes over anything: raises `FileExistsError`.
    """
    target.mkdir(parents=True, exist_ok=True)
    for entry in source.iterdir():
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        if entry.is_dir():
            copy(entry, target / entry.name)
        else:
            with (target / entry.name).open("xb") as file:
                file.write(entry.read_bytes())


def _directory() -> Traversable:
    package = files("manyhands")
    inside = package / "examples"
    return inside if inside.is_dir() or not isinstance(package, Path) else package.parents[1] / "examples"
