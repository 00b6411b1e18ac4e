"""What a worker knows of a session's fields: all of them, where the state is small, or those that it has asked for.

Reading goes on to the store by itself. So an event fetches what its handler looks at, whatever else the session holds,
and what handlers look at again and again comes along when the next turn is taken: see `Habits`.
"""

from __future__ import annotations

import threading
from bisect import bisect_right, insort
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
#: Bytes that are asked for beforehand as subtrees, at most, each field counted as so many more than its value has. What
#: is larger is fetched when it is read.
HABITUAL_BYTES, EACH_FIELD = 128 * 1024, 256
#: Turns of large states after which what nobody has read no longer comes along.
UNREAD_FOR = 256
#: Names that are put in their places one by one; more are sorted anew.
FEW_NAMES = 64
_UNKNOWN = object()


class Habits:
    """What the handlers of a process have read of large states lately. Any thread may use it."""

    def __init__(self) -> None:
        # Guards everything below; held for one operation.
        self._lock = threading.Lock()
        #: Fields, and subtrees as True, the one that was read last at the end; and at which turn that was.
        self._read: OrderedDict[tuple[bytes, bool], int] = OrderedDict()
        #: Subtrees that were large in some session.
        self._large: OrderedDict[bytes, None] = OrderedDict()
        self._turns = 0
        self._wanted = Wanted()

    def note(self, field: bytes, *, subtree: bool = False) -> None:
        """Note that a field was read, or all that lies below it."""
        one = field, subtree
        with self._lock:
            if subtree and field in self._large:
                return
            is_new = one not in self._read
            self._read[one] = self._turns
            self._read.move_to_end(one)
            if len(self._read) > HABITS:
                self._read.popitem(last=False)
            if is_new:
                self._remake()

    def note_sizes(self, subtrees: Iterable[bytes], fields: Mapping[bytes, bytes]) -> None:
        """Note what came along of some subtrees: where it is too much, the largest is not asked for again."""
        if weigh(fields) <= HABITUAL_BYTES:
            return
        weights = {one: weigh({field: fields[field] for field in fields if field.startswith(one)}) for one in subtrees}
        if sum(weights.values()) > HABITUAL_BYTES:
            self.forget_subtree(max(weights, key=weights.__getitem__))

    def forget_subtree(self, field: bytes) -> None:
        """Note that a subtree is too large to be fetched before somebody reads it."""
        with self._lock:
            self._large[field] = None
            self._large.move_to_end(field)
            if len(self._large) > HABITS:
                self._large.popitem(last=False)
            if self._read.pop((field, True), None) is not None:
                self._remake()

    def begin_turn(self) -> Wanted:
        """Give what to ask for with a turn, without what nobody has read for many of them."""
        with self._lock:
            self._turns += 1
            count = len(self._read)
            while self._read and next(iter(self._read.values())) < self._turns - UNREAD_FOR:
                self._read.popitem(last=False)
            if len(self._read) < count:
                self._remake()
            return self._wanted

    @property
    def wanted(self) -> Wanted:
        """What to ask for with the next turn."""
        return self._wanted

    def _remake(self) -> None:
        fields = tuple(field for field, subtree in self._read if not subtree)
        self._wanted = Wanted(fields, tuple(field for field, subtree in self._read if subtree))


def weigh(fields: Mapping[bytes, bytes]) -> int:
    """Tell how much it costs to be told of fields."""
    return EACH_FIELD * len(fields) + sum(map(len, fields.values()))


def _nothing(_wanted: Wanted) -> tuple[Mapping[bytes, bytes], bool]:
    return {}, True


class KnownFields:
    """The fields of one session as one event sees them. Not safe for threads: the lock of a run's state guards it."""

    __slots__ = ("_fetch", "_fields", "_habits", "_names", "_noted", "_subtrees", "whole")

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
        #: What `Habits` was told of.
        self._noted: set[tuple[bytes, bool]] = set()
        self.replace(fields, whole=whole, wanted=wanted or Wanted())
        if not whole and wanted and wanted.subtrees:
            self._habits.note_sizes(wanted.subtrees, fields)

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

    def after(self, ops: Sequence[tuple[str, bytes, bytes]]) -> KnownFields:
        """Give what the session's next event knows, once this is written.

        A copy: what an event leaves behind, such as a thread that goes on reading its state, must not change what later
        ones see.
        """
        made = KnownFields({}, whole=self.whole, fetch=self._fetch, habits=self._habits)
        made._fields, made._subtrees = dict(self._fields), set(self._subtrees)
        made.apply(ops)
        return made

    def get(self, field: bytes) -> bytes | None:
        """Give a field's value; None where it is not there."""
        found = self._fields.get(field, _UNKNOWN)
        if self.whole:
            return None if found is _UNKNOWN else found  # type: ignore[return-value]
        covering = self._covering(field)
        if covering is not None:
            self._note(covering, subtree=True)
            return None if found is _UNKNOWN else found  # type: ignore[return-value]
        self._note(field)
        if found is not _UNKNOWN:
            return found  # type: ignore[return-value]
        wanted = Wanted((field,))
        fields, whole = self._fetch(wanted)
        self._learn(fields, whole=whole, wanted=wanted)
        return self._fields.get(field)

    def peek(self, field: bytes) -> bytes | None:
        """Give a field's value if it is at hand. Any thread may ask, and it never waits."""
        return self._fields.get(field)

    def names_below(self, field: bytes) -> Sequence[str]:
        """Give the names of the fields directly below one, in the order of their bytes; `b""` is the root."""
        if not self.whole and field not in self._subtrees and self._covering(field) is None:
            wanted = Wanted((), (field,))
            fields, whole = self._fetch(wanted)
            self._learn(fields, whole=whole, wanted=wanted)
            if weigh(fields) > HABITUAL_BYTES:
                self._habits.forget_subtree(field)
        if not self.whole and field in self._subtrees:
            self._note(field, subtree=True)
        if self._names is None:
            self._names = {}
            names = self._names
            for one in sorted([one for one, value in self._fields.items() if value is not None]):
                name = decode_path(one)[-1]
                names.setdefault(one[: -len(segment(name))], []).append(name)
        return self._names.get(field, ())

    def apply(self, ops: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Follow what was written to the session."""
        self._names = None
        if self.whole:
            field_ops.apply(self._fields, ops)  # type: ignore[arg-type]
            return
        heads = [field for kind, field, _ in ops if kind != Op.BELOW]
        # Nothing lies below a leaf.
        dicts = [one for one in heads if (there := self._fields.get(one)) is None or field_ops.is_dict(there)]
        # Whether a level above became a dict by this, only the store knows.
        self._forget(heads, dicts)
        written = set(heads)
        if len(written) < len(heads) or any(above in written for one in heads for above in field_ops.ancestors(one)):
            # Which of several writes to one place is left, the store knows.
            return
        for tagged, field, value in ops:
            kind = tagged[:1]
            if kind not in (Op.DELETE, Op.CUT):
                self._fields[field] = value
            if kind == Op.DICT:
                self._subtrees.add(field)

    def update(self, fields: Mapping[bytes, bytes], paths: Iterable[bytes], *, whole: bool) -> None:
        """Take in what others have changed: below and above these paths, or, if it is `whole`, everything."""
        if whole:
            self.replace(fields, whole=True)
            return
        changed = list(paths)
        self._forget(changed, changed)
        above = [one for path in changed for one in field_ops.ancestors(path)]
        self._learn(fields, whole=False, wanted=Wanted((*changed, *above), tuple(changed)))

    def ask_again(self) -> None:
        """Ask anew for all that was known, at once: anything may have changed."""
        subtrees = (b"",) if b"" in self._subtrees else tuple(filter(self._is_apart, self._subtrees))
        wanted = Wanted(tuple(filter(self._is_apart, self._fields)), subtrees)
        fields, whole = self._fetch(wanted) if wanted else ({}, False)
        self.replace(fields, whole=whole, wanted=wanted)

    def _learn(self, fields: Mapping[bytes, bytes], *, whole: bool, wanted: Wanted) -> None:
        if whole:
            # Of what this worker has written meanwhile, the store knows: it is asked only once that is written.
            self._names, self._fields = None, dict(fields)
            self.whole = True
            return
        learned: dict[bytes, bytes | None] = {**dict.fromkeys(wanted.fields), **fields}
        self._learn_names(learned)
        self._fields.update(learned)
        self._subtrees.update(wanted.subtrees)

    def _learn_names(self, learned: Mapping[bytes, bytes | None]) -> None:
        if self._names is None:
            return
        new = [one for one, value in learned.items() if (value is None) != (self._fields.get(one) is None)]
        if len(new) > FEW_NAMES or any(learned[one] is None for one in new):
            self._names = None
            return
        for one, name in [(one, decode_path(one)[-1]) for one in new]:
            insort(self._names.setdefault(one[: -len(segment(name))], []), name, key=segment)

    def _note(self, field: bytes, *, subtree: bool = False) -> None:
        if (field, subtree) not in self._noted:
            self._noted.add((field, subtree))
            self._habits.note(field, subtree=subtree)

    def _covering(self, field: bytes) -> bytes | None:
        """Find a subtree that is known in which a field lies."""
        subtrees = self._subtrees
        if not subtrees:
            return None
        if b"" in subtrees:
            return b""
        return next((one for one in field_ops.ancestors(field) if one in subtrees), None)

    def _is_apart(self, field: bytes) -> bool:
        return self._covering(field) is None

    def _forget(self, changed: Sequence[bytes], dicts: Iterable[bytes]) -> None:
        """Forget what may have changed with some fields. `dicts`: those that may have something below."""
        if not changed:
            return
        around = {*changed, *(above for one in changed for above in field_ops.ancestors(one))}
        for one in around:
            self._fields.pop(one, None)
        ordered: list[bytes] | None = None
        for one in dicts:
            ordered = sorted(self._fields) if ordered is None else ordered
            at = bisect_right(ordered, one)
            while at < len(ordered) and ordered[at].startswith(one):
                self._fields.pop(ordered[at], None)
                at += 1
        gone = set(changed)
        self._subtrees = {
            one for one in self._subtrees
            if one and one not in around and not any(above in gone for above in field_ops.ancestors(one))
        }  # fmt: skip


def below(field: bytes, name: str) -> bytes | None:
    """Give the field of a name below one; None for a name that can't be stored, and so is nowhere."""
    try:
        return field + segment(name)
    except UnicodeEncodeError:
        return None
