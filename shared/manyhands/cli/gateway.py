"""Run a gateway: serve the app's page and carry events between browsers and the sessions' mailboxes."""

from __future__ import annotations

import argparse
import os

from manyhands.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument("--host", default="0.0.0.0", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port_number, help="the port to listen on (default: PORT, or 8000)")
    parser.add_argument("--processes", type=count, default=1, help="gateway processes (default: %(default)s)")
    add_log_flag(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM. The server comes first of all imports: it patches the standard library for gevent."""
    from manyhands_gateway.server import serve

    settings = Settings.from_environ(os.environ)
    port = settings.port if arguments.port is None else arguments.port
    return int(serve(settings, host=arguments.host, port=port, processes=arguments.processes, log=arguments.log))


def add_log_flag(parser: argparse.ArgumentParser) -> None:
    """Declare how log lines look; whatever ends the command is written in the same way."""
    parser.add_argument(
        "--log", choices=("plain", "json"), default="plain",
        help="log lines as text, or as one JSON object each (default: %(default)s)",
    )  # fmt: skip


def port_number(text: str) -> int:
    """Parse a port; 0 asks for a free one."""
    number = int(text)
    if not 0 <= number < 65536:
        raise argparse.ArgumentTypeError(f"{text} is no port number from 0 to 65535")
    return number


def count(text: str) -> int:
    """Parse a positive whole number."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no positive whole number")
    return number
