"""Which numbers of a client were accepted: the highest, and the open gaps below it.

With group commit an `n` may be rejected while a higher one is accepted, so a number is a duplicate only if that very
number was accepted. `accept.lua` keeps the same record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from manyhands.store.limits import CLIENT_GAPS


@dataclass(frozen=True, slots=True)
class Numbering:
    """One client's record."""

    highest: int = 0
    #: Whether numbers up to here were accepted is no longer known, unless they lie in a gap.
    floor: int = 0
    #: Ranges `(low, high)`, both included, that were not accepted; the lowest first.
    gaps: tuple[tuple[int, int], ...] = ()

    def _is_open(self, n: int) -> bool:
        return n > self.highest or any(low <= n <= high for low, high in self.gaps)

    def is_forgotten(self, n: int) -> bool:
        """Tell whether it can't be said if a number was accepted."""
        return n <= self.floor and not self._is_open(n)

    def was_accepted(self, n: int) -> bool:
        """Tell whether this very number was accepted."""
        return not self._is_open(n) and not self.is_forgotten(n)

    def accepting(self, n: int) -> Numbering:
        """Give the record after a number was accepted."""
        gaps = tuple(self._gaps_after(n))
        forgotten = gaps[: max(0, len(gaps) - CLIENT_GAPS)]
        floor = forgotten[-1][1] if forgotten else self.floor
        return Numbering(max(self.highest, n), floor, gaps[len(forgotten) :])

    def _gaps_after(self, n: int) -> Iterator[tuple[int, int]]:
        for low, high in self.gaps:
            if not low <= n <= high:
                yield low, high
                continue
            if low < n:
                yield low, n - 1
            if n < high:
                yield n + 1, high
        if n > self.highest + 1:
            yield self.highest + 1, n - 1
