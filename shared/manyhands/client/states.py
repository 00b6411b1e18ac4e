"""What a client has of the server's state: its session's own and those of the rooms, kept up by updates. Does no I/O.

Of a large value there is a reference in its place: a map with the URL, the type and the size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from manyhands.wire import BLOB_PATH, Key

#: Puts something else in the place of a value that has come.
Change = Callable[[Any], Any]


def is_reference(value: object) -> bool:
    """Tell whether a value stands for one that is fetched over HTTP, from the gateway and nowhere else."""
    if not isinstance(value, dict):
        return False
    url = value.get(Key.BLOB)
    return isinstance(url, str) and url.startswith(f"{BLOB_PATH}/") and isinstance(value.get(Key.TYPE), str)


def replace_references(value: Any, fetched: Callable[[Mapping[str, Any]], Any]) -> Any:
    """Give a value with what `fetched` gives for each reference in it."""
    if is_reference(value):
        return fetched(value)
    if isinstance(value, dict):
        return {key: replace_references(item, fetched) for key, item in value.items()}
    if isinstance(value, list):
        return [replace_references(item, fetched) for item in value]
    return value


class Copy:
    """One copy of a state of the server's."""

    def __init__(self, change: Change = lambda value: value) -> None:
        self._change = change
        self.data: dict[str, Any] = {}
        #: The last update that was applied; None until there is a state.
        self.seq: int | None = None

    def replace(self, state: Mapping[str, Any], seq: int | None) -> None:
        """Begin with a whole state."""
        self.data, self.seq = self._change(dict(state)), seq

    def apply(self, update: Mapping[str, Any]) -> bool:
        """Apply an update, unless it was before; False where it does not follow from what is here."""
        seq = update[Key.SEQ]
        if Key.STATE in update:
            # Of a room: the whole state for a session that has joined it, nothing for one that has left.
            state = update[Key.STATE]
            self.replace(state or {}, None if state is None else seq)
            return True
        if self.seq is None or seq <= self.seq:
            return True
        if seq != self.seq + 1:
            return False
        self.seq = seq
        for path in update[Key.UNSET]:
            self._unset(path)
        for path, value in update[Key.SET]:
            self._set(path, self._change(value))
        if all(self._grow(path, more) for path, more in update.get(Key.ADD, ())):
            return True
        # Here is another state than the server's: only a whole one helps.
        self.seq = None
        return False

    def _unset(self, path: Sequence[str]) -> None:
        node: Any = self.data
        for name in path:
            if not isinstance(node, dict) or name not in node:
                return
            node = node[name]
        del self._parent_of(path)[path[-1]]

    def _set(self, path: Sequence[str], value: Any) -> None:
        self._parent_of(path)[path[-1]] = value

    def _grow(self, path: Sequence[str], more: str) -> bool:
        """Add to a text; False where there is none."""
        node: Any = self.data
        for name in path:
            node = node.get(name) if isinstance(node, dict) else None
        if not isinstance(node, str):
            return False
        self._set(path, node + more)
        return True

    def _parent_of(self, path: Sequence[str]) -> dict[str, Any]:
        """Give the map that a path ends in. All along it are new ones: who has the old state sees no change in it."""
        self.data = node = dict(self.data)
        for name in path[:-1]:
            below = node.get(name)
            node[name] = dict(below) if isinstance(below, dict) else {}
            node = node[name]
        return node


class States:
    """The session's own state, and those of the rooms that it has joined."""

    def __init__(self, change: Change = lambda value: value) -> None:
        self._change = change
        self.own = Copy(change)
        self._rooms: dict[str, Copy] = {}

    @property
    def shared(self) -> dict[str, dict[str, Any]]:
        """The states of the rooms, by their names."""
        return {name: copy.data for name, copy in self._rooms.items() if copy.seq is not None}

    @property
    def seqs(self) -> dict[str, int]:
        """The last update that was seen of each room."""
        return {name: copy.seq for name, copy in self._rooms.items() if copy.seq is not None}

    def welcome(self, welcome: Mapping[str, Any]) -> bool:
        """Take what a welcome brings, and tell whether it has a state; where it has none, the missed updates follow."""
        rooms: Mapping[str, Any] = welcome.get(Key.SHARED) or {}
        left = [name for name in self._rooms if name not in rooms]
        for name in left:
            del self._rooms[name]
        whole = {name: room for name, room in rooms.items() if Key.STATE in room}
        for name, room in whole.items():
            self.room(name).replace(room[Key.STATE], room[Key.SEQ])
        if Key.STATE in welcome:
            self.own.replace(welcome[Key.STATE], welcome[Key.SEQ])
        return bool(left or whole) or Key.STATE in welcome

    def copy_of(self, update: Mapping[str, Any]) -> Copy:
        """Give the state that an update is of."""
        name = update.get(Key.SHARED)
        return self.own if name is None else self.room(name)

    def room(self, name: str) -> Copy:
        """Give a room's."""
        return self._rooms.setdefault(name, Copy(self._change))

    def forget(self) -> None:
        """Forget all: the session has ended."""
        self.own, self._rooms = Copy(self._change), {}
