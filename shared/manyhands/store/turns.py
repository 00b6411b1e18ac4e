"""The values of the acts by which workers take turns and write: what a run begins with, and what it commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manyhands.store.contract import Fields, Session


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a worker wants to be told of a state that is too large to be told whole: encoded paths."""

    fields: tuple[bytes, ...] = ()
    #: All that lies below each of these; `b""` is everything.
    subtrees: tuple[bytes, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.fields or self.subtrees)


#: Made once: it goes with every turn and commit of a small state.
NOTHING = Wanted()


@dataclass(frozen=True, slots=True)
class Begin:
    """A worker's wish for a session's turn."""

    session: str
    #: The new run's own: tokens sort by the time at which they were made.
    token: str
    #: Whether its handler begins at once. If not, `start` says when it does: until then, dying is no attempt.
    starts: bool = True
    #: What the session was created with, if the caller knows.
    about: Session | None = None
    wanted: Wanted = NOTHING


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The answer to a worker that does not serve the queue of a session's next event: the queue is to be rung."""

    session: str
    queue: str
    ring: int


@dataclass(frozen=True, slots=True)
class Ahead:
    """An event that waits behind the one whose turn it is, and whose turn comes next: none comes between."""

    client: str
    n: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Turn:
    """A run that begins: one attempt at one event, under a lease."""

    session: Session
    #: The run's own, given by the worker.
    token: str
    fence: int
    #: 1 for the first. Above the limit, the worker ends the event with `worker_lost` instead of running it.
    attempt: int
    client: str
    n: int
    body: bytes
    #: Counts commits that changed fields.
    version: int
    #: None: what the caller knows at `version` still holds.
    fields: Fields | None
    #: Someone asked to cancel it before it began.
    cancelled: bool = False
    #: What waits behind it, as far as the caller may go on to it without asking: see `Commit.ahead`.
    ahead: Sequence[Ahead] = ()
    queue: str = ""
    #: Whether a browser of the session wants tables as Arrow.
    arrow: bool = False
    #: Whether `fields` is all that the session has; if not, they are what was `wanted`, as far as it is there.
    whole: bool = True
    wanted: Wanted = NOTHING


class Ending(StrEnum):
    """What a commit does besides writing."""

    PARTIAL = "partial"
    #: Strikes the event off the mailbox and keeps it among the detached runs; the session's turn is free.
    DETACH = "detach"
    #: The event has ended.
    FINAL = "final"
    #: The run gives its event back to the mailbox, not counted as an attempt.
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class GrownText:
    """A text of which an update says only what was added to it."""

    field: bytes
    #: The SHA-1, in hex, of the field as it was: this is what was added to.
    base: str
    #: Of the update in full, what names the text, and its view.
    name: bytes
    view: bytes


@dataclass(frozen=True, slots=True)
class Grown:
    """An update in full: for when a text is no longer what the run has added to, or a browser does not read `add`."""

    head: bytes
    #: What comes between `seq` and the texts, and after these.
    before: bytes
    after: bytes
    texts: Sequence[GrownText]

    def in_full(self) -> tuple[bytes, bytes]:
        """Join it, as the parts before and after its `seq`."""
        texts = b"".join(one.name + one.view for one in self.texts)
        return self.head, self.before + texts + self.after


@dataclass(frozen=True, slots=True)
class Commit:
    """One atomic write of a run."""

    session: str
    token: str
    #: 1, 2, 3 … per run. A repeated one gets the first answer again and writes nothing.
    k: int
    ending: Ending
    #: See `manyhands.fields.Op`.
    ops: Sequence[tuple[str, bytes, bytes]] = ()
    #: The encoded update around the place where the store writes `seq`; None: nothing is sent.
    update: tuple[bytes, bytes] | None = None
    #: Set where the update says of texts only what was added; the store sends it in full where it has to.
    grown: Grown | None = None
    #: Of a final commit: the encoded outcome that `welcome` gives, or `b""` when it is too large to keep.
    client: str = ""
    n: int = 0
    outcome: bytes = b""
    #: The token under which the session's next event is to begin at once; None: it is rung instead.
    next_token: str | None = None
    #: How many letters of `Turn.ahead` the caller has beyond this run's. Over 0, the first of them begins under
    #: `next_token`, and the answer is `Committed.following`.
    ahead: int = 0
    #: The version that the caller's fields have once this commit is in, if nobody else has written.
    version: int = 0
    #: What the session was created with; the next turn is given the same.
    about: Session | None = None
    #: The channel on which this worker hears of the session's next event before Celery does, if it has the same queue.
    near: str = ""
    queue: str = ""
    #: Names of rooms that the session joins, with True, and leaves.
    joined: Sequence[tuple[str, bool]] = ()
    #: Of the state as the next run finds it, if others have changed it.
    wanted: Wanted = NOTHING


@dataclass(frozen=True, slots=True)
class Following:
    """What the store says of a run that began under `next_token`, with a letter that its worker had."""

    fence: int
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Committed:
    """The answer to a commit that was let through."""

    #: Of the update that was sent, or 0.
    seq: int
    version: int
    #: The next event, begun under `next_token`.
    turn: Turn | None = None
    #: Set when mail waits and the session must be rung: the time of the ring.
    ring: int | None = None
    #: The queue to ring.
    queue: str = ""
    #: Of the next event, where the caller had its letter.
    following: Following | None = None


@dataclass(frozen=True, slots=True)
class Refresh:
    """What other runs have changed since a version."""

    version: int
    #: Encoded paths whose subtrees changed, each with the version that changed it last; None: more than is remembered.
    touched: Mapping[bytes, int] | None
    #: All fields, or those in these subtrees and those above them, or, where `touched` is None, nothing.
    fields: Fields
    #: The (client, n) of events of the session that someone wants to cancel.
    cancelled: frozenset[tuple[str, int]]
    #: Whether `fields` is all that the session has.
    whole: bool = True
