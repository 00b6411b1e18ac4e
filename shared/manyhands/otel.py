"""Traces through OpenTelemetry. Loaded only where they are sent; its own variables (OTEL_…) say where to."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExporter,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags

from manyhands.tracing import Attributes

#: Seconds that the last spans get to be sent when a process ends.
FLUSH_WITHIN = 2.0


class OpenTelemetrySpan:
    """A span of ours, around one of theirs."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """What makes another span its child."""
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def current(self) -> AbstractContextManager[object]:
        """Make spans that the app begins in this context its children."""
        return trace.use_span(self._span, end_on_exit=False, record_exception=False, set_status_on_exception=False)

    def end(self, at: int, *, failed: str | None = None) -> None:
        """End it at a time, in ns since 1970. `failed` says what went wrong."""
        if failed is not None:
            self._span.set_status(Status(StatusCode.ERROR, failed))
        self._span.end(at)


class OpenTelemetry:
    """The provider that an app's own instrumentation has set, or one of ours."""

    def __init__(self, exporter: str, service: str, processor: SpanProcessor | None = None) -> None:
        """`processor` takes the spans instead of what `exporter` names."""
        known = trace.get_tracer_provider()
        if isinstance(known, TracerProvider) and processor is None:
            # Set by `opentelemetry-instrument`, which sends spans as well.
            self._provider = known
        else:
            resource = Resource({SERVICE_NAME: service}).merge(OTELResourceDetector().detect())
            self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
            self._provider.add_span_processor(processor or _make_processor(exporter))
            # What handlers call is often instrumented, and asks for this one.
            trace.set_tracer_provider(self._provider)
        self._tracer = self._provider.get_tracer("manyhands")

    def begin(self, name: str, parent: str | None, at: int, attributes: Attributes) -> OpenTelemetrySpan:
        """Begin a span at a time, in ns since 1970. `parent` is a traceparent; None begins a trace."""
        context = None if parent is None else trace.set_span_in_context(NonRecordingSpan(_context_of(parent)))
        return OpenTelemetrySpan(self._tracer.start_span(name, context, start_time=at, attributes=dict(attributes)))

    def flush(self) -> None:
        """Send what has not been sent, for `FLUSH_WITHIN` at most: the SDK's own limit does not bound an exporter."""
        flushing = threading.Thread(target=self._provider.force_flush, name="manyhands-flush-traces", daemon=True)
        flushing.start()
        flushing.join(FLUSH_WITHIN)


def _make_processor(exporter: str) -> SpanProcessor:
    if exporter == "console":
        return SimpleSpanProcessor(ConsoleSpanExporter(formatter=lambda span: span.to_json(indent=None) + "\n"))
    return BatchSpanProcessor(_make_otlp())


def _make_otlp() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _context_of(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
