"""Make a directory with a working app: handlers, a page, its style and its tests."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from manyhands import ready_apps
from manyhands.errors import ManyHandsError

#: What may be there already: a repository that was just made.
HARMLESS = frozenset({".git"})
#: In an app's directory: what it needs beside manyhands.
REQUIREMENTS = "requirements.txt"


class DirectoryNotEmpty(ManyHandsError):
    """The directory that a new app should go to holds something, or is no directory."""

    def __init__(self, directory: Path, reason: str) -> None:
        self.directory = directory
        super().__init__(
            f"can't make a new app in {str(directory)!r}: {reason}; name a directory that is empty or does not exist"
        )


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("directory", metavar="DIR", nargs="?", type=Path, help="where to make it; empty, or not there")
    what.add_argument("--list", action="store_true", help="list the examples")
    parser.add_argument("--example", metavar="NAME", help="one of the examples, rather than a small app")


def run(arguments: argparse.Namespace) -> int:
    """Copy an app and say how to run it, or list those that there are."""
    if arguments.list:
        _list()
        return 0
    directory: Path = arguments.directory
    source = ready_apps.example(arguments.example) if arguments.example else ready_apps.small_app()
    try:
        _refuse_unless_empty(directory)
        ready_apps.copy(source, directory)
    except OSError as error:
        raise ManyHandsError(f"can't write {error.filename or directory}: {error.strerror}") from error
    _explain(directory, f"the example {source.name}" if arguments.example else "a small app")
    return 0


def _list() -> None:
    known = ready_apps.examples()
    width = max(map(len, known))
    for name, directory in known.items():
        print(f"{name:{width}}  {ready_apps.described(directory)}")
    print(f"\nmanyhands new DIR --example {next(iter(known))}")


def _explain(directory: Path, what: str) -> None:
    app = "" if directory.resolve() == Path.cwd() else f" {shlex.quote(str(directory))}"
    print(f"Made {what} in {directory}: its handlers are in main.py, its page is index.html. Run it, and its tests:\n")
    if (directory / REQUIREMENTS).is_file():
        print(f"    pip install -r {shlex.quote(str(directory / REQUIREMENTS))}")
    print(f"    manyhands dev{app}")
    print(f"    pytest{app}\n")


def _refuse_unless_empty(directory: Path) -> None:
    if not directory.exists():
        return
    if not directory.is_dir():
        raise DirectoryNotEmpty(directory, "it is not a directory")
    found = sorted(path.name for path in directory.iterdir() if path.name not in HARMLESS)
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise DirectoryNotEmpty(directory, f"it holds {', '.join(found[:3])}{more}")
