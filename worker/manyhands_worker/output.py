"""What handlers print, captured per event: each line goes to the log with the event it belongs to.

`sys.stdout` and `sys.stderr` are replaced once per process by streams that look at a context variable, so that two
events that print at the same time, in two threads or as two tasks of the event loop, never mix.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

log = logging.getLogger("manyhands.output")

#: Characters of one line after which it is cut into two, so that a handler that never ends a line can't fill memory.
LONGEST_LINE = 16_384


_current: ContextVar[Output | None] = ContextVar("manyhands_output", default=None)


class Output:
    """What one event, or the app's import, has printed and not yet ended with a newline."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._line = ""

    def write(self, text: str) -> None:
        """Log every line that is complete."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._log(line)
        if len(self._line) > LONGEST_LINE:
            self.finish()

    def finish(self) -> None:
        """Log a last line that had no newline."""
        if self._line:
            line, self._line = self._line, ""
            self._log(line)

    def _log(self, line: str) -> None:
        # The app may log to the standard streams itself: what that writes must not come back here.
        token = _current.set(None)
        try:
            log.info("%s | %s", self.source, line, extra={"source": self.source})
        finally:
            _current.reset(token)


@contextmanager
def capturing(output: Output) -> Iterator[None]:
    """Capture what is printed in this context, and in tasks that are created in it."""
    token = _current.set(output)
    try:
        yield
    finally:
        _current.reset(token)


class CapturedStream(io.TextIOBase):
    """A standard stream that writes to the current event's output, and to the real stream where there is none."""

    def __init__(self, real: TextIO) -> None:
        self.real = real

    def write(self, text: str) -> int:
        """Write text; gives its length."""
        output = _current.get()
        if output is None:
            return self.real.write(text)
        output.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the real stream."""
        self.real.flush()

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """Tell whether the real stream is a terminal."""
        return self.real.isatty()

    def fileno(self) -> int:
        """Give the real stream's descriptor."""
        return self.real.fileno()

    def __getattr__(self, name: str) -> Any:
        """Give whatever else the real stream has, such as `buffer` or `reconfigure`."""
        return getattr(self.real, name)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The real stream's encoding."""
        return self.real.encoding


def capture_streams() -> None:
    """Replace the standard streams, once per process."""
    for name in ("stdout", "stderr"):
        real = getattr(sys, name)
        if not isinstance(real, CapturedStream):
            setattr(sys, name, CapturedStream(real))
