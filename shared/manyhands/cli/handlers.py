"""List the app's handlers, with parameters, docstring and place, and a stub for each type of event."""

from __future__ import annotations

import argparse
import json
import os
import textwrap
from collections.abc import Iterator
from typing import Any

from manyhands.app_location import AppLocation, locate
from manyhands.cli import check
from manyhands.handlers import Handler
from manyhands.loaded_app import LoadedApp
from manyhands.settings import Settings
from manyhands.stubs import STUBS


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    check.configure(parser)
    parser.add_argument("--json", action="store_true", help="write one JSON object instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Print the list; 1 when the app can't be imported."""
    location = locate(arguments.app or Settings.from_environ(os.environ).app)
    app = check.load_or_explain(location)
    if app is None:
        return 1
    print(json.dumps(as_json(app), indent=2) if arguments.json else "\n".join(as_text(location, app)))
    return 0


def as_json(app: LoadedApp) -> dict[str, Any]:
    """Give what `--json` writes."""
    return {
        "version": app.version,
        "handlers": [_describe(handler) for handler in app.handlers.values()],
        "stubs": {event: stub.code() for event, stub in STUBS.items()},
    }


def as_text(location: AppLocation, app: LoadedApp) -> Iterator[str]:
    """Write the list for people."""
    for handler in app.handlers.values():
        yield f"{check.signature(handler)}  {check.where(handler.file, handler.line, location)}"
        if handler.doc:
            yield textwrap.indent(handler.doc, "    ")
    yield ""
    yield "A handler to begin with, for each type of event:"
    for event, stub in STUBS.items():
        yield f"\n# {event}\n{stub.code()}"


def _describe(handler: Handler) -> dict[str, Any]:
    return {
        "name": handler.name,
        "parameters": list(handler.parameters),
        "async": handler.is_async,
        "doc": handler.doc,
        "file": handler.file,
        "line": handler.line,
    }
