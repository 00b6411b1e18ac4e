"""What a browser can read beyond what all can, as its hello says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Abilities:
    """The abilities of one browser."""

    #: It wants tables also as Arrow IPC streams.
    arrow: bool = False
    #: It reads updates that say of a text that grew only what was added.
    add: bool = False


#: What every browser can do.
PLAIN = Abilities()
