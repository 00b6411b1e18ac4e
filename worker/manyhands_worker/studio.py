"""Tells the studio, while developing, what this worker logs, which events have ended, and what the app consists of."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgpack
from redis.exceptions import RedisError

from manyhands import codec
from manyhands.app_location import AppLocation
from manyhands.dev_feed import DevFeed, Kind
from manyhands.errors import ManyHandsError
from manyhands.loaded_app import LoadedApp
from manyhands.logs import Subject
from manyhands.settings import Settings
from manyhands.verifiers import is_internal
from manyhands.wire import Key
from manyhands_worker.allowance import Allowance
from manyhands_worker.output import current_subject
from manyhands_worker.run import Run

#: Entries that wait to be sent. Of more the oldest are dropped: an app must not wait for its studio.
WAITING = 1000
#: Characters of one entry's text.
LONGEST_TEXT = 20_000
#: Bytes of a payload, encoded, beyond which it is not shown and can't be fired again from the studio.
LARGEST_PAYLOAD = 65_536
#: Lines of ours that say nothing of the app are left out; these, of its output, are all taken.
OUTPUT_LOGGER = "manyhands.output"
#: What a line has that the studio was told of otherwise.
TOLD = "told"


class Studio:
    """What one worker process tells; any thread calls any method, none waits for Redis."""

    def __init__(self, settings: Settings, location: AppLocation) -> None:
        self._feed, self._directory = DevFeed(settings.redis, settings.namespace), location.directory
        self._waiting: deque[Mapping[str, Any]] = deque(maxlen=WAITING)
        self._allowance = Allowance()
        self._woken = threading.Event()
        # Held while what waits is sent: order is kept between the thread and whoever flushes.
        self._sending = threading.Lock()
        threading.Thread(target=self._run, name="manyhands-studio", daemon=True).start()

    def say(self, entry: Mapping[str, Any]) -> None:
        """Have an entry sent soon."""
        self._waiting.append(entry)
        self._woken.set()

    def flush(self) -> None:
        """Send what waits now: the process is about to end."""
        with self._sending, contextlib.suppress(RedisError, OSError):
            self._send()

    def loaded(self, app: LoadedApp) -> None:
        """Tell what the app consists of."""
        handlers = [
            {
                "name": one.name, "parameters": list(one.parameters), "async": one.is_async, "doc": one.doc,
                "file": self.shown(one.file), "line": one.line,
            }
            for one in app.handlers.values()
            if not is_internal(one.name)
        ]  # fmt: skip
        not_exposed = [
            {"name": one.name, "reason": one.reason, "file": self.shown(one.file), "line": one.line}
            for one in app.not_exposed
        ]
        self._say_left_out("import", time.time())
        told = {"version": app.version, "handlers": handlers, "not_exposed": not_exposed, "error": None}
        self.say({"kind": Kind.APP, "time": time.time(), **told})

    def failed_to_load(self, error: BaseException, text: str) -> None:
        """Tell that the app can't be imported: `text` is the traceback."""
        cause = error.__cause__ or error
        place = self.place(cause)
        self.say({"kind": Kind.APP, "time": time.time(), "error": f"{type(cause).__name__}: {cause}", **place})
        self._say_left_out("import", time.time())
        self._say_line("error", text[:LONGEST_TEXT], time.time(), "import", place)

    def log(self, level: str, text: str, at: float, source: str, place: Mapping[str, Any]) -> None:
        """Tell of a line. `at`: seconds since 1970."""
        left_out = self._allowance.take(source)
        if left_out is None:
            return
        if left_out:
            self._say_line("warning", _of_left_out(left_out), at, source, {})
        self._say_line(level, text[:LONGEST_TEXT], at, source, place)

    def _say_left_out(self, source: str, at: float) -> None:
        if left_out := self._allowance.end(source):
            self._say_line("warning", _of_left_out(left_out), at, source, {})

    def _say_line(self, level: str, text: str, at: float, source: str, place: Mapping[str, Any]) -> None:
        about: dict[str, Any] = {"session": None, "event": None, "handler": None}
        if isinstance(source, Subject):
            about = source.named()
        line = {"level": level, "text": text, "time": at, "source": None if about["event"] else source}
        self.say({"kind": Kind.LOG, **line, **about, **place})

    def ended(self, run: Run) -> None:
        """Tell of an event whose final commit is in; called right after it."""
        now, monotonic = time.time(), time.monotonic()

        def at(moment: float | None) -> float | None:
            return None if moment is None else now - (monotonic - moment)

        turn, body = run.turn, run.body
        times = {
            "posted": body.posted, "taken": at(run.taken), "began": at(run.began), "returned": at(run.returned),
            "committed": now,
        }  # fmt: skip
        around = [
            {
                Key.STATE: one.state, Key.REPEATER_KEY: one.key, Key.KEY_VARIABLE: one.key_variable,
                Key.VALUE_VARIABLE: one.value_variable,
            }
            for one in body.context.repeaters
        ]  # fmt: skip
        context = {"event": body.context.event, "target": body.context.target, Key.REPEATERS: around}
        self._say_left_out(run.output.source, now)
        self.say({
            "kind": Kind.EVENT, "session": run.session, "event": {"client": turn.client, "n": turn.n},
            "handler": body.handler, "attempt": turn.attempt, "outcome": run.outcome, "time": now, "times": times,
            "context": context, "untold": run.untold.told(), **_shown_payload(body.payload),
        })  # fmt: skip

    def place(self, error: BaseException) -> dict[str, Any]:
        """Give the line of the app that raised: `file` below its directory, and `line`; nothing if there is none."""
        if isinstance(error, SyntaxError) and error.filename and self._is_of_app(error.filename):
            return {"file": self.shown(error.filename), "line": error.lineno}
        frames = [one for one in traceback.extract_tb(error.__traceback__) if self._is_of_app(one.filename)]
        return {"file": self.shown(frames[-1].filename), "line": frames[-1].lineno} if frames else {}

    def describe(self, error: BaseException) -> str:
        """Write a traceback, from the app's own first line on."""
        frames: TracebackType | None = error.__traceback__
        while frames and not self._is_of_app(frames.tb_frame.f_code.co_filename):
            frames = frames.tb_next
        return "".join(traceback.format_exception(type(error), error, frames or error.__traceback__)).rstrip()

    def shown(self, file: str | None) -> str | None:
        """Name a file from the app's directory on, where it lies there."""
        path = Path(file or "")
        return path.relative_to(self._directory).as_posix() if path.is_relative_to(self._directory) else file

    def _is_of_app(self, file: str) -> bool:
        return Path(file).is_relative_to(self._directory)

    def _run(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            self.flush()

    def _send(self) -> None:
        entries = []
        while self._waiting:
            entries.append(self._waiting.popleft())
        if entries:
            self._feed.publish(entries)


class StudioHandler(logging.Handler):
    """Passes on what the app prints and logs, and its exceptions; of our own lines, warnings only."""

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        ours = record.name.partition(".")[0] == "manyhands" and record.name != OUTPUT_LOGGER
        if (ours and record.levelno < logging.WARNING) or hasattr(record, TOLD):
            return
        source, text = _split(record)
        place: Mapping[str, Any] = {}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            text, place = f"{text}\n{self._studio.describe(error)}", self._studio.place(error)
        self._studio.log(record.levelname.lower(), text, record.created, source, place)

    def flush(self) -> None:
        """Send what waits; Python calls it when the process ends."""
        self._studio.flush()


def _split(record: logging.LogRecord) -> tuple[str, str]:
    """Give what a line is about and what it says."""
    arguments = record.args if isinstance(record.args, tuple) else ()
    if record.name == OUTPUT_LOGGER and len(arguments) == 2:
        return (str(arguments[0]) if not isinstance(arguments[0], Subject) else arguments[0]), str(arguments[1])
    subject = next((one for one in arguments if isinstance(one, Subject)), None)
    text = record.getMessage()
    if subject is None:
        return current_subject() or record.name, text
    return subject, text.removeprefix(f"{subject} | ")


def _shown_payload(payload: Any) -> dict[str, Any]:
    try:
        encoded = codec.encode(codec.view(payload))
    except ManyHandsError:
        return {"payload": None, "payload_left_out": True}
    if len(encoded) > LARGEST_PAYLOAD:
        return {"payload": None, "payload_left_out": True}
    return {"payload": msgpack.unpackb(encoded, strict_map_key=False), "payload_left_out": False}


def _of_left_out(count: int) -> str:
    return f"… {count:,} more lines are left out here; the terminal has them"


def open_studio(settings: Settings, location: AppLocation) -> Studio | None:
    """Begin to tell the studio, where there is one: while developing."""
    if not settings.dev:
        return None
    studio = Studio(settings, location)
    logging.getLogger().addHandler(StudioHandler(studio))
    return studio
