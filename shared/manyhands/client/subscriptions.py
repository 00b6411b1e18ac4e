"""Who wants to know of which changes of the state. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from manyhands.client.states import States
from manyhands.paths import Path, overlap, parse_path
from manyhands.wire import Key

#: What the first name of a path in a room begins with.
ROOM = "@"
Call = Callable[[Any], object]


class Subscriptions:
    """Paths and what is called when something at, above or below them changes."""

    def __init__(self) -> None:
        self._all: dict[int, tuple[Path, Call]] = {}
        self._count = 0

    def add(self, path: str, call: Call) -> Callable[[], None]:
        """Add one; gives what ends it. The empty path is the whole state. Raises `AppError` for a bad path."""
        keys = parse_path(path, "subscribe") if path else ()
        self._count += 1
        number = self._count
        self._all[number] = keys, call

        def end() -> None:
            self._all.pop(number, None)

        return end

    def all_of(self, states: States) -> list[Callable[[], object]]:
        """Give the calls to make where everything may have changed."""
        return [_called(call, states, path) for path, call in self._all.values()]

    def changed_by(self, update: Mapping[str, Any], states: States) -> list[Callable[[], object]]:
        """Give the calls to make for an update."""
        room = update.get(Key.SHARED)
        before: Path = () if room is None else (f"{ROOM}{room}",)
        if Key.STATE in update:
            touched = [before]
        else:
            changed = [*update[Key.UNSET], *(path for key in (Key.SET, Key.ADD) for path, _ in update.get(key, ()))]
            touched = [(*before, *path) for path in changed]
        return [
            _called(call, states, path)
            for path, call in self._all.values()
            if _is_in_room(path) is (room is not None) and any(overlap(path, one) for one in touched)
        ]


def _is_in_room(path: Path) -> bool:
    return bool(path) and path[0].startswith(ROOM)


def read(states: States, path: Path) -> Any:
    """Give what is at a path, None where nothing is."""
    node: Any = states.own.data
    if _is_in_room(path):
        node, path = states.shared.get(path[0].removeprefix(ROOM)), path[1:]
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def _called(call: Call, states: States, path: Path) -> Callable[[], object]:
    value = read(states, path)
    return lambda: call(value)
