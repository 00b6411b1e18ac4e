"""What a store promises: the acts on a session, each of them atomic, and the values they take and give.

`RedisStore` keeps the promises with one Lua script an act, `MemoryStore` with one lock. Times are the store's own.
Every method raises `Unavailable` when the store does not answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from manyhands.abilities import Abilities
from manyhands.errors import LargeMissing, TurnLost
from manyhands.store.large_contract import LargeValues
from manyhands.store.rooms import RoomStore
from manyhands.store.turns import Begin, Commit, Committed, Elsewhere, Refresh, Turn, Wanted

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
    #: Names of the rooms that the session has joined.
    rooms: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Overdue:
    """A session that is rung again."""

    session: str
    ring: int
    queue: str


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


class Store(LargeValues, Protocol):
    """The acts on sessions."""

    # --- both ---

    @property
    def round_trips(self) -> int:
        """How often this process has waited for the store."""
        ...

    @property
    def rooms(self) -> RoomStore:
        """The acts on rooms."""
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

    def welcome(
        self, session: str, client: str, seq: int | None, abilities: Abilities | None = None
    ) -> Welcome | None:
        """Read what a browser needs; None for an unknown or expired session.

        `abilities`: of the browser that follows the session from now on; None where nobody will. With `arrow`, the
        turns of events that are accepted later say so. Without `add`, these updates and all later ones are in full.
        """
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
        """Write. Raises `TurnLost` when the run was given up, `LargeMissing` where it refers to what is not here."""
        ...

    def commit_all(self, commits: Sequence[Commit]) -> Sequence[Committed | TurnLost | LargeMissing]:
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

    def read(self, session: str, wanted: Wanted) -> tuple[Fields, bool]:
        """Read fields of a session's state, and tell whether these are all. An unknown session has none."""
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
