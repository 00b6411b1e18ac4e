"""The command line: one module a command, each with `configure(parser)` and `run(arguments)`.

What a command needs of gateway or worker is imported inside its `run`, so that `manyhands settings` answers at once
and a gateway can patch the standard library before anything else is loaded.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from enum import IntEnum

from manyhands.errors import AppError, ManyHandsError, SettingError, Unavailable

#: The commands in the order in which `--help` shows them; each is a module of this package.
COMMANDS = ("dev", "gateway", "worker", "check", "handlers", "new", "settings", "load")


class Exit(IntEnum):
    """What the process's exit code says."""

    DONE = 0
    WRONG = 1
    USAGE = 2
    UNREACHABLE = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    parser = argparse.ArgumentParser(
        prog="manyhands", description="Plain-Python event handlers, run on as many machines as you like."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"manyhands.cli.{name}")
        summary = (module.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(name, help=summary, description=module.__doc__)
        module.configure(command)
        command.set_defaults(run=module.run)
    arguments = parser.parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except Unavailable as error:
        return complain(error, Exit.UNREACHABLE)
    except (SettingError, AppError, ManyHandsError) as error:
        return complain(error, Exit.WRONG)


def complain(error: Exception, code: Exit) -> int:
    """Say what was wrong on stderr."""
    print(f"manyhands: {error}", file=sys.stderr)
    return int(code)
