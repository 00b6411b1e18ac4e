"""Make a directory with a small working app: handlers, a page and its style."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from manyhands.errors import ManyHandsError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

#: What may be there already: a repository that was just made.
HARMLESS = frozenset({".git"})


class DirectoryNotEmpty(ManyHandsError):
    """The directory that a new app should go to holds something, or is no directory."""

    def __init__(self, directory: Path, reason: str) -> None:
        self.directory = directory
        super().__init__(
            f"can't make a new app in {str(directory)!r}: {reason}; name a directory that is empty or does not exist"
        )


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's argument."""
    parser.add_argument("directory", metavar="DIR", type=Path, help="where to make it; empty, or not there yet")


def run(arguments: argparse.Namespace) -> int:
    """Copy the template and say how to run it."""
    from importlib.resources import files

    directory: Path = arguments.directory
    try:
        _refuse_unless_empty(directory)
        _copy(files("manyhands") / "templates" / "app", directory)
    except OSError as error:
        raise ManyHandsError(f"can't write {error.filename or directory}: {error.strerror}") from error
    command = "manyhands dev" if directory.resolve() == Path.cwd() else f"manyhands dev {shlex.quote(str(directory))}"
    print(f"Made a small app in {directory}: its handlers are in main.py, its page is index.html. Run it:\n")
    print(f"    {command}\n")
    return 0


def _refuse_unless_empty(directory: Path) -> None:
    if not directory.exists():
        return
    if not directory.is_dir():
        raise DirectoryNotEmpty(directory, "it is not a directory")
    found = sorted(path.name for path in directory.iterdir() if path.name not in HARMLESS)
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise DirectoryNotEmpty(directory, f"it holds {', '.join(found[:3])}{more}")


def _copy(source: Traversable, target: Path) -> None:
    """Copy a directory of the package, which need not lie in the file system."""
    target.mkdir(parents=True, exist_ok=True)
    for entry in source.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            _copy(entry, target / entry.name)
        elif entry.is_file():
            (target / entry.name).write_bytes(entry.read_bytes())
