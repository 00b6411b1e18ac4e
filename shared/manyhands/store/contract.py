"""What a store promises: the acts on a session, each of them atomic, and the values they take and give.

`RedisStore` keeps the promises with one Lua script an act, `MemoryStore` with one lock. Times are the store's own.
Every method raises `Unavailable` when the store does not answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from manyhands.errors import TurnLost

#: Fields of a session's state: encoded path to stored value. See `manyhands.fields`.
Fields = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Session:
    """What a session was created with, and never changes."""

    id: str
    #: Content hash of the defaults it began with; `b""` where the app has none.
    defaults: str
    #: The app's version when it began.
    version: str
    #: Of the handshake that began it, without `Cookie`.
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Letter:
    """An event on its way into a mailbox."""

    session: str
    client: str
    #: None: the store counts, one more than the client's highest.
    n: int | None
    #: What the worker gets, encoded by `manyhands.letters.encode_body`.
    body: bytes
    #: Whose workers run it; `""`: the common queue's.
    queue: str = ""


class Verdict(StrEnum):
    """How `accept` answers."""

    ACCEPTED = "accepted"
    UNKNOWN_SESSION = "unknown_session"
    MAILBOX_FULL = "mailbox_full"
    RATE_LIMITED = "rate_limited"
    #: The number lies below what the store remembers of this client.
    TOO_OLD = "too_old"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to one letter."""

    verdict: Verdict
    n: int | None = None
    #: The same number had been accepted before; it runs once.
    duplicate: bool = False
    #: Set when the session must be rung: the time of the ring, in the store's ms.
    ring: int | None = None
    #: The queue to ring.
    queue: str = ""
    #: Seconds.
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a browser needs to join, read at one moment."""

    session: Session
    seq: int
    highest_n: int
    pending: Sequence[int]
    #: Encoded outcomes of this client's recent ends, oldest first.
    ended: Sequence[bytes]
    #: The updates since the browser's `seq`, oldest first; None: they are no longer kept, see `fields`.
    updates: Sequence[bytes] | None
    #: All fields of the session; None where `updates` is not.
    fields: Fields | None


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
class Overdue:
    """A session that is rung again."""

    session: str
    ring: int
    queue: str


@dataclass(frozen=True, slots=True)
class Refresh:
    """What other runs have changed since a version."""

    version: int
    #: Encoded paths whose subtrees changed, each with the version that changed it last; None: more than is
    #: remembered, so `fields` is everything.
    touched: Mapping[bytes, int] | None
    #: The fields in these subtrees, and those above them.
    fields: Fields
    #: The (client, n) of events of the session that someone wants to cancel.
    cancelled: frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a worker that has imported the app says of it."""

    version: str
    #: Name to description: `{"parameters": [...], "doc": str, ...}`.
    handlers: Mapping[str, Mapping[str, object]]
    #: Content hash of the encoded defaults.
    defaults: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for workers, over all sessions; where very many are at work, an estimate."""

    #: Accepted events that have not ended and were not detached; one that has its turn is among them.
    events: int
    #: Milliseconds for which the oldest doorbell has waited for a worker; 0 where none waits.
    oldest: int
    #: When it was counted, in the store's ms.
    at: int


class Stream(Protocol):
    """Commits that are sent at once and answered later, for one thread at a time."""

    def commit(self, commit: Commit) -> None:
        """Send a commit with the next `flush`."""
        ...

    def start(self, session: str, token: str) -> None:
        """Note with the next `flush` that the handler of a run begins which was begun without `starts`."""
        ...

    def flush(self) -> bool:
        """Send what was packed, without waiting; False when it can't be sent: then `settle`."""
        ...

    def settle(self) -> list[tuple[Commit, Committed | TurnLost | None]]:
        """Wait for all answers. None where it is unknown whether the commit was written: send it once more."""
        ...

    def close(self) -> None:
        """Give the connection up, whatever is still to be answered."""
        ...


class Store(Protocol):
    """The acts on sessions."""

    # --- both ---

    @property
    def round_trips(self) -> int:
        """How often this process has waited for the store."""
        ...

    def ping(self) -> None:
        """Raise `Unavailable` unless the store answers."""
        ...

    # --- gateway ---

    def create(self, session: Session) -> None:
        """Create a session. Repeating it changes nothing."""
        ...

    def delete(self, session: str) -> None:
        """End a session with all that it holds. What runs in it is given up; an unknown one is no error."""
        ...

    def accept(self, letters: Sequence[Letter]) -> Sequence[Receipt]:
        """Append each letter to its session's mailbox, durably and in order, in one round trip."""
        ...

    def welcome(self, session: str, client: str, seq: int | None) -> Welcome | None:
        """Read what a browser needs; None for an unknown or expired session."""
        ...

    def updates_since(self, session: str, seq: int) -> Sequence[bytes] | None:
        """Read the updates after `seq`; None when they are no longer kept."""
        ...

    def keep(self, sessions: Sequence[str]) -> Sequence[int | None]:
        """Renew the sessions' lives; give each one's `seq`, None for those that are gone."""
        ...

    def cancel(self, session: str, client: str, n: int, update: tuple[bytes, bytes], outcome: bytes) -> bool:
        """End a waiting event with this update, or mark a running one; False for an unknown `n`."""
        ...

    def waiting(self, *, fresh: bool = False) -> Waiting:
        """Count what waits, about once a second for all who ask; a `fresh` count is no older than a tenth of one."""
        ...

    def announcement(self) -> Announcement | None:
        """Read the newest announcement."""
        ...

    def announcements(self) -> Sequence[Announcement]:
        """Read the announcement of every version that has workers, and of the newest; the newest first."""
        ...

    def handlers(self) -> frozenset[str]:
        """Read the names of the handlers of every version that is announced."""
        ...

    def defaults(self, content_hash: str) -> Fields | None:
        """Read the fields of an app's defaults, and renew their life; None when they are gone."""
        ...

    # --- worker ---

    def announce(self, announcement: Announcement, defaults: Fields, *, started: bool = False) -> None:
        """Announce the app and store its defaults; repeated while the worker lives.

        `started`: the worker has just started, which makes its version the newest.
        """
        ...

    def begin(self, session: str, token: str) -> Turn | None:
        """Take the session's turn for its next event; None when nothing waits or another holds the turn."""
        ...

    def begin_all(self, begins: Sequence[Begin], queues: Sequence[str] = ()) -> Sequence[Turn | Elsewhere | None]:
        """Take several sessions' turns in one round trip. `queues`: those that the caller serves; none: any."""
        ...

    def commit(self, commit: Commit) -> Committed:
        """Write. Raises `TurnLost` when the run has been given up."""
        ...

    def commit_all(self, commits: Sequence[Commit]) -> Sequence[Committed | TurnLost]:
        """Write several commits of different runs, in one round trip."""
        ...

    def stream(self) -> Stream:
        """Make a stream of commits."""
        ...

    def renew(self, runs: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Renew the leases of `(session, token)` runs; False for those that have been given up."""
        ...

    def refresh_all(self, known: Sequence[tuple[str, int]]) -> Sequence[Refresh | None]:
        """Read what changed in sessions since `(session, version)`; None where nothing did or is to be cancelled."""
        ...

    def ring_overdue(self, served_before: Mapping[str, int | None], idle: bool) -> Sequence[Overdue]:
        """Find sessions whose lease ran out or whose doorbell got lost, and mark them rung.

        A doorbell is lost when it was rung before what `served_before` says of its queue, or, with `idle` workers, over
        a second ago. Those of other queues are left to others.
        """
        ...

    def others_listen(self, channel: str, pattern: str) -> bool:
        """Tell whether a worker process listens on another channel than this one, of those that a pattern fits."""
        ...

    def watch(self, queues: Sequence[str] = (), *, idle: bool = False) -> bool:
        """Tell whether the caller looks for overdue runs this second, of all who are as `idle` with its queues."""
        ...
