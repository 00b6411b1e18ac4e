"""What handlers print, captured per event: each line goes to the log with the event it belongs to.

`sys.stdout` and `sys.stderr` are replaced once per process by streams that look at a context variable, so that two
events that print at the same time, in two threads or as two tasks of the event loop, never mix.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from contextvars import ContextVar
from typing import Any, TextIO

from manyhands.logs import Subject

log = logging.getLogger("manyhands.output")

#: Characters of one line after which it is cut into two, so that a handler that never ends a line can't fill memory.
LONGEST_LINE = 16_384


_current: ContextVar[Output | None] = ContextVar("manyhands_output", default=None)
_logging: ContextVar[bool] = ContextVar("manyhands_logging", default=False)


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
        token = _logging.set(True)
        try:
            log.info("%s | %s", self.source, line, extra={"source": self.source})
        finally:
            _logging.reset(token)


def current_subject() -> Subject | None:
    """Give the event whose handler runs in this context."""
    output = _current.get()
    return output.source if output is not None and isinstance(output.source, Subject) else None


class StrayOutput(Output):
    """What is printed where no handler runs: in threads of the app's own, which all write here."""

    def __init__(self) -> None:
        super().__init__("app")
        # Held while a text is cut into lines and logged.
        self._writing = threading.Lock()

    def write(self, text: str) -> None:
        """Log every line that is complete."""
        with self._writing:
            super().write(text)


class capturing:  # noqa: N801 - a context manager, and as a class a third as costly as from a generator
    """Capture what is printed in this context, and in tasks that are created in it."""

    __slots__ = ("_output", "_token")

    def __init__(self, output: Output) -> None:
        self._output = output

    def __enter__(self) -> None:
        self._token = _current.set(self._output)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


class CapturedStream(io.TextIOBase):
    """A standard stream that writes to the current event's output, and to the real stream where there is none."""

    def __init__(self, real: TextIO, stray: Output | None = None) -> None:
        """`stray` takes what is printed where there is no event; None: the real stream does."""
        self.real, self._stray = real, stray

    def write(self, text: str) -> int:
        """Write text; gives its length."""
        output = _current.get() or self._stray
        if output is None or _logging.get():
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


def capture_streams(*, stray: bool = False) -> None:
    """Replace the standard streams, once per process; with `stray`, nothing is written to them as it is."""
    for name in ("stdout", "stderr"):
        real = getattr(sys, name)
        if not isinstance(real, CapturedStream):
            setattr(sys, name, CapturedStream(real, StrayOutput() if stray else None))
