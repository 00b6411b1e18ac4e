"""Copies of values that stand still while they are encoded."""

from __future__ import annotations

from typing import Any

from manyhands import types
from manyhands.errors import NotSerialisable
from manyhands.wire import MAX_NESTING

_SCALARS = frozenset({type(None), bool, int, float, str, bytes})
_CONTAINERS = frozenset({list, tuple, set, frozenset, dict})


def still(value: Any, path: tuple[str, ...] = (), depth: int = 0) -> Any:
    """Copy lists, tuples, sets and dicts, at every depth, so that what is encoded can't change meanwhile.

    msgpack writes a list's length before its items; a handler that appends in between would leave bytes that nobody
    can read. Each single copy is atomic, since it runs no Python code.
    """
    kind = type(value)
    if kind not in _CONTAINERS:
        return value if kind in _SCALARS else types.still(value)
    if depth > MAX_NESTING:
        raise too_deep(path, value)
    if kind is dict:
        return {key: still(item, path, depth + 1) for key, item in list(value.items())}
    copied = kind(value)
    if kind in (set, frozenset) or _SCALARS.issuperset(map(type, copied)):
        return copied
    return kind(still(item, path, depth + 1) for item in copied)


def too_deep(path: tuple[str, ...], value: object) -> NotSerialisable:
    """Describe a value that is nested too deeply, most often one that contains itself."""
    cure = f"at most {MAX_NESTING} levels, and no value that contains itself"
    return NotSerialisable(path[:3], f"a {type(value).__name__} nested too deeply", cure)
