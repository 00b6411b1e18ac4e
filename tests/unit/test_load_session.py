"""One session of a load test: what it sends, what it takes for an end, and every broken promise that it notices."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgpack
import pytest

from manyhands.load.checks import Problem, value_after
from manyhands.load.session import ENDED, WELCOMED, EventRefused, Greet, Reconnect, Resend, Session


class Notes:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.count = 0
        self.ends: list[tuple[float, str | None]] = []
        self.rejections: list[str] = []
        self.problems: Counter[str] = Counter()

    def fired(self) -> None:
        self.count += 1

    def ended(self, intended: float, now: float, code: str | None) -> None:
        self.ends.append((now - intended, code))

    def rejected(self, code: str) -> None:
        self.rejections.append(code)

    def problem(self, kind: Problem, text: str) -> None:
        assert text
        self.problems[kind] += 1


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def session(notes: Notes) -> Session:
    """A session that was welcomed with a counter of 5."""
    session = Session(notes, ("user", "clicks"))
    assert session.take(welcome(resumed=False, state={"user": {"clicks": 5}}), 0.0) is WELCOMED
    return session


def welcome(**fields: Any) -> dict[str, Any]:
    plain = {"session": "token", "resumed": True, "seq": 0, "n": 0, "pending": [], "ended": []}
    return {"type": "welcome", **plain, **fields}


def end(session: Session, seq: int, n: int, **fields: Any) -> dict[str, Any]:
    event = {"client": session.client, "n": n}
    plain = {"set": [], "unset": [], "done": True, "ok": True, "result": None, "error": None, "mail": []}
    return {"type": "update", "seq": seq, "event": event, **plain, **fields}


def counted(value: Any) -> list[Any]:
    return [[["user", "clicks"], value]]


def rejected(code: str, n: int | None = 1, retry_after: float | None = None) -> dict[str, Any]:
    return {"type": "rejected", "n": n, "code": code, "message": "because", "retry_after": retry_after}


def test_an_event_is_sent_and_its_latency_counts_from_when_it_was_due(session: Session, notes: Notes) -> None:
    envelope = session.fire("add", [1], 10.0)

    assert envelope is not None
    assert msgpack.unpackb(envelope) == {"type": "event", "n": 1, "handler": "add", "payload": [1]}
    assert session.take({"type": "accepted", "n": 1}, 10.1) is None
    assert session.take(end(session, 1, 1, set=counted(6)), 10.5) is ENDED
    assert notes.ends == [(0.5, None)]
    assert not session.outstanding
    session.verify(welcome(seq=1, state={"user": {"clicks": 6}}))
    assert not notes.problems


def test_every_envelope_has_its_own_number_handler_and_payload(session: Session) -> None:
    payload = [1]
    fired = [session.fire("add", None, 0.0), session.fire("add", None, 0.0), session.fire("sub", "x", 0.0)]
    fired += [session.fire("sub", payload, 0.0)]
    payload.append(2)
    fired += [session.fire("sub", payload, 0.0), session.fire("sub", True, 0.0), session.fire("sub", 1, 0.0)]
    found = [msgpack.unpackb(envelope or b"") for envelope in fired]

    assert [one["n"] for one in found] == [1, 2, 3, 4, 5, 6, 7]
    assert [(one["handler"], one["payload"]) for one in found[:5]] == [
        ("add", None), ("add", None), ("sub", "x"), ("sub", [1]), ("sub", [1, 2])
    ]  # fmt: skip
    assert [found[5]["payload"], found[6]["payload"]] == [True, 1]
    assert type(found[6]["payload"]) is int


def test_partial_updates_and_other_clients_end_nothing(session: Session, notes: Notes) -> None:
    session.fire("add", None, 0.0)

    assert session.take(end(session, 1, 1, done=False), 1.0) is None
    assert session.take(end(session, 2, 1, event={"client": "another", "n": 1}), 1.0) is None
    assert list(session.outstanding) == [1]
    assert not notes.ends


def test_an_error_is_told_by_its_code(session: Session, notes: Notes) -> None:
    session.fire("add", None, 0.0)
    session.take(end(session, 1, 1, ok=False, error={"code": "worker_lost", "message": "it died"}), 1.0)

    assert notes.ends == [(1.0, "worker_lost")]
    session.verify(welcome(seq=1, state={"user": {"clicks": 5}}))
    assert not notes.problems


def test_an_event_that_was_not_accepted_is_sent_again_as_it_was(session: Session) -> None:
    first, second = session.fire("add", None, 0.0), session.fire("add", None, 0.0)
    session.take({"type": "accepted", "n": 1}, 0.0)
    session.disconnected()

    waiting = session.fire("add", None, 0.0)
    assert waiting is None
    hello = msgpack.unpackb(session.hello())
    assert hello == {"type": "hello", "client": session.client, "session": "token", "seq": 0}
    assert session.take(welcome(pending=[1]), 0.0) is WELCOMED
    resent = [msgpack.unpackb(one)["n"] for one in session.unaccepted()]
    assert first is not None
    assert second in session.unaccepted()
    assert resent == [2, 3]


def test_an_event_that_is_pending_is_not_sent_again(session: Session) -> None:
    session.fire("add", None, 0.0)
    session.disconnected()
    session.take(welcome(pending=[1]), 0.0)

    assert session.unaccepted() == []


def test_a_welcome_with_the_state_tells_what_has_ended_meanwhile(session: Session, notes: Notes) -> None:
    for _ in range(4):
        session.fire("add", None, 0.0)
    for n in (1, 2, 3):
        session.take({"type": "accepted", "n": n}, 0.0)
    session.disconnected()
    known = [{"n": 2, "ok": True, "result": None, "error": None, "mail": []}]
    session.take(welcome(seq=9, n=3, pending=[3], ended=known, state={"user": {"clicks": 7}}), 1.0)

    assert list(session.outstanding) == [3, 4]
    assert notes.ends == [(1.0, None), (1.0, None)]
    assert session.seq == 9
    assert not notes.problems


def test_an_accepted_event_that_nobody_knows_any_more_is_lost(session: Session, notes: Notes) -> None:
    session.fire("add", None, 0.0)
    session.take({"type": "accepted", "n": 1}, 0.0)
    session.disconnected()
    session.take(welcome(state={"user": {"clicks": 5}}), 1.0)

    assert notes.problems == {Problem.LOST: 1}
    assert not session.outstanding


def test_a_gap_is_a_problem_and_the_session_is_resumed(session: Session, notes: Notes) -> None:
    session.fire("add", None, 0.0)
    act = session.take(end(session, 2, 1), 1.0)

    assert isinstance(act, Reconnect)
    assert not act.restart
    assert notes.problems == {Problem.GAP: 1}
    assert session.seq == 0


def test_an_update_that_comes_again_is_a_problem_and_ends_nothing(session: Session, notes: Notes) -> None:
    session.fire("add", None, 0.0)
    for _ in range(2):
        session.take(end(session, 1, 1), 1.0)

    assert notes.problems == {Problem.REPEATED: 1}
    assert len(notes.ends) == 1


def test_a_second_end_is_a_problem(session: Session, notes: Notes) -> None:
    session.fire("add", None, 0.0)
    for seq in (1, 2):
        session.take(end(session, seq, 1), 1.0)

    assert notes.problems == {Problem.ENDED_TWICE: 1}


def test_what_has_no_end_when_all_is_over_is_lost(session: Session, notes: Notes) -> None:
    session.fire("add", None, 0.0)
    session.fire("add", None, 0.0)
    session.give_up()

    assert notes.problems == {Problem.LOST: 2}


def test_a_lost_update_of_the_counter_is_a_problem(session: Session, notes: Notes) -> None:
    for n in (1, 2):
        session.fire("add", None, 0.0)
        session.take(end(session, n, n, set=counted(6)), 1.0)
    session.verify(welcome(seq=2, state={"user": {"clicks": 6}}))

    assert notes.problems == {Problem.STATE: 1}


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        ({"seq": 1, "state": {"user": {"clicks": 6}}}, {}),
        ({"seq": 1, "state": {"user": {"clicks": 7}}}, {Problem.STATE: 1}),
        ({"seq": 1, "state": {}}, {Problem.STATE: 1}),
        ({"seq": 2, "state": {"user": {"clicks": 6}}}, {Problem.GAP: 1}),
        ({"seq": 1, "pending": [2], "state": {"user": {"clicks": 6}}}, {Problem.LOST: 1}),
    ],
)
def test_what_is_stored_is_what_was_seen(
    session: Session, notes: Notes, stored: dict[str, Any], found: dict[str, int]
) -> None:
    session.fire("add", None, 0.0)
    session.take(end(session, 1, 1, set=counted(6)), 1.0)
    session.verify(welcome(**stored))

    assert notes.problems == found


def test_a_reconnect_that_begins_a_new_session_is_a_problem(session: Session, notes: Notes) -> None:
    session.disconnected()
    session.take(welcome(resumed=False), 0.0)

    assert notes.problems == {Problem.SESSION_LOST: 1}


def test_what_is_rejected_for_now_is_sent_again_with_all_that_was_fired_since(session: Session, notes: Notes) -> None:
    session.fire("add", None, 0.0)
    assert session.take(rejected("rate_limited", retry_after=0.3), 0.0) == Resend(0.3)

    assert session.fire("add", None, 0.0) is None
    assert session.take(rejected("rate_limited", n=2, retry_after=0.3), 0.0) is None
    assert len(session.unaccepted()) == 2
    assert session.fire("add", None, 0.0) is not None
    assert notes.rejections == ["rate_limited", "rate_limited"]
    assert not notes.problems


def test_an_unknown_outcome_is_asked_for_again(session: Session) -> None:
    session.fire("add", None, 0.0)

    assert isinstance(session.take(rejected("unavailable"), 0.0), Resend)


@pytest.mark.parametrize("code", ["unknown_handler", "payload_too_large", "bad_frame"])
def test_what_will_never_be_accepted_ends_the_test(session: Session, code: str) -> None:
    session.fire("add", None, 0.0)

    with pytest.raises(EventRefused, match=code) as refused:
        session.take(rejected(code), 0.0)
    assert refused.value.code == code


def test_without_a_worker_hello_is_said_again(notes: Notes) -> None:
    session = Session(notes)

    assert session.take(rejected("no_worker", n=None, retry_after=2.0), 0.0) == Greet(2.0, "because")


def test_a_gateway_that_restarts_says_when_to_come_back(session: Session) -> None:
    assert session.take({"type": "restart", "delay": 1.5}, 0.0) == Reconnect(1.5, restart=True)


def test_what_is_unknown_is_ignored(session: Session, notes: Notes) -> None:
    assert session.take({"type": "log", "text": "x"}, 0.0) is None
    assert session.take({"type": "accepted", "n": 77}, 0.0) is None
    assert not notes.problems


@pytest.mark.parametrize(
    ("update", "value"),
    [
        ({"unset": [], "set": []}, 1),
        ({"unset": [], "set": [[["a", "b"], 2]]}, 2),
        ({"unset": [], "set": [[["a"], {"b": 3}]]}, 3),
        ({"unset": [], "set": [[["a"], 4]]}, None),
        ({"unset": [["a"]], "set": []}, None),
        ({"unset": [["a", "b"]], "set": [[["a", "c"], 5]]}, None),
        ({"unset": [["a"]], "set": [[["a", "b"], 6]]}, 6),
    ],
)
def test_the_counter_follows_the_updates(update: dict[str, Any], value: Any) -> None:
    assert value_after(1, ("a", "b"), update) == value
