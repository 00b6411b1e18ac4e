"""The spans of an event in its worker: `waited`, `loaded`, `ran` and `committed`, after the gateway's `accepted`.

A worker goes on with traces and begins none: an event is recorded as a whole or not at all.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Protocol

from manyhands.trace_context import is_recorded
from manyhands.tracing import Attributes, Span, Tracing
from manyhands_worker.meter import OK, Measured

NS = 1_000_000_000

_NOTHING = contextlib.nullcontext()


class Traced(Measured, Protocol):
    """What traces read of a run, and where they keep its span."""

    #: The span of its handler, from the moment it begins.
    span: Span | None

    @property
    def traceparent(self) -> str | None:
        """To which trace its event belongs."""
        ...

    @property
    def names(self) -> Mapping[str, str | int]:
        """What the spans say of it."""
        ...


class Traces:
    """Makes them; does nothing where no traces are sent."""

    def __init__(self, tracing: Tracing | None) -> None:
        self._tracing = tracing

    def running(self, run: Traced) -> contextlib.AbstractContextManager[object]:
        """Begin the span of a handler, and make what it begins itself belong to it."""
        if self._tracing is None or not is_recorded(run.traceparent):
            return _NOTHING
        run.span = self._tracing.begin("ran", run.traceparent, time.time_ns(), _about(run))
        return run.span.current()

    def ended(self, run: Traced, *, lost: bool = False) -> None:
        """Make the other spans, once the final commit is in, or the run turned out to be `lost`."""
        if self._tracing is None or not is_recorded(run.traceparent):
            return
        now, now_ns = time.monotonic(), time.time_ns()

        def at(moment: float) -> int:
            return now_ns - int((now - moment) * NS)

        failed = "taken over by another worker" if lost else None if run.outcome == OK else run.outcome
        about, taken = _about(run), at(run.taken)
        posted = taken if run.posted is None else min(int(run.posted * NS), taken)
        spans: list[tuple[str, int, int, str | None]] = [("waited", posted, taken, None)]
        if run.began is not None:
            spans.append(("loaded", taken, at(run.began), None))
        spans.append(("committed", at(run.returned), now_ns, failed if lost else None))
        if run.span is not None:
            run.span.end(at(run.returned), failed=failed)
        for name, begin, end, why in spans:
            self._tracing.begin(name, run.traceparent, begin, about).end(end, failed=why)

    def flush(self) -> None:
        """Send what has not been sent."""
        if self._tracing is not None:
            self._tracing.flush()


def _about(run: Traced) -> Attributes:
    return {f"manyhands.{name}": value for name, value in run.names.items()}
