"""One session's updates inside this gateway: in order, without a gap, each connection getting every one once.

A feed does no I/O. It says when the log must be read, and the hub reads it.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import Protocol

from manyhands.abilities import Abilities
from manyhands_gateway.delivery import Delivery
from manyhands_gateway.sessions import Greeting

#: Updates kept while the log is being read. More are dropped, which the next look at the log makes good.
MAX_WAITING = 1000


class Follower(Protocol):
    """A connection, or what stands for one in a room."""

    #: What it follows; None before it joins, and after it has left.
    session: str | None

    @property
    def client(self) -> str:
        """The id of its browser's tab."""
        ...

    @property
    def secret(self) -> bool:
        """Whether the page's scripts may not have the session's token."""
        ...

    @property
    def abilities(self) -> Abilities:
        """What it can read."""
        ...

    @property
    def closing(self) -> bool:
        """Whether it is to be sent nothing more."""
        ...

    @property
    def fired(self) -> float:
        """When its last event was handed to the accepter."""
        ...

    def greet(self, greeting: Greeting, /) -> None:
        """Send what it is given when it joins."""
        ...

    def deliver(self, update: Delivery, /) -> None:
        """Send an update unless the browser has had it."""
        ...

    def close(self, code: int, reason: str = "") -> None:
        """Send its browser away."""
        ...


class Feed:
    """The session's connections, and how far they have come.

    Invariant: every member has had all updates up to `seq`, or its welcome counted more than these. A connection
    joins before its welcome is read from the store, so whatever the welcome does not count lies in its buffer, or is
    still to come.
    """

    __slots__ = ("channel", "filling", "joining", "looked_at", "members", "seq", "session", "stirred_at", "waiting")

    def __init__(self, session: str, channel: bytes) -> None:
        self.session, self.channel = session, channel
        #: The last update that was passed on; None until the first member has had its welcome.
        self.seq: int | None = None
        self.members: set[Follower] = set()
        self.joining: dict[Follower, list[Delivery]] = {}
        #: What arrived while `seq` was unknown or the log was being read.
        self.waiting: list[Delivery] = []
        self.filling = False
        #: When its head number was looked at, and when its last update came.
        self.looked_at, self.stirred_at = monotonic(), float("-inf")

    @property
    def connections(self) -> list[Follower]:
        """Members and those who are joining."""
        return [*self.members, *self.joining]

    def is_due(self, since: float) -> bool:
        """Tell whether its head number should be looked at: nobody has since then, or something has happened."""
        fired = any(member.fired > since for member in self.members)
        return fired or self.looked_at <= since or self.stirred_at > since

    def receive(self, update: Delivery) -> bool:
        """Take an update in; True when some before it are missing and the log must be read."""
        self.stirred_at = monotonic()
        if self.seq is None or self.filling:
            self._wait(update)
            return False
        if update.seq <= self.seq:
            return False
        if update.seq > self.seq + 1:
            self._wait(update)
            return True
        self.seq = update.seq
        for member in self.members:
            member.deliver(update)
        for buffer in self.joining.values():
            buffer.append(update)
        return False

    def join(self, connection: Follower) -> None:
        """Buffer updates for a connection whose welcome is about to be read."""
        self.joining[connection] = []

    def welcomed(self, connection: Follower, seq: int) -> bool:
        """Go on with a connection that was sent a welcome up to `seq`; True when the log must be read."""
        buffered = self.joining.pop(connection)
        self.members.add(connection)
        for update in buffered:
            connection.deliver(update)
        if self.seq is None:
            self.seq = seq
            return self.catch_up(())
        return False

    def leave(self, connection: Follower) -> bool:
        """Forget a connection; True when nobody is left."""
        self.members.discard(connection)
        self.joining.pop(connection, None)
        return not self.members and not self.joining

    def catch_up(self, logged: Iterable[Delivery]) -> bool:
        """Pass on what the log had, then what arrived meanwhile; True when that still leaves a gap."""
        waiting, self.waiting = self.waiting, []
        gaps = [self.receive(update) for update in (*logged, *sorted(waiting, key=_seq))]
        return any(gaps)

    def start_over(self) -> None:
        """Make all members join again: what they have seen does not lead to what the store holds."""
        self.seq = None
        self.waiting = []
        self.joining = {connection: [] for connection in self.connections}
        self.members.clear()

    def _wait(self, update: Delivery) -> None:
        if len(self.waiting) < MAX_WAITING:
            self.waiting.append(update)


def _seq(update: Delivery) -> int:
    return update.seq
