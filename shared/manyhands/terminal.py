"""Lines of several processes on one terminal, each behind the coloured name of its process."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any, BinaryIO

from manyhands.logs import json_fields

#: The name under which the supervising process itself speaks.
OWN_NAME = "manyhands"

#: ANSI colours in the order in which names get them; the first is our own name's.
COLOURS = ("1", "36", "33", "35", "32", "34", "31")


def wants_colour(stream: BinaryIO, environ: Mapping[str, str]) -> bool:
    """Tell whether a stream is a terminal whose owner has not asked for no colour (https://no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class Terminal:
    """Writes lines as bytes, as they came, so that no process's odd encoding can fail another's output."""

    def __init__(self, stream: BinaryIO | None = None, colour: bool | None = None, width: int = 9) -> None:
        self._stream = sys.stdout.buffer if stream is None else stream
        self._colour = wants_colour(self._stream, os.environ) if colour is None else colour
        self._width = width
        self._colours: dict[str, str] = {OWN_NAME: COLOURS[0]}

    def say(self, text: str) -> None:
        """Write a message of our own."""
        for line in text.split("\n"):
            self.write(OWN_NAME, line.encode(errors="replace"))

    def write(self, name: str, line: bytes) -> None:
        """Write one line of a process, without its line break."""
        try:
            self._stream.write(self._make_line(name, line) + b"\n")
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            # Whoever read the output has gone, as in `manyhands dev | head`; the processes need not die of it.
            self._stream = _nowhere()

    def _make_line(self, name: str, line: bytes) -> bytes:
        return self._prefix(name) + line

    def _prefix(self, name: str) -> bytes:
        text = f"{name:<{self._width}} | "
        if not self._colour:
            return text.encode()
        colour = self._colours.setdefault(name, COLOURS[1 + (len(self._colours) - 1) % (len(COLOURS) - 1)])
        return f"\x1b[{colour}m{text}\x1b[0m".encode()


class JsonTerminal(Terminal):
    """Writes one JSON object a line, each with the name of its process; whatever is none becomes the message of one."""

    def say(self, text: str) -> None:
        """Write a message of our own."""
        self.write(OWN_NAME, text.strip().encode(errors="replace"))

    def _make_line(self, name: str, line: bytes) -> bytes:
        fields = _read_object(line) or json_fields(time.time(), "info", name, line.decode(errors="backslashreplace"))
        return json.dumps({**fields, "process": name}).encode()


def _read_object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line) if line.startswith(b"{") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _nowhere() -> BinaryIO:
    """Point stdout at nothing, so that neither we nor the interpreter's own flush at exit fail again."""
    void = os.open(os.devnull, os.O_WRONLY)
    os.dup2(void, sys.stdout.fileno())
    return os.fdopen(void, "wb")
