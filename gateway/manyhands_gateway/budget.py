"""A token bucket: how often something may happen, with bursts."""

from __future__ import annotations

from time import monotonic


class Budget:
    """Full at first; `spend` takes one token of `burst`, and `rate` come back a second."""

    __slots__ = ("_burst", "_filled", "_left", "_rate")

    def __init__(self, burst: float, rate: float) -> None:
        self._burst = self._left = burst
        self._rate = rate
        self._filled = monotonic()

    @property
    def due(self) -> float:
        """Seconds from the last `spend` until there is a token again."""
        return max(0.0, (1 - self._left) / self._rate)

    def spend(self) -> bool:
        """Take a token; False when there is none."""
        now = monotonic()
        self._left = min(self._burst, self._left + (now - self._filled) * self._rate)
        self._filled = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
