"""Traces: one for each event, from the browser to the commit. Imports nothing of OpenTelemetry unless traces are sent.

An event's `traceparent` travels in its letter. The gateway's span `accepted` is the parent of the worker's `waited`,
`loaded`, `ran` and `committed`. Without an exporter there is no `Tracing`, and whoever would use it checks for None.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
from collections.abc import Mapping
from typing import Protocol

from manyhands.settings import Settings

log = logging.getLogger("manyhands.tracing")

Attributes = Mapping[str, str | int]


class Span(Protocol):
    """A span that has begun."""

    @property
    def traceparent(self) -> str:
        """What makes another span its child."""
        ...

    def current(self) -> contextlib.AbstractContextManager[object]:
        """Make spans that the app begins in this context its children."""
        ...

    def end(self, at: int, *, failed: str | None = None) -> None:
        """End it at a time, in ns since 1970. `failed` says what went wrong."""
        ...


class Tracing(Protocol):
    """Begins spans and sends them."""

    def begin(self, name: str, parent: str | None, at: int, attributes: Attributes) -> Span:
        """Begin a span at a time, in ns since 1970. `parent` is a traceparent; None begins a trace."""
        ...

    def flush(self) -> None:
        """Send what has not been sent; returns soon, whether or not that works."""
        ...


def start_tracing(settings: Settings, service: str) -> Tracing | None:
    """Begin to send traces, where OTEL_TRACES_EXPORTER says so; None elsewhere.

    Starts a thread: call it after a fork. `service` is how the process is named in traces unless OTEL_SERVICE_NAME is.
    """
    if settings.traces == "none":
        return None
    if not is_installed():
        # The variable may stand in the environment for other programs' sake.
        log.warning("OTEL_TRACES_EXPORTER is set, but no traces are sent: `pip install 'manyhands[otel]'` is missing")
        return None
    from manyhands.otel import OpenTelemetry

    return OpenTelemetry(settings.traces, service)


def is_installed() -> bool:
    """Tell whether what `manyhands[otel]` installs is there."""
    try:
        return importlib.util.find_spec("opentelemetry.sdk.trace") is not None
    except ModuleNotFoundError:
        return False
