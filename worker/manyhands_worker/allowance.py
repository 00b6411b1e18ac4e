"""How many lines each event, or the app's import, may tell the studio, so that a loop pushes nothing else out."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

#: Lines that one source may tell at once, and that are added to them each second.
BURST, A_SECOND = 300.0, 20.0
#: Sources that are known at once. The one that was longest silent is forgotten, and begins anew.
MOST_SOURCES = 1000


class Allowance:
    """Counts lines by their source; any thread calls it."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        #: How many lines each may still tell, as of which moment, and how many were left out since the last one.
        self._sources: OrderedDict[str, tuple[float, float, int]] = OrderedDict()
        # Held for a few steps, never while anybody waits.
        self._lock = threading.Lock()

    def take(self, source: str) -> int | None:
        """Ask whether a line may be told; if so, gives how many before it were left out, else None."""
        now = self._now()
        with self._lock:
            left, since, out = self._sources.pop(source, (BURST, now, 0))
            left = min(BURST, left + (now - since) * A_SECOND)
            # Once empty it waits until a second's worth is there: one line at a time would be told with a count each.
            may = left >= 1 and (not out or left >= A_SECOND)
            self._sources[source] = (left - 1, now, 0) if may else (left, now, out + 1)
            if len(self._sources) > MOST_SOURCES:
                self._sources.popitem(last=False)
            return out if may else None

    def end(self, source: str) -> int:
        """Forget a source; gives how many lines were left out at its end."""
        with self._lock:
            return self._sources.pop(source, (0.0, 0.0, 0))[2]
