"""Both stores against a simple model, under random sequences of acts and crashes."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from manyhands import codec, fields
from manyhands.errors import TurnLost
from manyhands.settings import Settings
from manyhands.store import limits, waiting
from manyhands.store.contract import Letter, Session, Store, Verdict
from manyhands.store.memory import MemoryStore
from manyhands.store.redis_store import RedisStore
from manyhands.store.turns import Begin, Commit, Committed, Elsewhere, Ending, Turn
from support.redis_server import RedisServer

DEFAULTS = {"a": {"x": 0, "y": {"z": 0}}, "b": 1}
HEAD, TAIL = b"h" * 17, b"t"


@dataclass
class Mail:
    """An accepted event of the model."""

    client: str
    n: int
    attempts: int = 0
    queue: str = ""

    @property
    def event(self) -> tuple[str, int]:
        """What it is known by."""
        return self.client, self.n


@dataclass
class Model:
    """What a session is, in plain Python."""

    state: dict[str, Any] = field(default_factory=lambda: copy(DEFAULTS))
    mailbox: list[Mail] = field(default_factory=list)
    accepted: set[tuple[str, int]] = field(default_factory=set)
    ended: list[tuple[str, int]] = field(default_factory=list)
    #: Tokens of detached runs, in the order in which they began.
    detached: dict[str, Mail] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)
    run: str | None = None
    #: Tokens of runs whose handlers began.
    began: set[str] = field(default_factory=set)
    #: What the worker of the turn has of the mailbox beyond its first letter.
    ahead: list[Mail] = field(default_factory=list)
    #: Events that run, or count as running, and that someone wants to cancel.
    cancels: set[tuple[str, int]] = field(default_factory=set)
    seq: int = 0
    written: set[tuple[str, ...]] = field(default_factory=set)

    def can_be_written(self, path: tuple[str, ...]) -> bool:
        """Tell whether a run may write there: nothing lies below a leaf that still is the default."""
        for length in range(1, len(path)):
            above = path[:length]
            covered = any(above[: len(one)] == one for one in self.written)
            if not covered and not isinstance(fields_value(DEFAULTS, above), dict):
                return False
        return True

    def takes_over(self) -> None:
        """What `begin` does first: dead runs go back to the front of the mailbox."""
        if self.run is not None:
            self.mailbox[0].attempts += self.run in self.began
            self.run = None
        dead = [token for token in self.detached if token not in self.alive]
        for token in reversed(dead):
            mail = self.detached.pop(token)
            mail.attempts += 1
            self.mailbox.insert(0, mail)

    def goes_ahead(self) -> list[Mail]:
        """What a worker gets beyond the first letter."""
        queue = self.mailbox[0].queue
        behind = () if self.detached else self.mailbox[1:16]
        return list(
            takewhile(lambda one: not one.attempts and one.queue == queue and one.event not in self.cancels, behind)
        )

    @property
    def next_queue(self) -> str:
        """Whose workers are to be rung."""
        dead = sorted(token for token in self.detached if token not in self.alive)
        return (self.detached[dead[0]] if dead else self.mailbox[0]).queue

    @property
    def has_dead(self) -> bool:
        """Whether a detached run has died."""
        return any(token not in self.alive for token in self.detached)


def fields_value(values: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        values = values.get(name) if isinstance(values, dict) else None
    return values


def copy(value: Any) -> Any:
    return {key: copy(one) for key, one in value.items()} if isinstance(value, dict) else value


#: A store; what ends a lease, `session token`, as a worker's death does; what counts the mail of a session's partition.
Parts = tuple[Store, Callable[[str], None], Callable[[str], int]]


class StoreMachine(RuleBasedStateMachine):
    """Acts on a store and on the model at once."""

    make: Callable[[], Parts]

    @initialize()
    def create(self) -> None:
        self.store, self.crash_lease, self.count_waiting = self.make()
        self.session = secrets.token_hex(6)
        #: What waits of the sessions of earlier examples, with which nothing happens any more.
        self.waited_before = self.count_waiting(self.session)
        self.store.create(Session(self.session, "d", "v"))
        self.defaults = fields.encode_tree(DEFAULTS)
        self.model = Model()
        self.tokens: list[str] = []
        #: Commits of detached runs that are sent once more later.
        self.kept: list[Commit] = []
        self.ks: dict[str, int] = {}
        self.events: dict[str, Mail] = {}

    @rule(
        client=st.sampled_from(["c", "d"]), n=st.one_of(st.none(), st.integers(1, 8)),
        queue=st.sampled_from(["", "", "", "gpu"]),
    )  # fmt: skip
    def accept(self, client: str, n: int | None, queue: str) -> None:
        model = self.model
        (receipt,) = self.store.accept([Letter(self.session, client, n, b"body", queue)])
        highest = max((one for of, one in model.accepted if of == client), default=0)
        number = highest + 1 if n is None else n
        assert (receipt.verdict, receipt.n) == (Verdict.ACCEPTED, number)
        assert receipt.duplicate == ((client, number) in model.accepted)
        if not receipt.duplicate:
            model.accepted.add((client, number))
            model.mailbox.append(Mail(client, number, queue=queue))

    @rule(starts=st.booleans(), queues=st.sampled_from([(), ("",), ("", "gpu"), ("gpu", "cpu"), ("cpu", "gpu", "x")]))
    def begin(self, starts: bool, queues: tuple[str, ...]) -> None:
        model, token = self.model, self.new_token()
        (turn,) = self.store.begin_all([Begin(self.session, token, starts)], queues)
        if model.run is not None and model.run in model.alive:
            assert turn is None
            return
        model.takes_over()
        if queues and model.mailbox and model.mailbox[0].queue not in queues:
            assert isinstance(turn, Elsewhere)
            assert turn.queue == model.mailbox[0].queue
            return
        assert not isinstance(turn, Elsewhere)
        self.check_turn(turn, token, starts=starts)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        """A handler begins that waited in its worker; sometimes one that was given up."""
        token = data.draw(st.sampled_from([self.model.run or self.tokens[-1]] * 4 + self.tokens[-2:]))
        stream = self.store.stream()
        stream.start(self.session, token)
        assert stream.flush()
        assert stream.settle() == []
        if token == self.model.run:
            self.model.began.add(token)

    @precondition(lambda self: self.model.accepted)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        model = self.model
        event = data.draw(st.sampled_from(sorted(model.accepted)))
        found = self.store.cancel(self.session, *event, (HEAD, TAIL), b"o")
        waiting = [one.event for one in model.mailbox]
        taken = 1 + len(model.ahead) if model.run else 0
        assert found == (event in waiting or event in {one.event for one in model.detached.values()})
        if event in waiting[taken:]:
            del model.mailbox[waiting.index(event)]
            model.ended.append(event)
            model.seq += 1
        elif found:
            model.cancels.add(event)

    def new_token(self) -> str:
        self.tokens.append(f"{len(self.tokens):05d}-{secrets.token_hex(4)}")
        return self.tokens[-1]

    def check_turn(self, turn: Turn | None, token: str, *, starts: bool = True) -> None:
        model = self.model
        if not model.mailbox:
            assert turn is None
            return
        first = model.mailbox[0]
        assert turn is not None
        assert (turn.client, turn.n, turn.attempt) == (first.client, first.n, first.attempts + 1)
        assert (turn.queue, turn.cancelled) == (first.queue, first.event in model.cancels)
        model.ahead = model.goes_ahead()
        assert [(one.client, one.n) for one in turn.ahead] == [one.event for one in model.ahead]
        if turn.fields is not None:
            assert self.read(turn.fields) == model.state
        model.run = token
        if starts:
            model.began.add(token)
        model.alive.add(token)
        self.events[token] = first

    def read(self, stored: Any) -> Any:
        return decoded(fields.build_tree(self.defaults, stored))

    @precondition(lambda self: self.tokens)
    @rule(
        data=st.data(),
        ending=st.sampled_from([*Ending, Ending.PARTIAL, Ending.DETACH]),
        path=st.sampled_from([("a",), ("a", "x"), ("a", "x", "z"), ("a", "y"), ("a", "y", "z"), ("b",), ("b", "x")]),
        value=st.one_of(st.none(), st.integers(0, 3), st.just({}), st.just({"x": 1}), st.just({"y": {"z": 2}})),
        goes_on=st.booleans(),
        follows=st.booleans(),
        repeats=st.booleans(),
    )
    def commit(
        self, data: st.DataObject, ending: Ending, path: tuple[str, ...], value: Any, goes_on: bool, follows: bool,
        repeats: bool,
    ) -> None:  # fmt: skip
        # Most often a run that is alive, sometimes one that has ended or was given up.
        live = [token for token in (self.model.run, *self.model.detached) if token]
        token = data.draw(st.sampled_from(live * 4 + self.tokens[-2:]))
        model, mail = self.model, self.events.get(token, Mail("c", 99))
        self.ks[token] = self.ks.get(token, 0) + 1
        next_token = self.new_token() if goes_on else None
        in_turn = model.run == token
        ahead = len(model.ahead) if in_turn and next_token and ending is Ending.FINAL and follows else 0
        commit = Commit(
            self.session, token, self.ks[token], ending, ops=self.ops(path, value), update=(HEAD, TAIL),
            client=mail.client, n=mail.n, outcome=b"o", next_token=next_token, ahead=ahead,
        )  # fmt: skip
        if not in_turn and token not in model.detached:
            with pytest.raises(TurnLost):
                self.store.commit(commit)
            return
        if (ending is Ending.DETACH and not in_turn) or not model.can_be_written(path):
            return
        answer = self.store.commit(commit)
        if repeats:
            answer = self.store.commit(commit)
        elif token in model.detached or ending is Ending.DETACH:
            self.kept.append(commit)
        self.write(path, value)
        model.seq += 1
        assert answer.seq == model.seq
        if not in_turn:
            self.end_detached(token, ending)
        elif ahead and next_token:
            self.follow(next_token, answer)
        else:
            self.end_in_turn(token, ending, next_token, answer)

    def follow(self, token: str, answer: Committed) -> None:
        """An event has ended, and the next one begun whose letter the worker has."""
        model = self.model
        self.strike_off(model.mailbox.pop(0))
        following = model.ahead.pop(0)
        assert following is model.mailbox[0]
        if answer.following is None:
            # It was sent twice: the answer is the whole turn.
            self.check_turn(answer.turn, token)
            return
        assert answer.turn is None
        assert answer.following.cancelled == (following.event in model.cancels)
        model.run = token
        model.began.add(token)
        model.alive.add(token)
        self.events[token] = following

    def strike_off(self, ended: Mail) -> None:
        self.model.ended.append(ended.event)
        self.model.cancels.discard(ended.event)

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def repeat_an_old_commit(self, data: st.DataObject) -> None:
        """A commit of a detached run comes once more, after others: nothing is written."""
        commit = data.draw(st.sampled_from(self.kept))
        if self.ks[commit.token] == commit.k:
            self.store.commit(replace(commit, next_token=None))

    def ops(self, path: tuple[str, ...], value: Any) -> list[tuple[str, bytes, bytes]]:
        known = fields.encode_path(path) in self.defaults
        if value is None:
            return [("C" if known else "U", fields.encode_path(path), b"")]
        above = fields.count_dicts_above(path, self.defaults)
        return fields.encode_assignment(path, value, over_dict=known, dicts_above=above)

    def write(self, path: tuple[str, ...], value: Any) -> None:
        self.model.written.add(path)
        node = self.model.state
        for name in path[:-1]:
            if not isinstance(node.get(name), dict):
                if value is None:
                    return
                node[name] = {}
            node = node[name]
        if value is None:
            node.pop(path[-1], None)
        else:
            node[path[-1]] = copy(value)

    def end_in_turn(self, token: str, ending: Ending, next_token: str | None, answer: Committed) -> None:
        model = self.model
        if ending is Ending.PARTIAL:
            assert answer.turn is None
            return
        model.run, queue = None, model.mailbox[0].queue
        if ending is Ending.DETACH:
            model.detached[token] = model.mailbox.pop(0)
            model.alive.add(token)
        elif ending is Ending.FINAL:
            self.strike_off(model.mailbox.pop(0))
        waits = bool(model.mailbox or model.has_dead)
        if next_token and not model.has_dead and (not waits or model.next_queue == queue):
            self.check_turn(answer.turn, next_token)
        else:
            assert answer.turn is None
            assert (answer.ring is not None) == waits
            assert answer.queue == (model.next_queue if waits else "")

    def end_detached(self, token: str, ending: Ending) -> None:
        model = self.model
        if ending is Ending.PARTIAL:
            return
        mail = model.detached.pop(token)
        if ending is Ending.FINAL:
            self.strike_off(mail)
        else:
            model.mailbox.insert(1 if model.run else 0, mail)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """A worker dies and its lease runs out."""
        token = data.draw(st.sampled_from(sorted(self.model.alive) or self.tokens))
        if token in self.model.alive:
            self.crash_lease(f"{self.session} {token}")
            self.model.alive.discard(token)

    @precondition(lambda self: self.tokens)
    @rule()
    def renew(self) -> None:
        held = self.store.renew([(self.session, token) for token in self.tokens])
        owned = {self.model.run, *self.model.detached} & self.model.alive
        assert {token for token, one in zip(self.tokens, held, strict=True) if one} == owned

    @rule(client=st.sampled_from(["c", "d"]))
    def welcome(self, client: str) -> None:
        model, welcome = self.model, self.store.welcome(self.session, client, None)
        assert welcome is not None
        assert welcome.seq == model.seq
        assert self.read(welcome.fields) == model.state
        waiting = [*model.detached.values(), *model.mailbox]
        assert sorted(welcome.pending) == sorted(one.n for one in waiting if one.client == client)
        assert welcome.highest_n == max((n for of, n in model.accepted if of == client), default=0)

    @rule()
    def waiting(self) -> None:
        model, waiting = self.model, self.count_waiting(self.session) - self.waited_before
        if model.alive & {model.run, *model.detached}:
            assert waiting == len(model.mailbox)
        else:
            # Mail whose worker has died without leaving a lease, as no real one does, is not found before it is rung.
            assert waiting in (0, len(model.mailbox))

    @invariant()
    def every_accepted_event_waits_or_runs_or_ended_once(self) -> None:
        if not hasattr(self, "model"):
            return
        waiting = [(one.client, one.n) for one in (*self.model.mailbox, *self.model.detached.values())]
        assert sorted(waiting + self.model.ended) == sorted(self.model.accepted)


def decoded(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: decoded(value) for key, value in tree.items()}
    return codec.decode(tree)


def run_machine(make: Callable[[], Parts], examples: int) -> None:
    machine = type("Machine", (StoreMachine,), {"make": staticmethod(make)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_the_store_in_memory_behaves_like_the_model() -> None:
    store = MemoryStore(Settings(lease=1000, rate_limit=10**6))

    def crash(lease: str) -> None:
        session, token = lease.split()
        store._records[session].leases.pop(token, None)

    run_machine(lambda: (store, crash, lambda _: store.waiting().events), examples=150)


def test_the_store_in_redis_behaves_like_the_model(
    redis_server: RedisServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SAMPLED_SESSIONS", 10**6)
    store = RedisStore(
        Settings(redis_url=redis_server.url, namespace=namespace, lease=1000, rate_limit=10**6)
    )
    with redis_server.client() as client:

        def crash(lease: str) -> None:
            client.zrem(store.keys.leases(store.keys.partition(lease.split()[0])), lease)

        def count(session: str) -> int:
            prefix = store.keys.partition(session)
            return waiting.count(store._call, store.keys, (store.keys.bells(prefix), store.keys.leases(prefix))).events

        run_machine(lambda: (store, crash, count), examples=100)
    store.close()
