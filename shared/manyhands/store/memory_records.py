"""What the store in memory keeps."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from manyhands.store import limits
from manyhands.store.contract import Session
from manyhands.store.memory_large import Shelf
from manyhands.store.numbering import Numbering
from manyhands.store.turns import Committed, Grown, Wanted


@dataclass(slots=True)
class Mail:
    """A letter in a mailbox."""

    client: str
    n: int
    body: bytes
    queue: str = ""
    lost_runs: int = 0


@dataclass(slots=True)
class Record:
    """All that is kept of one session."""

    session: Session
    expires: float
    fields: dict[bytes, bytes] = field(default_factory=dict)
    shelf: Shelf = field(default_factory=Shelf)
    mailbox: deque[Mail] = field(default_factory=deque)
    clients: dict[str, Numbering] = field(default_factory=dict)
    log: deque[bytes] = field(default_factory=deque)
    ended: deque[tuple[str, bytes]] = field(default_factory=lambda: deque(maxlen=limits.OUTCOMES))
    detached: OrderedDict[str, Mail] = field(default_factory=OrderedDict)
    touched: dict[bytes, int] = field(default_factory=dict)
    cancels: set[tuple[str, int]] = field(default_factory=set)
    #: Token to the end of its lease, in ms.
    leases: dict[str, int] = field(default_factory=dict)
    #: `(token, k)` to the first answer, without a turn.
    answers: dict[tuple[str, int], Committed] = field(default_factory=dict)
    seq: int = 0
    version: int = 0
    fence: int = 0
    run: str = ""
    #: Token of the latest run whose handler began.
    began: str = ""
    #: Letters that the worker of the turn has, the running one included.
    taken: int = 0
    rung: int = 0
    rung_queue: str = ""
    #: Queue and channel of the worker that had the last turn.
    near: tuple[str, str] | None = None
    floor: int = 0
    #: Names of the rooms that it has joined, in that order.
    rooms: dict[str, None] = field(default_factory=dict)
    #: Whether one of its browsers wants tables as Arrow.
    arrow: bool = False
    #: Whether one of them does not read what was added to texts, and the latest update that says that.
    plain: bool = False
    added: int = 0
    tokens: float = 0.0
    tokens_at: int = 0

    @property
    def at_work(self) -> bool:
        """Whether it was rung, or some run of it has a lease."""
        return bool(self.rung or self.leases)

    def read(self, wanted: Wanted) -> tuple[dict[bytes, bytes], bool]:
        """Give all fields, or what is wanted where they are many or large; and whether these are all."""
        size = sum(len(field) + len(value) for field, value in self.fields.items())
        if len(self.fields) <= limits.WHOLE_FIELDS and size <= limits.WHOLE_BYTES:
            return dict(self.fields), True
        found = {
            field: value
            for field, value in self.fields.items()
            if field in wanted.fields or any(field != one and field.startswith(one) for one in wanted.subtrees)
        }
        return found, False

    def updates_since(self, seq: int) -> Sequence[bytes] | None:
        """Give the updates after a number; None when they are no longer kept."""
        missed = self.seq - seq
        return list(self.log)[len(self.log) - missed :] if 0 <= missed <= len(self.log) else None

    def may_add(self, grown: Grown) -> bool:
        """Tell whether all browsers have, and read, what is added to."""
        return not self.plain and all(
            hashlib.sha1(self.fields.get(one.field, b"")).hexdigest() == one.base for one in grown.texts
        )

    def note_joined(self, joined: Sequence[tuple[str, bool]]) -> None:
        """Keep which rooms it joins, with True, and leaves."""
        for name, joins in joined:
            if joins:
                self.rooms[name] = None
            else:
                self.rooms.pop(name, None)

    def remember_end(self, client: str, outcome: bytes) -> None:
        """Keep an outcome for `welcome`."""
        if outcome:
            self.ended.append((client, outcome))
