"""Catches what a worker logs of the events of a test: what their handlers printed, and what they raised."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict

from manyhands.logs import Subject

#: Where a worker logs what handlers print, and what they raise.
OUTPUT, TURNS = "manyhands.output", "manyhands.turns"

#: Client and number.
Event = tuple[str, int | None]


class Captured(logging.Handler):
    """Keeps it by event. While it is installed, what handlers print is logged also where nobody has asked for it."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        # Guards the two below; held for one operation.
        self._guard = threading.Lock()
        self._lines: defaultdict[Event, list[str]] = defaultdict(list)
        self._raised: dict[Event, BaseException] = {}
        #: What the app printed while it was imported.
        self.imported: list[str] = []
        self._level = logging.NOTSET

    def install(self) -> None:
        """Begin to listen."""
        output = logging.getLogger(OUTPUT)
        self._level = output.level
        output.setLevel(logging.INFO)
        for name in (OUTPUT, TURNS):
            logging.getLogger(name).addHandler(self)

    def remove(self) -> None:
        """Listen no more."""
        for name in (OUTPUT, TURNS):
            logging.getLogger(name).removeHandler(self)
        logging.getLogger(OUTPUT).setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record."""
        source, *rest = record.args if isinstance(record.args, tuple) else (None,)
        if not isinstance(source, Subject):
            if record.name == OUTPUT and rest:
                self.imported.append(str(rest[0]))
            return
        event = source.fields[1:3]
        with self._guard:
            if record.name == OUTPUT:
                self._lines[event].append(str(rest[0]))
            elif record.exc_info and record.exc_info[1] is not None:
                self._raised[event] = record.exc_info[1]

    def take(self, event: Event) -> tuple[str, BaseException | None]:
        """Give what was printed and what was raised, and forget it."""
        with self._guard:
            lines = self._lines.pop(event, [])
            return "".join(f"{line}\n" for line in lines), self._raised.pop(event, None)
