"""What a run has assigned and deleted since its last commit, by path.

A trie: recording costs the depth of the path, however much is recorded already. No entry lies below another one. An
assignment is recorded without its value, which is taken from the state when the run commits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from manyhands.paths import Path


@dataclass(frozen=True, slots=True)
class Mutation:
    """One assignment or deletion, ready to be committed."""

    path: Path
    deleted: bool
    #: The live value, None for a deletion. Of a dict the plain dict behind it, whose leaves may still be
    #: `manyhands.fields.Stored`; the app may go on changing it.
    value: Any = None


class _Branch:
    __slots__ = ("below", "deleted", "order")

    def __init__(self) -> None:
        self.below: dict[str, _Branch] = {}
        #: 1, 2, 3 … in the order of recording; 0: nothing is recorded here.
        self.order = 0
        self.deleted = False


class Mutations:
    """The paths that were recorded. Not safe for threads: the state's lock guards it."""

    __slots__ = ("_count", "_root")

    def __init__(self) -> None:
        self._root = _Branch()
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._root.below)

    def record(self, path: Path, *, deleted: bool) -> None:
        """Record an assignment or a deletion, which replaces what was recorded below its path.

        Below a path that is recorded nothing is: what is assigned there is taken whole.
        """
        branch = self._root
        for name in path:
            if branch.order:
                return
            branch = branch.below.get(name) or branch.below.setdefault(name, _Branch())
        if not branch.order:
            self._count += 1
            branch.order = self._count
        branch.deleted = deleted
        branch.below.clear()

    def covers(self, path: Path) -> bool:
        """Tell whether this path, or one above it, is recorded."""
        branch: _Branch | None = self._root
        for name in path:
            branch = branch.below.get(name) if branch else None
            if branch and branch.order:
                return True
        return False

    def below(self, path: Path) -> list[tuple[Path, bool]]:
        """List the paths recorded strictly below this one, from here on, and whether each was deleted."""
        branch = self._root
        for name in path:
            found = branch.below.get(name)
            if found is None:
                return []
            branch = found
        recorded = sorted(_recorded(branch), key=lambda entry: entry[0])
        return [(below, deleted) for _order, below, deleted in recorded]

    def take(self) -> list[tuple[Path, bool]]:
        """List every recorded path in the order of first recording, and whether it was deleted; then forget them."""
        recorded = self.below(())
        self.forget()
        return recorded

    def forget(self) -> None:
        """Forget every path."""
        self._root, self._count = _Branch(), 0


def _recorded(branch: _Branch) -> Iterator[tuple[int, Path, bool]]:
    # With a stack of its own, since the state may be nested deeper than Python's recursion goes.
    waiting: list[tuple[Path, _Branch]] = [((), branch)]
    while waiting:
        path, branch = waiting.pop()
        for name, below in branch.below.items():
            if below.order:
                yield below.order, (*path, name), below.deleted
            else:
                waiting.append(((*path, name), below))
