"""Run Celery worker processes that import the app and run its handlers."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys

from manyhands.cli.gateway import count
from manyhands.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "app", nargs="?", metavar="APP",
        help="directory, file or module (default: MANYHANDS_APP, or the current directory)",
    )  # fmt: skip
    parser.add_argument("--processes", type=count, default=1, help="worker processes (default: %(default)s)")
    parser.add_argument(
        "--concurrency", type=count, default=8, help="events that one process runs at a time (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Take turns until SIGTERM, in this process or in several of its children."""
    settings = Settings.from_environ(os.environ)
    if arguments.app:
        settings = dataclasses.replace(settings, app=arguments.app)
    if arguments.processes > 1:
        return _run_several(settings, arguments)
    from manyhands_worker.main import run_worker

    return int(run_worker(settings, settings.app, concurrency=arguments.concurrency))


def _run_several(settings: Settings, arguments: argparse.Namespace) -> int:
    from manyhands.app_location import locate
    from manyhands.child import Program
    from manyhands.supervisor import supervise

    # What is missing is said once, not by every child.
    _ = settings.redis, settings.broker, locate(settings.app)
    # -P: a module of any name may lie in the current directory.
    command = [sys.executable, "-P", "-m", "manyhands", "worker", *([settings.app] if settings.app else [])]
    command += ["--concurrency", str(arguments.concurrency)]
    return supervise([Program(f"worker.{i}", command) for i in range(1, arguments.processes + 1)])
