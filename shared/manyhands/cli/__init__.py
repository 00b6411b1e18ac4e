"""The command line: one module a command, each with `configure(parser)` and `run(arguments)`.

What a command needs of gateway or worker is imported inside its `run`, so that `manyhands settings` answers at once
and a gateway can patch the standard library before anything else is loaded.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from enum import IntEnum

from manyhands.errors import AppError, ManyHandsError, SettingError, Unavailable

#: The commands in the order in which `--help` shows them; each is a module of this package.
COMMANDS = ("dev", "gateway", "worker", "check", "handlers", "new", "settings", "load")

#: Those that only print: whoever reads it may stop, as in `manyhands check | head`.
PRINTING = frozenset({"check", "handlers", "new", "settings"})

#: Those that import the app and then end, whatever threads the app has started.
IMPORTING = frozenset({"check", "handlers"})


class Exit(IntEnum):
    """What the process's exit code says."""

    DONE = 0
    WRONG = 1
    USAGE = 2
    UNREACHABLE = 3
    #: As a shell says it of a command that Ctrl-C has ended.
    INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code. Without `argv` it is the process's own, and may end the process."""
    try:
        arguments = _parser().parse_args(argv)
        code = _run(arguments)
    except KeyboardInterrupt:  # before, or without, anybody who takes the signal
        return int(Exit.INTERRUPTED)
    if argv is None and arguments.command in IMPORTING:
        # A thread that the app's import began, and that never ends, must not hold the process.
        sys.stderr.flush()
        os._exit(code)
    return code


def _parser() -> argparse.ArgumentParser:
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
    return parser


def _run(arguments: argparse.Namespace) -> int:
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        if arguments.command not in PRINTING:
            raise
        # Nobody reads on. The interpreter's own flush at exit shall not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.WRONG)
    except Unavailable as error:
        return complain(error, Exit.UNREACHABLE, getattr(arguments, "log", ""))
    except (SettingError, AppError, ManyHandsError) as error:
        return complain(error, Exit.WRONG, getattr(arguments, "log", ""))
    return code


def complain(error: Exception, code: Exit, log: str = "") -> int:
    """Say what was wrong on stderr, as `--log` asks for."""
    line = f"manyhands: {error}"
    if log == "json":
        import json
        import time

        from manyhands.logs import json_fields

        line = json.dumps(json_fields(time.time(), "error", "manyhands", line))
    # An app that was imported may have left the standard streams to a worker, which makes lines of its own of them.
    print(line, file=sys.__stderr__ if log == "json" else sys.stderr)
    return int(code)
