"""Run Celery worker processes that import the app and run its handlers."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from manyhands.cli.gateway import add_log_flag, count
from manyhands.setting_parsers import COMMON_QUEUE, queue_name
from manyhands.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "app", nargs="?", metavar="APP",
        help="directory, file or module (default: MANYHANDS_APP, or the current directory)",
    )  # fmt: skip
    parser.add_argument("--processes", type=count, default=1, help="worker processes (default: %(default)s)")
    parser.add_argument(
        "--concurrency", type=count, default=8,
        help="plain handlers of over 10 ms that one process runs at a time, until they are detached "
        "(default: %(default)s)",
    )  # fmt: skip
    add_log_flag(parser)
    # Of several processes: where each tells its numbers to the one that started it, and under which name.
    parser.add_argument("--siblings", type=_sibling, help=argparse.SUPPRESS)
    parser.add_argument(
        "--queues", type=queue_names, metavar="NAME[,NAME]", default=("",),
        help="run only the handlers that MANYHANDS_ROUTES sends there; `turns` stands for all others (default: turns)",
    )  # fmt: skip


def queue_names(text: str) -> tuple[str, ...]:
    """Read a list of queues."""
    try:
        return tuple(dict.fromkeys(queue_name(name.strip()) for name in text.split(",")))
    except ValueError:
        expected = "names of 1 to 32 letters, digits, dashes or underscores, separated by commas, such as turns,gpu"
        raise argparse.ArgumentTypeError(f"{text!r} is no list of queues; expected {expected}") from None


def run(arguments: argparse.Namespace) -> int:
    """Take turns until SIGTERM, in this process or in several of its children."""
    settings = Settings.from_environ(os.environ)
    if arguments.app:
        settings = replace(settings, app=arguments.app)
    if arguments.processes > 1:
        return _run_several(settings, arguments)
    from manyhands_worker.main import run_worker

    return int(
        run_worker(
            settings, settings.app,
            concurrency=arguments.concurrency, queues=arguments.queues,
            log_style=arguments.log, siblings=arguments.siblings,
        )
    )  # fmt: skip


def _sibling(text: str) -> tuple[Path, str]:
    path = Path(text)
    return path.parent, path.name


def _run_several(settings: Settings, arguments: argparse.Namespace) -> int:
    from manyhands.app_location import locate
    from manyhands.child import Program
    from manyhands.supervisor import supervise
    from manyhands.terminal import JsonTerminal, Terminal

    # What is missing is said once, not by every child.
    _ = settings.redis, settings.broker, locate(settings.app)
    # -P: a module of any name may lie in the current directory.
    command = [sys.executable, "-P", "-m", "manyhands", "worker", *([settings.app] if settings.app else [])]
    command += ["--concurrency", str(arguments.concurrency), "--log", arguments.log]
    command += ["--queues", ",".join(name or COMMON_QUEUE for name in arguments.queues)]
    numbers = [str(i) for i in range(1, arguments.processes + 1)]
    programs = {number: Program(f"worker.{number}", command) for number in numbers}
    terminal = JsonTerminal if arguments.log == "json" else Terminal
    with _told_numbers(settings, arguments.log) as directory:
        if directory is not None:
            programs = {
                number: replace(one, command=[*one.command, "--siblings", str(directory / number)])
                for number, one in programs.items()
            }
        return supervise(list(programs.values()), terminal=terminal)


@contextlib.contextmanager
def _told_numbers(settings: Settings, log: str) -> Iterator[Path | None]:
    """Answer `/metrics` for all processes at one port, if one is set; gives the directory in which they tell theirs."""
    if settings.metrics_address is None:
        yield None
        return
    from manyhands.logs import configure
    from manyhands.metrics_port import MetricsPort
    from manyhands.siblings import gather, make_directory, remove_directory

    configure(log, sys.stderr)
    directory = make_directory()
    try:
        MetricsPort(*settings.metrics_address, lambda: gather(directory)).start()
        yield directory
    finally:
        remove_directory(directory)
