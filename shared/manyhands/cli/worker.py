"""Run Celery worker processes that import the app and run its handlers."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys

from manyhands.cli.gateway import count
from manyhands.errors import SettingError
from manyhands.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("app", nargs="?", metavar="APP", help="directory, file or module (default: MANYHANDS_APP)")
    parser.add_argument("--processes", type=count, default=1, help="worker processes (default: %(default)s)")
    parser.add_argument(
        "--concurrency", type=count, default=8, help="events that one process runs at a time (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Take turns until SIGTERM, in this process or in several of its children."""
    settings = Settings.from_environ(os.environ)
    app = arguments.app or settings.app
    if app is None:
        raise SettingError("MANYHANDS_APP", None, "the app: a directory, a Python file or a dotted module")
    settings = dataclasses.replace(settings, app=app)
    if arguments.processes > 1:
        return _run_several(settings, app, arguments)
    from manyhands_worker.main import run_worker

    return int(run_worker(settings, app, concurrency=arguments.concurrency))


def _run_several(settings: Settings, app: str, arguments: argparse.Namespace) -> int:
    from manyhands.child import Program
    from manyhands.supervisor import supervise

    _ = settings.redis, settings.broker  # a missing one is said once, not by every child
    command = [sys.executable, "-P", "-m", "manyhands", "worker", app, "--concurrency", str(arguments.concurrency)]
    return supervise([Program(f"worker.{i}", command) for i in range(1, arguments.processes + 1)])
