"""What a worker knows of a session's fields: all of them, where the state is small, or those that it has asked for.

Reading goes on to the store by itself. So an event fetches what its handler looks at, whatever else the session holds,
and what handlers look at again and again comes along when the next turn is taken: see `Habits`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from manyhands import fields as field_ops
from manyhands.fields import Op
from manyhands.paths import decode_path, segment
from manyhands.store.turns import Wanted

#: Asks the store for fields: gives them as far as they are there, and whether these are all that the session has.
Fetch = Callable[[Wanted], tuple[Mapping[bytes, bytes], bool]]

#: Fields and subtrees that come along with each turn of a large state, at most. Looking one up that is not there costs
#: Redis less than a microsecond.
HABITS = 64
#: Fields of a subtree that is asked for beforehand, at most: one that grew larger is fetched when it is read.
HABITUAL_SUBTREE = 256
_UNKNOWN = object()


class Habits:
    """What the handlers of a process have read of large states lately. Any thread may use it."""

    def __init__(self) -> None:
        # Guards the dictionary; held for one operation.
        self._lock = threading.Lock()
        #: Fields, and subtrees as True, the one that was read last at the end.
        self._read: OrderedDict[tuple[bytes, bool], None] = OrderedDict()
        self._wanted = Wanted()

    def note(self, field: bytes, *, subtree: bool = False) -> None:
        """Note that a field was read, or all that lies below it."""
        with self._lock:
            is_new = (field, subtree) not in self._read
            self._read[field, subtree] = None
            self._read.move_to_end((field, subtree))
            if len(self._read) > HABITS:
                self._read.popitem(last=False)
            if is_new:
                self._remake()

    def forget_subtree(self, field: bytes) -> None:
        """Note that a subtree is too large to be fetched before somebody reads it."""
        with self._lock:
            if self._read.pop((field, True), _UNKNOWN) is None:
                self._remake()

    @property
    def wanted(self) -> Wanted:
        """What to ask for with the next turn."""
        return self._wanted

    def _remake(self) -> None:
        fields = tuple(field for field, subtree in self._read if not subtree)
        self._wanted = Wanted(fields, tuple(field for field, subtree in self._read if subtree))


def _nothing(_wanted: Wanted) -> tuple[Mapping[bytes, bytes], bool]:
    return {}, True


class KnownFields:
    """The fields of one session as one worker sees them. Not safe for threads: the lock of a run's state guards it."""

    __slots__ = ("_fetch", "_fields", "_habits", "_names", "_subtrees", "whole")

    def __init__(
        self,
        fields: Mapping[bytes, bytes],
        *,
        whole: bool = True,
        wanted: Wanted | None = None,
        fetch: Fetch = _nothing,
        habits: Habits | None = None,
    ) -> None:
        """Take fields. Those that were `wanted` and are not among them are not there."""
        self._fetch, self._habits = fetch, habits or Habits()
        self.replace(fields, whole=whole, wanted=wanted or Wanted())

    def replace(self, fields: Mapping[bytes, bytes], *, whole: bool, wanted: Wanted | None = None) -> None:
        """Know nothing but these fields from now on."""
        #: None stands for a field that is not there.
        self._fields: dict[bytes, bytes | None] = {}
        #: Of these, all that lies below is known.
        self._subtrees: set[bytes] = set()
        #: Whether all fields are known.
        self.whole = whole
        #: The names directly below each field that has any, made when first asked for.
        self._names: dict[bytes, list[str]] | None = None
        self._learn(fields, whole=whole, wanted=wanted or Wanted())

    def get(self, field: bytes) -> bytes | None:
        """Give a field's value; None where it is not there."""
        found = self._fields.get(field, _UNKNOWN)
        if found is not _UNKNOWN:
            if not self.whole:
                self._habits.note(field)
            return found  # type: ignore[return-value]
        if self.whole or self._is_covered(field):
            return None
        self._habits.note(field)
        wanted = Wanted((field,))
        fields, whole = self._fetch(wanted)
        self._learn(fields, whole=whole, wanted=wanted)
        return self._fields.get(field)

    def names_below(self, field: bytes) -> Sequence[str]:
        """Give the names of the fields directly below one, in the order of their bytes; `b""` is the root."""
        if not self.whole and field not in self._subtrees and not self._is_covered(field):
            wanted = Wanted((), (field,))
            fields, whole = self._fetch(wanted)
            self._learn(fields, whole=whole, wanted=wanted)
            if len(fields) > HABITUAL_SUBTREE:
                self._habits.forget_subtree(field)
            else:
                self._habits.note(field, subtree=True)
        if self._names is None:
            self._names = {}
            names = self._names
            for one in sorted([one for one, value in self._fields.items() if value is not None]):
                name = decode_path(one)[-1]
                names.setdefault(one[: -len(segment(name))], []).append(name)
        return self._names.get(field, ())

    def apply(self, ops: Iterable[tuple[str, bytes, bytes]]) -> None:
        """Follow what was written to the session."""
        self._names = None
        if self.whole:
            field_ops.apply(self._fields, ops)  # type: ignore[arg-type]
            return
        for tagged, field, value in ops:
            kind = tagged[:1]
            # Whether a level above became a dict by this, only the store knows.
            self._forget_around(field, below=kind != Op.BELOW)
            if kind not in (Op.DELETE, Op.CUT):
                self._fields[field] = value

    def update(self, fields: Mapping[bytes, bytes], paths: Iterable[bytes], *, whole: bool) -> None:
        """Take in what others have changed: below and above these paths, or, if it is `whole`, everything."""
        if whole:
            self.replace(fields, whole=True)
            return
        changed = list(paths)
        for path in changed:
            self._forget_around(path, below=True)
        above = [one for path in changed for one in field_ops.ancestors(path)]
        self._learn(fields, whole=False, wanted=Wanted((*changed, *above), tuple(changed)))

    def _learn(self, fields: Mapping[bytes, bytes], *, whole: bool, wanted: Wanted) -> None:
        self._names = None
        if whole:
            # Of what this worker has written meanwhile, the store knows: it is asked only once that is written.
            self._fields.clear()
            self._fields.update(fields)
            self.whole = True
            return
        self._fields.update(dict.fromkeys(wanted.fields))
        self._fields.update(fields)
        self._subtrees.update(wanted.subtrees)

    def _is_covered(self, field: bytes) -> bool:
        subtrees = self._subtrees
        if not subtrees:
            return False
        return b"" in subtrees or any(one in subtrees for one in field_ops.ancestors(field))

    def _forget_around(self, field: bytes, *, below: bool) -> None:
        around = {field, *field_ops.ancestors(field)}
        for one in around:
            self._fields.pop(one, None)
        if below:
            for one in [one for one in self._fields if one.startswith(field)]:
                del self._fields[one]
        self._subtrees = {one for one in self._subtrees if one and one not in around and not one.startswith(field)}


def below(field: bytes, name: str) -> bytes | None:
    """Give the field of a name below one; None for a name that can't be stored, and so is nowhere."""
    try:
        return field + segment(name)
    except UnicodeEncodeError:
        return None
