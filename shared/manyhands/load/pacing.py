"""When events are due. Without I/O: whoever fires them tells the time."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Schedule:
    """An open loop: `rate` events a second from `start` until `end`, evenly spaced, whatever becomes of them.

    An event that is fired late keeps the time at which it was due, and its latency is counted from then: what waits
    behind a slow answer is not left out of the figures (coordinated omission).
    """

    rate: float
    start: float
    end: float
    #: How many were given out.
    count: int = field(default=0, init=False)

    @property
    def next(self) -> float | None:
        """When the next event is due; None after the last."""
        due = self.start + self.count / self.rate
        return due if due < self.end else None

    def due(self, now: float) -> list[float]:
        """Give the times of all events that are due by now and were not given yet."""
        times: list[float] = []
        while (due := self.next) is not None and due <= now:
            times.append(due)
            self.count += 1
        return times


@dataclass
class Backoff:
    """The pauses between attempts to reconnect, as the browser client makes them: doubled up to `longest` seconds."""

    first: float = 0.25
    longest: float = 5.0
    _pause: float = field(default=0.0, init=False)

    def next(self, chance: float) -> float:
        """Give the next pause, between half of it and the whole: `chance` is from 0 to 1."""
        self._pause = min(max(2 * self._pause, self.first), self.longest)
        return self._pause * (0.5 + chance / 2)

    def reset(self) -> None:
        """Begin again with the first pause."""
        self._pause = 0.0
