"""The Python client's part of the protocol, without I/O: what it sends, keeps, sends again, and ends."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from manyhands.client.ends import Entry
from manyhands.client.protocol import LIMIT, Protocol, Status
from manyhands.wire import Close


class Script:
    """A client and the gateway's side of its talk, at a time of the test's own."""

    def __init__(self, lifetime: float | None = None) -> None:
        self.core = Protocol(None, lifetime)
        self.now = 100.0
        self.partials: list[Any] = []
        self.accepted: list[int] = []

    def said(self) -> list[dict[str, Any]]:
        """Take what the client has said."""
        return [msgpack.unpackb(frame) for frame in self.core.take_out()]

    def tell(self, kind: str, **fields: Any) -> None:
        """Tell the client something."""
        self.core.received(msgpack.packb({"type": kind, **fields}), self.now)
        for call in self.core.take_calls():
            call()

    def open(self, **fields: Any) -> list[dict[str, Any]]:
        """Open a connection, and welcome; gives what the client says first, and then."""
        self.core.opened()
        hello = self.said()
        welcome = {"session": "token", "resumed": False, "seq": 0, "n": 0, "pending": [], "ended": [], **fields}
        self.tell("welcome", **({"state": {"counter": 0}} | welcome if "updates" not in fields else welcome))
        return [*hello, *self.said()]

    def fire(self, handler: str = "f", until: float | None = None) -> Entry:
        entry = Entry(handler, None, None, until, self.accepted.append, self.partials.append)
        self.core.fire(entry, self.now)
        return entry

    def update(self, seq: int, n: int, *, done: bool = True, **fields: Any) -> None:
        event = {"client": self.core.client, "n": n}
        end = {"done": done, "ok": True, "result": None, "error": None, "mail": []}
        self.tell("update", **{"seq": seq, "set": [], "unset": [], "event": event, **end, **fields})

    def lose(self, code: int = 1006, reason: str = "") -> None:
        self.core.lost(code, reason, self.now)


@pytest.fixture
def script() -> Script:
    return Script()


def numbers(said: list[dict[str, Any]]) -> list[int]:
    return [one["n"] for one in said if one["type"] == "event"]


def test_what_is_fired_before_there_is_a_connection_is_sent_in_order_after_the_welcome(script: Script) -> None:
    for name in "abc":
        script.fire(name)
    said = script.open()
    assert [one["type"] for one in said] == ["hello", "event", "event", "event"]
    assert [one["handler"] for one in said[1:]] == ["a", "b", "c"]
    assert numbers(said) == [1, 2, 3]


def test_what_was_not_accepted_is_sent_again_with_its_number_and_what_was_is_not(script: Script) -> None:
    script.open()
    first, second = script.fire(), script.fire()
    assert numbers(script.said()) == [1, 2]
    script.tell("accepted", n=1)
    script.lose()
    third = script.fire()
    said = script.open(resumed=True, n=2, updates=True)
    assert said[0]["session"] == "token"
    assert said[0]["seq"] == 0
    assert numbers(said) == [2, 3]
    assert (first.accepted, second.accepted, third.accepted) == (True, False, False)
    assert script.accepted == [1]


def test_partial_updates_and_the_end_are_told(script: Script) -> None:
    script.open()
    entry = script.fire()
    script.tell("accepted", n=1)
    script.update(1, 1, done=False, set=[[["a"], 1]])
    script.update(2, 1, result=7, set=[[["a"], 2]])
    assert [one["set"] for one in script.partials] == [[[["a"], 1]]]
    assert entry.end is not None
    assert (entry.end.ok, entry.end.result) == (True, 7)
    assert script.core.states.own.data == {"counter": 0, "a": 2}


def test_an_update_that_was_seen_is_passed_over_and_after_a_gap_the_client_resumes(script: Script) -> None:
    script.open()
    script.update(1, 9, set=[[["a"], 1]])
    script.update(1, 9, set=[[["a"], 5]])
    assert script.core.states.own.data["a"] == 1
    assert not script.core.wants_close
    script.update(3, 9, set=[[["a"], 3]])
    assert script.core.wants_close
    assert script.core.states.own.data["a"] == 1


def test_what_is_put_off_is_sent_again_with_all_that_follows_and_nothing_overtakes_it(script: Script) -> None:
    script.open()
    script.fire("a")
    script.said()
    script.tell("rejected", n=1, code="rate_limited", message="too many", retry_after=0.5)
    script.fire("b")
    assert script.said() == []
    assert script.core.due == script.now + 0.5
    script.core.tick(script.now + 0.5)
    assert numbers(script.said()) == [1, 2]


def test_what_is_refused_ends(script: Script) -> None:
    script.open()
    entry = script.fire()
    script.tell("rejected", n=1, code="unknown_handler", message="no such", retry_after=None)
    assert entry.end is not None
    assert entry.end.error is not None
    assert (entry.end.ok, entry.end.error.code) == (False, "unknown_handler")
    assert script.core.unsent == 0


def test_a_hello_that_finds_no_worker_is_said_again_on_the_same_connection(script: Script) -> None:
    script.core.opened()
    script.said()
    script.tell("rejected", n=None, code="no_worker", message="none", retry_after=1.0)
    script.core.tick(script.now + 1)
    assert [one["type"] for one in script.said()] == ["hello"]


def test_of_a_session_that_is_gone_what_was_sent_ends_unknown_and_what_was_not_goes_to_the_next_one(
    script: Script,
) -> None:
    script.open()
    sent = script.fire("sent")
    script.tell("rejected", n=1, code="unavailable", message="away", retry_after=1.0)
    kept = script.fire("kept")
    script.lose(Close.SESSION_UNKNOWN, "expired")
    assert sent.end is not None
    assert sent.end.ok is None
    said = script.open()
    assert "session" not in said[0]
    assert [one["handler"] for one in said[1:]] == ["kept"]
    assert kept.end is None
    assert kept.n == 1


def test_what_ended_while_the_client_was_away_is_told_by_a_welcome_with_a_state(script: Script) -> None:
    script.open()
    entries = [script.fire() for _ in range(3)]
    for n in (1, 2, 3):
        script.tell("accepted", n=n)
    script.lose()
    ended = {"n": 1, "ok": True, "result": "r", "error": None, "mail": []}
    script.open(resumed=True, seq=50, n=3, pending=[2], ended=[ended])
    assert entries[0].end is not None
    assert entries[0].end.result == "r"
    assert entries[1].end is None
    assert entries[2].end is not None
    assert entries[2].end.ok is None


def test_what_could_not_be_sent_within_its_lifetime_is_dropped(script: Script) -> None:
    short, long = script.fire(until=script.now + 1), script.fire(until=script.now + 10)
    script.now += 5
    said = script.open()
    assert len(numbers(said)) == 1
    assert short.end is not None
    assert short.end.error is not None
    assert short.end.error.code == "expired"
    assert long.n == 1


def test_the_outbox_is_bounded(script: Script) -> None:
    entries = [script.fire() for _ in range(LIMIT + 1)]
    assert entries[LIMIT - 1].end is None
    last = entries[LIMIT].end
    assert last is not None
    assert last.error is not None
    assert last.error.code == "outbox_full"


def test_pauses_grow_to_a_bound_and_are_jittered_and_begin_anew_once_an_event_was_accepted(script: Script) -> None:
    pauses = []
    for _ in range(10):
        script.lose()
        pauses.append(script.core.connect_at - script.now)
    assert all(0.5 <= pause / min(0.25 * 2**i, 10) <= 1 for i, pause in enumerate(pauses))
    script.open()
    script.fire()
    script.tell("accepted", n=1)
    script.lose()
    assert script.core.connect_at - script.now <= 0.25


def test_a_gateway_that_goes_says_when_to_come_back(script: Script) -> None:
    script.open()
    script.tell("restart", delay=3.5)
    script.lose(Close.RESTART)
    assert script.core.connect_at == script.now + 3.5


@pytest.mark.parametrize(
    ("code", "reason", "closed"),
    [(4003, "refused", True), (4000, "no such thing", True), (4000, "flooding: much", False), (4002, "slow", False)],
)
def test_a_client_comes_back_unless_it_would_be_sent_away_for_ever(
    script: Script, code: int, reason: str, closed: bool
) -> None:
    script.open()
    entry = script.fire()
    script.lose(code, reason)
    assert (script.core.status is Status.CLOSED) is closed
    assert (entry.end is not None) is closed


def test_an_event_is_cancelled_before_it_was_sent_and_after(script: Script) -> None:
    early = script.fire()
    script.core.cancel(early)
    assert early.end is not None
    assert numbers(script.open()) == []
    late = script.fire()
    script.lose()
    script.core.cancel(late)
    assert [one["type"] for one in script.open(updates=True)] == ["hello", "event", "cancel"]


def test_too_large_a_frame_is_not_sent_for_ever(script: Script) -> None:
    script.open()
    large = Entry("large", "x" * 1000, None, None, None, None)
    small = script.fire()
    script.core.fire(large, script.now)
    script.lose(Close.TOO_BIG)
    assert large.end is not None
    assert small.end is None


def test_rooms_are_followed_and_left(script: Script) -> None:
    script.open()
    script.tell("update", seq=7, shared="chat", state={"said": []})
    script.tell("update", seq=8, shared="chat", set=[[["said"], ["a"]]], unset=[])
    assert script.core.states.shared == {"chat": {"said": ["a"]}}
    script.lose()
    said = script.open(updates=True, shared={"chat": {"seq": 8}})
    assert said[0]["shared"] == {"chat": 8}
    assert script.core.states.shared == {"chat": {"said": ["a"]}}
    script.tell("update", seq=0, shared="chat", state=None)
    assert script.core.states.shared == {}


def test_subscribers_hear_of_what_lies_at_above_and_below_their_path(script: Script) -> None:
    heard: list[Any] = []
    end = script.core.subscriptions.add("user.name", lambda value: heard.append(value))
    script.core.subscriptions.add("@chat.said", lambda value: heard.append(("room", value)))
    script.open(state={"user": {"name": "Bob"}})
    heard.clear()
    script.update(1, 9, set=[[["user", "name"], "Ann"]])
    script.update(2, 9, set=[[["user"], {"name": "Eve"}]])
    script.update(3, 9, set=[[["user", "name", "first"], "E"]])
    script.update(4, 9, set=[[["user", "age"], 3], [["other"], 1]])
    script.update(5, 9, unset=[["user"]])
    script.tell("update", seq=1, shared="chat", state={"said": 1})
    end()
    script.update(6, 9, set=[[["user"], 1]])
    assert heard == ["Ann", "Eve", {"first": "E"}, None, ("room", 1)]


def test_an_end_has_the_mail_of_the_events_partial_updates_too_also_over_a_broken_connection(script: Script) -> None:
    script.open()
    entry = script.fire()
    script.tell("accepted", n=1)
    script.update(1, 1, done=False, mail=[{"type": "a"}, {"type": "b"}])
    script.update(2, 9, done=False, mail=[{"type": "another event's"}])
    script.lose()
    script.open(resumed=True, n=1, updates=True)
    script.update(1, 1, done=False, mail=[{"type": "seen already"}])
    script.update(3, 1, done=False, mail=[{"type": "c"}])
    script.update(4, 1, mail=[{"type": "d"}])
    assert entry.end is not None
    assert [one["type"] for one in entry.end.mail] == ["a", "b", "c", "d"]


def test_a_partial_update_tells_that_its_event_was_accepted(script: Script) -> None:
    script.open()
    entry = script.fire()
    script.lose()
    script.open(resumed=True, n=1, updates=True)
    script.update(1, 1, done=False, mail=[{"type": "a"}])
    assert (entry.accepted, script.accepted, len(script.partials)) == (True, [1], 1)
    script.tell("accepted", n=1)
    script.update(2, 1)
    assert entry.end is not None
    assert [one["type"] for one in entry.end.mail] == ["a"]
    assert script.accepted == [1]


def test_what_is_sent_is_what_was_fired_whatever_becomes_of_it(script: Script) -> None:
    row = {"cells": [1]}
    script.core.fire(Entry("f", row, {"event": "click"}, None, None, None), script.now)
    row["cells"].append(object())  # type: ignore[arg-type]
    (_, sent) = script.open()
    expected = {"type": "event", "n": 1, "handler": "f", "payload": {"cells": [1]}, "context": {"event": "click"}}
    assert sent == expected
    assert list(sent)[:2] == ["type", "n"]  # a gateway that can't read the rest still knows which event it refuses


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ((len, None, None), "named by a string, got <built-in function len>"),
        ((None, None, None), "named by a string, got None"),
        (("f", object(), None), "can be sent"),
        (("f", None, "click"), "a context is a dict, got 'click'"),
        (("f", None, {"event": object()}), "can be sent"),
        (("\ud800", None, None), "can be sent"),
    ],
)
def test_what_cant_be_sent_is_refused_where_it_is_fired(event: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        Entry(*event, None, None, None)


def test_who_follows_a_room_hears_of_what_a_welcome_brings_of_it(script: Script) -> None:
    heard: list[Any] = []
    script.open()
    script.tell("update", seq=7, shared="chat", state={"said": 1})
    script.core.subscriptions.add("@chat.said", heard.append)
    script.lose()
    script.open(updates=True, shared={"chat": {"seq": 9, "state": {"said": 2}}})
    script.lose()
    script.open(updates=True, shared={"chat": {"seq": 9}})
    script.lose()
    script.open(updates=True, shared={})
    assert heard == [2, None]


def test_to_a_text_that_grew_what_was_added_is_added_after_the_rest(script: Script) -> None:
    heard: list[Any] = []
    script.core.subscriptions.add("deep.text", heard.append)
    hello, *_ = script.open(state={"deep": {"text": "ab"}, "other": 1})
    assert hello["add"] is True
    before = script.core.states.own.data
    script.update(1, 9, add=[[["deep", "text"], "cd"]])
    script.update(2, 9, set=[[["new"], "x"]], add=[[["new"], "y"]])
    assert script.core.states.own.data == {"deep": {"text": "abcd"}, "other": 1, "new": "xy"}
    assert before == {"deep": {"text": "ab"}, "other": 1}
    assert heard == ["ab", "abcd"]


@pytest.mark.parametrize("state", [{}, {"text": None}, {"text": ["ab"]}, {"text": {"$blob": "/_mh/blob/x"}}])
def test_where_nothing_can_grow_the_client_asks_for_the_whole_state(script: Script, state: Any) -> None:
    script.open(state=state)
    script.fire()
    script.tell("accepted", n=1)
    script.update(1, 1, add=[[["text"], "cd"]])
    assert script.core.wants_close
    script.lose()
    ended = {"n": 1, "ok": True, "result": 7, "error": None, "mail": []}
    (hello,) = script.open(state={"text": "abcd"}, seq=1, n=1, ended=[ended])
    assert "seq" not in hello
    assert script.core.states.own.data == {"text": "abcd"}


def test_of_a_room_in_which_nothing_can_grow_the_client_asks_for_the_whole_state(script: Script) -> None:
    script.open()
    script.tell("update", seq=7, shared="chat", state={"said": None})
    script.tell("update", seq=3, shared="news", state={"x": 1})
    script.tell("update", seq=8, shared="chat", set=[], unset=[], add=[[["said"], "a"]])
    assert script.core.wants_close
    script.lose()
    rooms = {"chat": {"seq": 8, "state": {"said": "a"}}, "news": {"seq": 3}}
    hello, *_ = script.open(updates=True, shared=rooms)
    assert (hello["seq"], hello["shared"]) == (0, {"news": 3})
    assert script.core.states.shared == {"chat": {"said": "a"}, "news": {"x": 1}}
