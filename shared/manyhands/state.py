"""The state as an app sees it: a dict whose missing keys read as None and that knows what was assigned."""

from __future__ import annotations

import copy
from collections.abc import ItemsView, Iterator, KeysView, Mapping, MutableMapping, ValuesView
from typing import Any, ClassVar, Self, cast

from manyhands.attributes import declare, default_of
from manyhands.branches import MISSING
from manyhands.fields import Whole
from manyhands.page_actions import PageActions
from manyhands.reactions import Change
from manyhands.schema import Schema, make_schema
from manyhands.state_nodes import Node, Shared, checked_name


class State(PageActions, MutableMapping[str, Any]):
    """The session's state, or a dict in it.

    Works as a dict does, except that `state["x"]` of a missing key is None. Assignments and deletions are
    mutations, of exactly their path; changing a value in place is none, until it is assigned again. May be used from
    several threads, each operation being one step.
    """

    # No attributes but those that a class derived from this one declares: others fail instead of being lost.
    __slots__ = ()
    #: What such a class declares, once `init_state` was given it.
    _schema: ClassVar[Schema | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        declare(cls, State)

    @classmethod
    def _resolve(cls) -> Schema:
        schema = make_schema(cls, default_of)
        for one in schema.all():
            if one.kind is not State:
                cast("type[State]", one.kind)._schema = one
        return schema

    def __getitem__(self, key: str) -> Any:
        return self.get(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Give a value, or the default where nothing is."""
        name = checked_name(key, self._node)
        if (live := self._node.shared.live) is not None:
            live.freshen(self._node, name)
        with self._node.shared:
            value = self._node.read(name)
            if type(value) is Node:
                # Not by its truth: an empty dict has none.
                return self._handle(name, value) if value.handle is None else value.handle
        if type(value) is Whole:
            return value.content
        return default if value is MISSING else value

    def __setitem__(self, key: str, value: Any) -> None:
        name = checked_name(key, self._node)
        value = self._prepared(name, value)
        with self._changing(name):
            self._node.write(name, value)

    def __delitem__(self, key: str) -> None:
        name = checked_name(key, self._node)
        with self._changing(name):
            self._node.delete(name)

    def __contains__(self, key: object) -> bool:
        name = checked_name(key, self._node)
        self._freshen()
        with self._node.shared:
            return name in self._node.data

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._names())

    def __len__(self) -> int:
        self._freshen()
        with self._node.shared:
            return len(self._node.data)

    def keys(self) -> _Keys:
        """Give a view of the keys."""
        return _Keys(self)

    def values(self) -> _Values:
        """Give a view of the values."""
        return _Values(self)

    def items(self) -> _Items:
        """Give a view of the pairs."""
        return _Items(self)

    def pop(self, key: str, default: Any = MISSING) -> Any:
        """Delete a key and give its value, or the default where nothing is. Raises `KeyError` without a default."""
        name = checked_name(key, self._node)
        with self._changing(name):
            if name in self._node.data:
                value = self.get(name)
                self._node.delete(name)
                return value
        if default is MISSING:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[str, Any]:
        """Delete the last key and give it with its value. Raises `KeyError` when empty."""
        for name in reversed(self._names()):
            if not self._is_computed(name):
                return name, self.pop(name)
        raise KeyError("popitem(): the state is empty")

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Assign the default where nothing is; give what is there."""
        name = checked_name(key, self._node)
        default = self._prepared(name, default)
        if name not in self:
            with self._changing(name):
                if name not in self._node.data:
                    self._node.write(name, default)
        return self.get(name)

    def update(self, other: Any = (), /, **values: Any) -> None:
        """Assign every pair, in one step: no partial update sends only some of them."""
        named = [(checked_name(key, self._node), value) for key, value in dict(other, **values).items()]
        prepared = [(name, self._prepared(name, value)) for name, value in named]
        with self._changing(*(name for name, _ in prepared)):
            for name, value in prepared:
                self._node.write(name, value)

    def clear(self) -> None:
        """Delete every key but those of computed values."""
        names = [name for name in self._names() if not self._is_computed(name)]
        with self._changing(*names):
            for name in names:
                if name in self._node.data:
                    self._node.delete(name)

    def copy(self) -> dict[str, Any]:
        """Give a plain dict; the dicts in it are still those of the state."""
        self._freshen()
        with self._node.shared:
            return {name: self.get(name) for name in self._node.data}

    def to_dict(self) -> dict[str, Any]:
        """Give plain dicts all the way down."""
        self._freshen()
        with self._node.shared:
            return self._node.plain()

    def __or__(self, other: Any) -> dict[str, Any]:
        return {**self.copy(), **other} if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Any) -> dict[str, Any]:
        return {**other, **self.copy()} if isinstance(other, Mapping) else NotImplemented

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self.to_dict() == (other.to_dict() if isinstance(other, State) else other)

    def __repr__(self) -> str:
        # Also after a cancel: a traceback or a debugger that shows it must not be interrupted.
        return f"State({self.__manyhands_plain__()!r})"

    def __copy__(self) -> dict[str, Any]:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return copy.deepcopy(self.to_dict(), memo)

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process gets a plain dict.
        return dict, (self.to_dict(),)

    def _changing(self, *names: str) -> Shared | Change:
        # As a context: an access that assigns or deletes these names.
        shared = self._node.shared
        return shared if shared.live is None else Change(shared.live, self._node, names)

    def _freshen(self) -> None:
        if (live := self._node.shared.live) is not None:
            live.freshen_all()

    def _is_computed(self, name: str) -> bool:
        live = self._node.shared.live
        return live is not None and live.is_computed(self._node, name)

    def _prepared(self, name: str, value: Any) -> Any:
        if self._schema is not None:
            value = self._schema.checked(name, value, lambda: self._node.path)
        return self._node.prepare(name, value)

    def _handle(self, name: str, node: Node) -> Any:
        declared = self._schema.fields.get(name) if self._schema else None
        if declared is not None and declared.is_whole:
            # Stored by a version of the app that had another schema.
            return node.plain()
        kind = cast("type[State]", declared.below.kind) if declared and declared.below else State
        node.handle = kind(node)
        return node.handle

    def _names(self) -> list[str]:
        self._freshen()
        # A copy, so that a refresh from the flusher's thread can't break a loop.
        with self._node.shared:
            return list(self._node.data)


class _Keys(KeysView[str]):
    _mapping: State

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._mapping)


class _Items(ItemsView[str, Any]):
    _mapping: State

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return _present(self._mapping, iter(self._mapping))

    def __reversed__(self) -> Iterator[tuple[str, Any]]:
        return _present(self._mapping, reversed(self._mapping))

    def __contains__(self, item: object) -> bool:
        key, value = cast("tuple[str, object]", item)
        found = self._mapping.get(key, MISSING)
        return found is not MISSING and (found is value or bool(found == value))


class _Values(ValuesView[Any]):
    _mapping: State

    def __iter__(self) -> Iterator[Any]:
        return (value for _key, value in self._mapping.items())

    def __reversed__(self) -> Iterator[Any]:
        return (value for _key, value in reversed(self._mapping.items()))

    def __contains__(self, value: object) -> bool:
        return any(found is value or found == value for found in self)


def _present(state: State, names: Iterator[str]) -> Iterator[tuple[str, Any]]:
    # A refresh may have taken a key away since the loop began.
    for name in names:
        value = state.get(name, MISSING)
        if value is not MISSING:
            yield name, value
