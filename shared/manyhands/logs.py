"""Where log lines go and what they look like: text for people, or one JSON object a line for programs.

A line that is about an event says so: whoever logs it names the event by its `Subject`, or logs while the event's
handler runs. As text the subject stands in the message; in JSON it is `session`, `event` and `handler`. Neither ever
holds a payload.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

#: What `--log` takes.
PLAIN, JSON = "plain", "json"
PLAIN_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"

#: What stands between a subject and what is said of it.
COLON = " | "

log = logging.getLogger("manyhands")


class Subject(str):
    """The event that a line is about: a short text for people, with the whole names as `fields`."""

    __slots__ = ("fields",)

    fields: tuple[str, str, int | None, str]

    @classmethod
    def of(cls, session: str, client: str, n: int | None, handler: str) -> Subject:
        """Name an event."""
        subject = cls(f"{session[:8]} {client[:8]}/{n} {handler}")
        subject.fields = (session, client, n, handler)
        return subject

    def named(self) -> dict[str, Any]:
        """Give its names as they stand in a line of JSON."""
        session, client, n, handler = self.fields
        return {"session": session, "event": {"client": client, "n": n}, "handler": handler}


def nothing() -> Subject | None:
    """Stand for a process that runs no handlers: no line has a subject unless it names one."""
    return None


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object."""

    def __init__(self, current: Callable[[], Subject | None] = nothing) -> None:
        """`current` gives the event whose handler runs in the caller's context."""
        super().__init__()
        self._current = current

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        subject = _subject_of(record) or self._current()
        message = record.getMessage()
        about: Mapping[str, Any] = {}
        if subject is not None:
            about = subject.named()
            message = message.removeprefix(subject + COLON)
        elif isinstance(session := getattr(record, "session", None), str):
            about = {"session": session}
        line = {**json_fields(record.created, record.levelname, record.name, message), **about}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def json_fields(created: float, level: str, logger: str, message: str) -> dict[str, Any]:
    """Give what every line has. `created` is in seconds since 1970."""
    at = datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"timestamp": at, "level": level.lower(), "logger": logger, "message": message}


def configure(
    style: str, stream: TextIO | None, level: int = logging.INFO, current: Callable[[], Subject | None] = nothing
) -> None:
    """Send all log lines to a stream; other libraries' from `level` on, ours from INFO on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(current) if style == JSON else logging.Formatter(PLAIN_FORMAT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("manyhands").setLevel(logging.INFO)
    if style == JSON:
        _catch_all()


def _catch_all() -> None:
    """Make lines of JSON of what Python would print by itself: warnings, and exceptions that nobody catches."""
    logging.captureWarnings(True)
    sys.excepthook = log_uncaught
    threading.excepthook = _log_thread


def log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Log an exception that nobody caught."""
    log.critical("not caught: %s", kind.__name__, exc_info=(kind, error, traceback))


def _log_thread(ended: threading.ExceptHookArgs) -> None:
    name = ended.thread.name if ended.thread else "a thread"
    if ended.exc_value is not None:
        log.error("%s has failed", name, exc_info=(ended.exc_type, ended.exc_value, ended.exc_traceback))


def _subject_of(record: logging.LogRecord) -> Subject | None:
    if isinstance(record.args, tuple):
        for one in record.args:
            if isinstance(one, Subject):
                return one
    return None
