"""Test a deployment under load: fire a handler from many sessions, check every event and state, measure."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyhands.cli.gateway import count
from manyhands.errors import ManyHandsError
from manyhands.load.address import Address, parse_address
from manyhands.load.plan import Plan

if TYPE_CHECKING:
    from manyhands.load.runner import Result

#: The handler that is fired unless another is named, and the counter that it raises by one.
HANDLER, KEY = "increment", "counter"


class ExtraMissing(ManyHandsError):
    """A library that only this command needs is not installed."""

    def __init__(self, libraries: Sequence[str]) -> None:
        self.libraries = tuple(libraries)
        super().__init__(f"`manyhands load` needs {' and '.join(libraries)}; run: pip install 'manyhands[load]'")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("address", metavar="URL", type=address, help="the deployment, such as https://example.org")
    add("--sessions", type=count, default=10, metavar="N", help="sessions, one client each (default: %(default)s)")
    add("--rate", type=positive, metavar="R", help="events a second of all sessions together, however slow the answers "
        "(default: each session fires its next event when its last has ended)")  # fmt: skip
    add("--duration", type=positive, default=10.0, metavar="S", help="seconds that are measured (default: %(default)g)")
    add("--warmup", type=seconds, default=1.0, metavar="S", help="seconds before them (default: %(default)g)")
    add("--handler", default=HANDLER, metavar="NAME", help="the handler to fire (default: %(default)s)")
    add("--payload", type=payload, metavar="JSON", help="its payload (default: null)")
    add("--key", metavar="PATH", help="where the state counts the session's events, such as user.clicks; '' checks no "
        f"state (default: {KEY} for {HANDLER}, none for other handlers)")  # fmt: skip
    add("--json", metavar="FILE", help="write the figures there; -: to stdout, and the text to stderr")
    add("--plot", type=Path, metavar="FILE", help="draw throughput and latencies there (.png, .svg, .pdf)")


def run(arguments: argparse.Namespace) -> int:
    """Play the load and report; 1 when anything was lost or wrong."""
    require("hdrh", *(["matplotlib"] if arguments.plot else []))
    import asyncio

    from manyhands.load.progress import Progress
    from manyhands.load.report import is_right
    from manyhands.load.runner import Runner
    from manyhands.load.tally import Tally

    progress = Progress(sys.stderr)

    async def play() -> Result:
        return await Runner(plan_of(arguments), Tally(), progress.show).run()

    try:
        result = asyncio.run(play())
    finally:
        progress.end()
    try:
        write(result, arguments)
    except (OSError, ValueError) as error:
        raise ManyHandsError(f"can't write what was found: {error}") from error
    return 0 if is_right(result) else 1


def write(result: Result, arguments: argparse.Namespace) -> None:
    """Write the report, and the files that were asked for."""
    from manyhands.load.report import as_json, as_text

    print("\n".join(as_text(result)), file=sys.stderr if arguments.json == "-" else sys.stdout)
    if arguments.json is not None:
        text = json.dumps(as_json(result), indent=2)
        if arguments.json == "-":
            print(text)
        else:
            Path(arguments.json).write_text(text + "\n", "utf-8")
    if arguments.plot is not None:
        from manyhands.load.plot import draw

        draw(result, arguments.plot)


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Make a plan of the arguments."""
    key = arguments.key
    if key is None and arguments.handler == HANDLER:
        key = KEY
    return Plan(
        arguments.address, sessions=arguments.sessions, rate=arguments.rate, duration=arguments.duration,
        warmup=arguments.warmup, handler=arguments.handler, payload=arguments.payload,
        key=tuple(key.split(".")) if key else None,
    )  # fmt: skip


def require(*modules: str) -> None:
    """Raise `ExtraMissing` unless all these can be imported."""
    names = {"hdrh": "hdrhistogram"}
    missing = [names.get(module, module) for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise ExtraMissing(missing)


def address(text: str) -> Address:
    """Parse the URL of a deployment."""
    try:
        return parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def payload(text: str) -> Any:
    """Parse the payload."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON: {error}") from None


def seconds(text: str) -> float:
    """Parse a duration that may be 0."""
    number = float(text)
    if not 0 <= number < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is no number from 0 to a million")
    return number


def positive(text: str) -> float:
    """Parse a number above 0."""
    number = seconds(text)
    if number == 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number
