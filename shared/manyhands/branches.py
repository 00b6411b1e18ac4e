"""The dicts of a session's state as its handlers get them: each name is looked up when it is asked for.

A `Branch` is a dict, so that whatever works with dicts works with it: what was looked up, or assigned, lies in it as in
any other, and whoever wants all of it, by iterating or copying, first makes it look everything up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from manyhands.fields import CUT, Stored, Tree, build_tree, is_dict
from manyhands.known_fields import KnownFields, below
from manyhands.paths import decode_names

#: Stands for a key that is not there, where None may be its value.
MISSING: Any = object()
_get = dict.get


@dataclass(frozen=True, slots=True)
class Defaults:
    """An app's defaults: as fields, and as the dicts that these make, which nobody may change."""

    fields: Mapping[bytes, bytes]
    tree: Tree

    @classmethod
    def of(cls, fields: Mapping[bytes, bytes]) -> Self:
        """Make the dicts. Raises `DamagedValue`."""
        return cls(fields, build_tree(fields, {}))


def look_up_below(values: dict[str, Any]) -> None:
    """Look up all that lies in a dict and in the dicts below it: from then on nothing of it comes from the store.

    Raises `DamagedValue`.
    """
    waiting, seen = [values], {id(values)}
    while waiting:
        values = waiting.pop()
        # Dicts of the app's own classes may do anything when they are asked.
        inside = values.values() if type(values) is Branch else dict.values(values)
        found = [one for one in list(inside) if isinstance(one, dict) and id(one) not in seen]
        seen.update(map(id, found))
        waiting += found


class Branch(dict[str, Any]):
    """One dict of a session's state, over the defaults. Its leaves are `Stored` until the state decodes them."""

    __slots__ = ("_decided", "_defaults", "_field", "_known", "_order")

    def __init__(self, known: KnownFields, defaults: Tree, field: bytes = b"", order: tuple[str, ...] = ()) -> None:
        """`defaults`: the dict that shows through here. `order`: the names with which this dict was assigned."""
        super().__init__()
        #: None once all is looked up.
        self._known: KnownFields | None = known
        self._defaults, self._field, self._order = defaults, field, order
        #: Names that are not there, or no longer.
        self._decided: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """Give what lies under a name."""
        value = _get(self, name, MISSING)
        if value is MISSING and self._known is not None:
            value = self._look_up(name, self._known)
        return default if value is MISSING else value

    def _look_up(self, name: str, known: KnownFields) -> Any:
        if name in self._decided:
            return MISSING
        value = self._find(name, known)
        if value is MISSING:
            self._decided.add(name)
        else:
            self[name] = value
        return value

    def _find(self, name: str, known: KnownFields) -> Any:
        field = below(self._field, name)
        if field is None:
            return MISSING
        stored = known.get(field)
        if stored is None:
            default = self._defaults.get(name, MISSING)
            return Branch(known, default, field) if type(default) is dict else default
        if is_dict(stored):
            return Branch(known, {}, field, decode_names(stored[2:]))
        return MISSING if stored == CUT else Stored(stored)

    def _look_up_all(self) -> None:
        known = self._known
        if known is None:
            return
        names = dict.fromkeys((*self._order, *self._defaults, *known.names_below(self._field)))
        # What was looked up or assigned before stands where it would have stood, had all been there from the start.
        before, found = dict(super().items()), dict[str, Any]()
        for name in names:
            if name in before:
                found[name] = before.pop(name)
            elif name not in self._decided:
                value = self._find(name, known)
                if value is not MISSING:
                    found[name] = value
        super().clear()
        self.update(found)
        self.update(before)
        self._known = None

    def __getitem__(self, name: str) -> Any:
        value = self.get(name, MISSING)
        if value is MISSING:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name, MISSING) is not MISSING

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def pop(self, name: str, default: Any = MISSING) -> Any:
        """Remove a name, and give what lay there."""
        value = self.get(name, MISSING)
        if value is not MISSING:
            super().__delitem__(name)
            self._decided.add(name)
        elif default is MISSING:
            raise KeyError(name)
        return default if value is MISSING else value

    def __iter__(self) -> Iterator[str]:
        self._look_up_all()
        return super().__iter__()

    def __reversed__(self) -> Iterator[str]:
        self._look_up_all()
        return super().__reversed__()

    def __len__(self) -> int:
        self._look_up_all()
        return super().__len__()

    def __eq__(self, other: object) -> bool:
        self._look_up_all()
        return super().__eq__(other)

    __hash__ = None

    def keys(self) -> Any:
        """Give the names."""
        self._look_up_all()
        return super().keys()

    def values(self) -> Any:
        """Give what lies under them."""
        self._look_up_all()
        return super().values()

    def items(self) -> Any:
        """Give both."""
        self._look_up_all()
        return super().items()
