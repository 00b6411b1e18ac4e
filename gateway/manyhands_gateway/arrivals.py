"""Events on their way into their mailboxes, as metrics and traces see them."""

from __future__ import annotations

from time import time, time_ns

from manyhands.letters import with_traceparent
from manyhands.store.contract import Receipt, Verdict
from manyhands.tracing import Span, Tracing
from manyhands_gateway.meter import DUPLICATE, Meter
from manyhands_gateway.protocol import Accept

#: What the gateway's span is called.
SPAN = "accepted"
NS = 1_000_000_000


class Arrival:
    """One event whose handler is announced. Exactly one of its methods is called, once."""

    __slots__ = ("_handler", "_meter", "_posted", "_span")

    def __init__(self, handler: str, posted: float, meter: Meter, span: Span | None) -> None:
        self._handler, self._posted, self._meter, self._span = handler, posted, meter, span

    def answered(self, receipt: Receipt) -> None:
        """Note what the store said."""
        if receipt.verdict is not Verdict.ACCEPTED:
            self.refused(receipt.verdict)
            return
        if receipt.duplicate:
            self._meter.event(self._handler, DUPLICATE)
        else:
            self._meter.accepted(self._handler, time() - self._posted)
        if self._span is not None:
            self._span.end(time_ns())

    def refused(self, code: str) -> None:
        """Note that it was refused, and why."""
        self._meter.event(self._handler, code)
        if self._span is not None:
            self._span.end(time_ns(), failed=code)


class Arrivals:
    """Begins them."""

    def __init__(self, meter: Meter, tracing: Tracing | None = None) -> None:
        self.meter, self._tracing = meter, tracing

    def begin(self, event: Accept, session: str, client: str) -> tuple[Arrival, bytes]:
        """Note an event; gives its body, in which the worker finds the trace that it belongs to."""
        if self._tracing is None:
            return Arrival(event.handler, event.posted, self.meter, None), event.body
        about: dict[str, str | int] = {
            "manyhands.handler": event.handler, "manyhands.session": session, "manyhands.client": client,
        }  # fmt: skip
        if event.n is not None:
            about["manyhands.n"] = event.n
        span = self._tracing.begin(SPAN, event.traceparent, int(event.posted * NS), about)
        body = with_traceparent(event.body, event.traceparent, span.traceparent)
        return Arrival(event.handler, event.posted, self.meter, span), body

    def refused(self, code: str) -> None:
        """Note an event without a handler that is announced."""
        self.meter.event("", code)

    def flush(self) -> None:
        """Send what has not been sent of the traces."""
        if self._tracing is not None:
            self._tracing.flush()
