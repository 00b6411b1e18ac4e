"""Import the app and list its handlers, and what is not one and why."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from manyhands.app_location import AppLocation, locate
from manyhands.errors import AppImportError
from manyhands.handlers import Handler
from manyhands.loaded_app import LoadedApp
from manyhands.settings import Settings
from manyhands.verifiers import original

#: Columns before a reason or a docstring.
INDENT = "      "


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's argument."""
    parser.add_argument("app", nargs="?", metavar="APP", help="directory, file or module (default: MANYHANDS_APP)")


def run(arguments: argparse.Namespace) -> int:
    """Print the report; 1 when the app can't be imported."""
    location = locate(arguments.app or Settings.from_environ(os.environ).app)
    app = load_or_explain(location)
    if app is None:
        return 1
    print("\n".join(report(location, app)))
    return 0


def load_or_explain(location: AppLocation) -> LoadedApp | None:
    """Import the app; what it prints goes to stderr. Where that fails, say why, with the app's traceback."""
    from manyhands_worker.loader import format_import_error, load

    try:
        with stdout_on_stderr():
            return load(location)
    except AppImportError as error:
        print(f"{format_import_error(error)}\nmanyhands: {error}", file=sys.stderr)
        return None


@contextlib.contextmanager
def stdout_on_stderr() -> Iterator[None]:
    """Send to stderr what is meant for stdout, also by programs that are started and by code that is not Python's."""
    sys.stdout.flush()
    with contextlib.redirect_stdout(sys.stderr):
        try:
            kept = os.dup(1)
            os.dup2(2, 1)
        except OSError:  # one of them is closed, and so spoils nothing
            yield
            return
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


def report(location: AppLocation, app: LoadedApp) -> Iterator[str]:
    """Write the lines of the report."""
    yield f"{location.module}, from {location.file}"
    yield f"version {app.version}, {_count(len(app.defaults), 'default')}"
    yield ""
    yield f"{_count(len(app.handlers), 'handler')}:"
    for handler in app.handlers.values():
        yield f"  {signature(handler)}  {where(handler.file, handler.line, location)}"
    if app.verifiers:
        yield ""
        yield f"{_count(len(app.verifiers), 'session verifier')}:"
    for one in app.verifiers:
        shown = f"{'async ' if one.is_async else ''}{one.name}({', '.join(one.parameters)})"
        yield f"  {shown}  {where(one.file, one.line, location)}".rstrip()
    yield from _reactions(app, location)
    if app.not_exposed:
        yield ""
        yield "Not a handler:"
    for other in app.not_exposed:
        yield f"  {other.name}  {where(other.file, other.line, location)}".rstrip()
        yield from _wrapped([other.reason])


def _reactions(app: LoadedApp, location: AppLocation) -> Iterator[str]:
    computed, subscriptions = app.declared.reactions.computed, app.declared.reactions.subscriptions
    if computed:
        yield ""
        yield f"{_count(len(computed), 'computed value')}:"
    for value in computed:
        yield f"  {value.dotted}  {_where_defined(value.function, location)}".rstrip()
    if subscriptions:
        yield ""
        yield f"{_count(len(subscriptions), 'subscription')}:"
    for one in subscriptions:
        shown = f"{'async ' if one.is_async else ''}{one.name}({', '.join(one.parameters)})"
        yield f"  {one.written}: {shown}  {_where_defined(one.function, location)}".rstrip()


def _where_defined(function: object, location: AppLocation) -> str:
    code = getattr(original(function), "__code__", None)
    return where(code.co_filename, code.co_firstlineno, location) if code else ""


def signature(handler: Handler) -> str:
    """Write a handler as it would be defined."""
    return f"{'async ' if handler.is_async else ''}{handler.name}({', '.join(handler.parameters)})"


def where(file: str | None, line: int | None, location: AppLocation) -> str:
    """Write file and line, from the app's directory on where it lies there."""
    if file is None or file.startswith("<"):  # code that Python made up, or brought along frozen
        return ""
    path = Path(file)
    shown = path.relative_to(location.directory) if path.is_relative_to(location.directory) else path
    return f"{shown}:{line}"


def _wrapped(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from textwrap.wrap(text, 100, initial_indent=INDENT, subsequent_indent=INDENT)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
