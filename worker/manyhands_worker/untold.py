"""What a run has assigned that no update of its session tells, for the studio: private keys, and what lies in rooms."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import msgpack

from manyhands.paths import Path

#: Assignments of one event that are told.
MOST = 100
#: Bytes of a view beyond which a value is not told.
LARGEST_VIEW = 4096


class Untold:
    """The assignments of one run, with what browsers get to see of them; nothing outside of `manyhands dev`."""

    __slots__ = ("_noted", "_room")

    def __init__(self, *, dev: bool) -> None:
        self._room = MOST if dev else 0
        self._noted: list[tuple[Path, bytes | None]] = []

    def note(self, assigned: Iterable[tuple[Path, bytes | None]]) -> None:
        """Note some."""
        if self._room:
            self._noted += islice(assigned, self._room - len(self._noted))

    def told(self) -> list[dict[str, Any]]:
        """Give them as the studio's feed has them: a value only where it is small, and may be shown to browsers."""
        return [
            {"path": path, "is_shown": False}
            if view is None or len(view) > LARGEST_VIEW
            else {"path": path, "is_shown": True, "value": msgpack.unpackb(view, strict_map_key=False)}
            for path, view in self._noted
        ]
