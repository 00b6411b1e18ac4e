"""Progress on stderr: one line that is rewritten on a terminal, a line a second elsewhere."""

from __future__ import annotations

from typing import TextIO

from manyhands.load.tally import Tally


class Progress:
    """Shows a tally."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rewrites = stream.isatty()
        self._open = False

    def show(self, tally: Tally) -> None:
        """Show the last second."""
        line = describe(tally)
        if self._rewrites:
            # Back to the start of the line, and clear what was there.
            self._stream.write(f"\r\x1b[K{line}")
            self._open = True
        else:
            self._stream.write(f"{line}\n")
        self._stream.flush()

    def end(self) -> None:
        """Leave the line, so that what follows has one of its own."""
        if self._open:
            self._stream.write("\n")
            self._stream.flush()
            self._open = False


def describe(tally: Tally) -> str:
    """Write the last second in one line."""
    second = tally.seconds[-1]
    parts = [f"{second.at:5.0f} s", f"{second.per_second:9,.0f} events/s"]
    if second.p50 is not None and second.p99 is not None:
        parts.append(f"p50 {second.p50:.1f} ms  p99 {second.p99:.1f} ms")
    parts.append(f"{tally.in_flight:,} under way")
    for name, count in (
        ("errors", tally.errors.total()),
        ("rejections", tally.rejections.total()),
        ("reconnects", tally.reconnects),
        ("PROBLEMS", tally.problems.total()),
    ):
        if count:
            parts.append(f"{count:,} {name}")
    return "  ".join(parts)
