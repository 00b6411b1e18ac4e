"""What a load test is to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from manyhands.load.address import Address


@dataclass(frozen=True, slots=True)
class Plan:
    """A load test as it was asked for; times are in seconds."""

    address: Address
    sessions: int = 10
    #: Events a second of all sessions together (an open loop); None: each fires its next when the last has ended.
    rate: float | None = None
    duration: float = 10.0
    #: Before the measured time: its events are checked like all others, but not timed.
    warmup: float = 1.0
    handler: str = "increment"
    payload: Any = None
    #: Where the state counts the session's events; None: the state is not checked.
    key: tuple[str, ...] | None = None
