"""Values on their way into the state: which keys they may have, and what of them is copied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from manyhands.errors import KeyNotString
from manyhands.paths import Path
from manyhands.wire import MAX_NESTING

if TYPE_CHECKING:
    from manyhands.state_nodes import Node, Shared


class Handle:
    """What an app holds of a dict of the state; `State` is one."""

    __slots__ = ("__weakref__", "_node")

    def __init__(self, node: Node) -> None:
        self._node = node

    def __manyhands_plain__(self) -> dict[str, Any]:
        """Give the content as plain dicts, also after a cancel; the codec calls it."""
        with self._node.shared.lock:
            return self._node.plain()


def check_keys(values: Mapping[Any, Any], path: Path, depth: int = 0) -> bool:
    """Raise `KeyNotString` for a key of nested dicts that is no string.

    Tells whether all of them are dicts, so that they can stand behind a `State` as they are.
    """
    if depth > MAX_NESTING:
        # Encoding refuses it by name.
        return True
    all_dicts = isinstance(values, dict)
    for key, value in values.items():
        if not isinstance(key, str):
            raise KeyNotString(key, path)
        if isinstance(value, Handle):
            all_dicts = False
        elif isinstance(value, Mapping):
            all_dicts = check_keys(value, (*path, key), depth + 1) and all_dicts
    return all_dicts


def copy_structure(values: Mapping[str, Any], into: Shared) -> dict[str, Any]:
    """Copy nested dicts, but not what lies in them: what is encoded stays so."""
    return {name: copied(value, into) for name, value in values.items()}


def copied(value: Any, into: Shared) -> Any:
    """Copy nested dicts and parts of the state into plain dicts; give anything else back as it is.

    `into`: of the state that they are for. What is encoded in another one may refer to what only that one has.
    """
    if isinstance(value, Handle):
        if value._node.shared is not into:
            return value.__manyhands_plain__()
        with value._node.shared.lock:
            return copy_structure(value._node.data, into)
    return copy_structure(value, into) if isinstance(value, Mapping) else value
