"""What must hold once the load has ended and everything is quiet, whatever happened before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import msgpack
import redis

from chaos.browser import LONG, Browser, Sent
from chaos.driver import Load, SessionLoad
from chaos.fleet import Fleet
from manyhands import fields
from manyhands.keys import Keys
from manyhands.store.contract import Fields
from manyhands.store.redis_store import RedisStore
from support.browser import Tab

#: Seconds in which a browser must have all updates: the gateways look for lost ones every 5 s.
CATCH_UP = 15.0


@dataclass(slots=True)
class Findings:
    """Violations, in words, and figures. `+=` joins those of several rounds."""

    violations: list[str] = field(default_factory=list)
    accepted: int = 0
    sent_again: int = 0
    lost: int = 0
    repeated: int = 0
    out_of_order: int = 0

    def __iadd__(self, other: Findings) -> Findings:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


class Checker:
    """Checks one round. One thread; the load's threads have ended."""

    def __init__(self, fleet: Fleet, load: Load) -> None:
        self.fleet, self.load = fleet, load
        self.keys = Keys(fleet.settings.namespace)
        self.found = Findings()
        self._store = RedisStore(fleet.settings)
        self._redis: redis.Redis = fleet.redis.client()

    def check(self) -> Findings:
        """Check everything."""
        with closing(self._redis), closing(self._store):
            self._check_fleet()
            self._check_lives()
            for session in self.load.sessions:
                if session.failure:
                    self._complain(session.failure)
                    continue
                self._check_tabs(session)
                self._check_events(session)
                self._check_ends(session)
                self._check_states(session)
        return self.found

    def _complain(self, text: str) -> None:
        self.found.violations.append(text)

    def _check_fleet(self) -> None:
        self.found.violations += self.fleet.broken
        self.fleet.broken.clear()

    def _check_lives(self) -> None:
        queue = f"{self.keys.namespace}.turns"
        for key in self._redis.scan_iter(count=1000):
            name = key.decode()
            if name.startswith(("_kombu.", queue)):
                continue
            if not name.startswith(f"{self.keys.namespace}:"):
                self._complain(f"a key outside the namespace: {name}")
            elif self._redis.pttl(key) == -1:
                self._complain(f"a key that never expires: {name}")

    def _check_tabs(self, session: SessionLoad) -> None:
        for tab in session.tabs:
            self.found.accepted += len(tab.accepted)
            self.found.sent_again += sum(one.times - 1 for one in tab.sent.values())
            for text in tab.broken:
                self._complain(text)
            if not tab.is_quiet:
                unaccepted = [one.n for one in tab.unaccepted]
                self._complain(
                    f"{tab.client}, session {session.id}: joined {tab.joined}, never accepted {unaccepted}, "
                    f"accepted and never ended {tab.pending}"
                )
            for n, end in tab.ended.items():
                if not end["ok"]:
                    self._complain(f"{tab.client} {n} ({tab.sent[n].handler}) failed: {end['error']}")

    # --- each event once, in order ---

    def _check_events(self, session: SessionLoad) -> None:
        state = self._state_in_redis(session)
        sent = {f"{tab.client}/{one.n}": one for tab in session.tabs for one in tab.sent.values()}
        if state.get("violations"):
            self._complain(f"session {session.id}: {state['violations']} handlers found what earlier ones had not left")
        short = {name for name, one in sent.items() if one.handler not in LONG}
        self._check_once(session, short & _accepted(session), Counter(state["events"]))
        for name in _accepted(session) - short - set(state["finished"]):
            self._lose(session, name, "a long event that never finished")
        for text in out_of_order(sent, state["events"]):
            self.found.out_of_order += 1
            self._complain(f"session {session.id}: {text}")

    def _check_once(self, session: SessionLoad, wanted: Iterable[str], seen: Counter[str]) -> None:
        for name in wanted:
            if not seen[name]:
                self._lose(session, name, "accepted, but not in the state")
        for name, times in seen.items():
            if times > 1:
                self.found.repeated += times - 1
                self._complain(f"session {session.id}: {name} was applied {times} times")
            if name not in _accepted(session):
                self._complain(f"session {session.id}: {name} was applied, but its browser was never told `accepted`")

    def _lose(self, session: SessionLoad, name: str, text: str) -> None:
        self.found.lost += 1
        self._complain(f"session {session.id}: {name}: {text}")

    def _check_ends(self, session: SessionLoad) -> None:
        """Each accepted event has one update that is done; what Redis still has is joined with what tabs saw."""
        updates: dict[int, tuple[str, int, bool]] = {}
        logged = self._redis.lrange(self.keys.log(session.id), 0, -1)
        for update in [*map(msgpack.unpackb, logged), *(one for tab in session.tabs for one in tab.updates)]:
            told = (update["event"]["client"], update["event"]["n"], bool(update["done"]))
            if updates.setdefault(update["seq"], told) != told:
                self._complain(f"session {session.id}: update {update['seq']} is {told} and {updates[update['seq']]}")
        ends = Counter(f"{client}/{n}" for client, n, done in updates.values() if done)
        for name, times in ends.items():
            if times > 1:
                self._complain(f"session {session.id}: {name} ended {times} times")
        if len(updates) == self._head(session):
            for name in _accepted(session) - set(ends):
                self._complain(f"session {session.id}: {name} was accepted and has no update that says `done`")

    # --- every copy of the state is the same ---

    def _check_states(self, session: SessionLoad) -> None:
        truth = self._state_in_redis(session)
        for tab in session.tabs:
            self._catch_up(session, tab)
            if tab.state != truth:
                self._complain(f"{tab.client}, session {session.id}: its state is not that of Redis at seq {tab.seq}")
        for url in self.fleet.urls:
            with Tab(url, token=session.tabs[0].token) as fresh:
                if fresh.state != truth:
                    self._complain(f"session {session.id}: the snapshot of {url} is not the state in Redis")

    def _catch_up(self, session: SessionLoad, tab: Browser) -> None:
        head = self._head(session)
        if tab.raw_socket is None:
            return
        try:
            tab.wait_for(lambda: (tab.seq or 0) >= head, CATCH_UP, f"update {head} of session {session.id}")
        except AssertionError as error:
            self._complain(str(error))

    def _head(self, session: SessionLoad) -> int:
        return int(self._redis.hget(self.keys.meta(session.id), "seq") or 0)

    def _state_in_redis(self, session: SessionLoad) -> dict[str, Any]:
        content_hash = (self._redis.hget(self.keys.meta(session.id), "defaults") or b"").decode()
        defaults: Fields = self._store.defaults(content_hash) or {}
        tree = fields.build_tree(defaults, self._redis.hgetall(self.keys.state(session.id)))
        state: dict[str, Any] = msgpack.unpackb(fields.encode_public(tree))
        return state


def _accepted(session: SessionLoad) -> set[str]:
    return {f"{tab.client}/{n}" for tab in session.tabs for n in tab.accepted}


def out_of_order(sent: dict[str, Sent], events: Iterable[str]) -> Iterator[str]:
    """Find events that were applied before others which are known to have been accepted earlier.

    Known: those of one connection that were accepted as they were first sent, in the order of their numbers; and
    whatever was accepted before another was first sent, by whichever tab of the session.
    """
    latest: Sent | None = None
    on_connection: dict[tuple[str, int], Sent] = {}
    for name in events:
        one = sent.get(name)
        if one is None:
            continue
        if latest is not None and one.accepted_at is not None and one.accepted_at < latest.at:
            yield f"{name} was applied after {latest.payload[:2]}, which was sent only after it had been accepted"
        if latest is None or one.at > latest.at:
            latest = one
        if one.plainly:
            key = (one.payload[0], one.connection)
            before = on_connection.get(key)
            if before is not None and before.n > one.n:
                yield f"{name} was applied after {before.payload[:2]} of the same connection"
            on_connection[key] = one
