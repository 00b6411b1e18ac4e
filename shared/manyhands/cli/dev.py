"""Run an app on this machine: an embedded Redis, a gateway and workers that reload when the code changes."""

from __future__ import annotations

import argparse
import os

from manyhands.cli.gateway import add_log_flag, count, port_number
from manyhands.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "app", nargs="?", metavar="APP",
        help="directory, file or module (default: MANYHANDS_APP, or the current directory)",
    )  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=port_number, default=8000, help="the port to listen on; 0: a free one (default: %(default)s)"
    )
    parser.add_argument("--workers", type=count, default=1, help="worker processes (default: %(default)s)")
    parser.add_argument("--no-reload", action="store_true", help="keep the workers when the app's code changes")
    add_log_flag(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM."""
    import asyncio

    from manyhands.development import Development

    settings = Settings.from_environ(os.environ)
    development = Development(
        settings, arguments.app or settings.app or ".",
        host=arguments.host, port=arguments.port, workers=arguments.workers, reload=not arguments.no_reload,
        log=arguments.log,
    )  # fmt: skip
    return asyncio.run(development.run())
