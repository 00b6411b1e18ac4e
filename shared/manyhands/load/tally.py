"""What a load test counts: events by outcome, latencies in an HdrHistogram, and each second by itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hdrh.histogram import HdrHistogram

from manyhands.load.checks import Problem

#: Microseconds: the bounds between which latencies are told apart, at 3 significant digits.
SHORTEST, LONGEST = 1, 3_600_000_000
#: How many problems are shown in words; all are counted.
SHOWN_PROBLEMS = 10
PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9)


@dataclass(frozen=True, slots=True)
class Second:
    """What ended in about one second; latencies in ms, None where nothing ended."""

    #: Seconds since the load began, at its end.
    at: float
    per_second: float
    p50: float | None
    p99: float | None


class Tally:
    """Counts for all sessions. Times are seconds of the one clock of the run."""

    def __init__(self) -> None:
        self.events_fired = 0
        self.events_ended = 0
        #: Events that ended in the measured time.
        self.measured = 0
        self.errors: Counter[str] = Counter()
        self.rejections: Counter[str] = Counter()
        self.problems: Counter[str] = Counter()
        self.details: list[str] = []
        #: Sockets that were closed before the end, by close code, and what came of it.
        self.closes: Counter[int] = Counter()
        self.reconnects = 0
        self.failed_connects = 0
        self.seconds: list[Second] = []
        self.histogram = HdrHistogram(SHORTEST, LONGEST, 3)
        self._began, self._window = 0.0, (0.0, float("inf"))
        self._last_second = 0.0
        self._recent: list[float] = []

    def begin(self, now: float, warmup: float, duration: float) -> None:
        """Note when the load begins, and when it is measured."""
        self._began = self._last_second = now
        self._window = (now + warmup, now + warmup + duration)

    # --- told by sessions ---

    def fired(self) -> None:
        """One more event was fired."""
        self.events_fired += 1

    def ended(self, intended: float, now: float, code: str | None) -> None:
        """An event that was due at `intended` has ended: its latency counts from then."""
        self.events_ended += 1
        if code is not None:
            self.errors[code] += 1
        latency = now - intended
        self._recent.append(latency)
        start, end = self._window
        if start <= now < end:
            self.measured += 1
        if start <= intended < end:
            self.histogram.record_value(min(max(int(latency * 1e6), SHORTEST), LONGEST))

    def rejected(self, code: str) -> None:
        """The gateway did not accept something; it is sent again."""
        self.rejections[code] += 1

    def problem(self, kind: Problem, text: str) -> None:
        """A promise was not kept."""
        self.problems[kind] += 1
        if len(self.details) < SHOWN_PROBLEMS:
            self.details.append(f"{kind}: {text}")

    # --- asked by those who show it ---

    @property
    def in_flight(self) -> int:
        """How many events have not ended."""
        return self.events_fired - self.events_ended

    def tick(self, now: float) -> Second:
        """Close a second, and give what ended in it."""
        latencies, self._recent = sorted(self._recent), []
        length, self._last_second = max(now - self._last_second, 1e-9), now
        middle, high = (_at(latencies, share) for share in (0.5, 0.99))
        second = Second(now - self._began, len(latencies) / length, middle, high)
        self.seconds.append(second)
        return second

    def latencies(self) -> dict[str, float] | None:
        """Give the percentiles of the measured time in ms; None where nothing was measured."""
        if not self.histogram.get_total_count():
            return None
        found = self.histogram.get_percentile_to_value_dict(list(PERCENTILES))
        shown = {f"p{percentile:g}": found[percentile] / 1000 for percentile in PERCENTILES}
        low, high = self.histogram.get_min_value() / 1000, self.histogram.get_max_value() / 1000
        return {"min": low, "mean": round(self.histogram.get_mean_value() / 1000, 3), **shown, "max": high}


def _at(latencies: list[float], share: float) -> float | None:
    """Give a percentile of sorted latencies in ms."""
    if not latencies:
        return None
    return round(latencies[min(int(share * len(latencies)), len(latencies) - 1)] * 1000, 3)
