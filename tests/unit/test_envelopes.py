"""What a browser may send, field by field, and what the answer says when it sends something else."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands import envelopes
from manyhands.abilities import Abilities
from manyhands.envelopes import CancelEvent, Event, Hello, parse
from manyhands.errors import BadFrame
from manyhands.letters import Context, Repeater
from manyhands.wire import MAX_SAFE_INTEGER, Key, Rejection

HELLO = {"type": "hello", "client": "tab"}
EVENT = {"type": "event", "n": 7, "handler": "increment"}
REPEATER = {"state": ["todos"], "key": "a"}


def broken(envelope: object) -> BadFrame:
    with pytest.raises(BadFrame) as caught:
        parse(envelope)
    return caught.value


def test_a_first_hello_needs_only_a_client() -> None:
    assert parse(HELLO) == Hello("tab")


def test_a_hello_after_a_lost_connection_names_its_session_and_the_last_update() -> None:
    assert parse({**HELLO, "session": "token", "seq": 0}) == Hello("tab", "token", 0)
    assert parse({**HELLO, "arrow": True}) == Hello("tab", abilities=Abilities(arrow=True))
    assert parse({**HELLO, "arrow": None}) == parse({**HELLO, "arrow": False}) == Hello("tab")


def test_an_event_needs_only_a_handler() -> None:
    assert parse({"type": "event", "handler": "increment"}) == Event("increment")


def test_an_event_carries_payload_context_and_number() -> None:
    context = {"event": "click", "target": "b1", "repeaters": [REPEATER]}
    event = parse({**EVENT, "payload": [1, None], "context": context})
    assert event == Event("increment", [1, None], Context("click", "b1", (Repeater(("todos",), "a"),)), 7)


def test_a_cancel_names_its_event() -> None:
    assert parse({"type": "cancel", "n": 3}) == CancelEvent(3)


def test_keys_that_are_not_known_are_ignored() -> None:
    assert parse({**EVENT, "colour": "red", "context": {"x": 1}}) == Event("increment", n=7)


def test_a_repeater_may_name_its_variables_and_has_a_number_as_its_key() -> None:
    repeater = {"state": ["a", "b"], "key": 3, "keyVariable": "row", "valueVariable": "todo"}
    event = parse({**EVENT, "context": {"repeaters": [repeater]}})
    assert isinstance(event, Event)
    assert event.context.repeaters == (Repeater(("a", "b"), "3", "row", "todo"),)


@pytest.mark.parametrize("n", [1, MAX_SAFE_INTEGER])
def test_numbers_from_1_to_the_largest_safe_one_are_taken(n: int) -> None:
    assert parse({**EVENT, "n": n}) == Event("increment", n=n)


@pytest.mark.parametrize("n", [0, -1, MAX_SAFE_INTEGER + 1, True, 1.0, "1", [1], 10**400])
def test_any_other_number_is_refused_by_name(n: object) -> None:
    error = broken({**EVENT, "n": n})
    assert "`n`" in error.message
    assert error.n is None


@pytest.mark.parametrize(
    ("envelope", "word"),
    [
        ([], "map"),
        ("hello", "map"),
        (None, "map"),
        ({}, "`type`"),
        ({"type": "welcome"}, "'welcome'"),
        ({"type": ["event"]}, "`type`"),
        ({"type": "hello"}, "`client`"),
        ({"type": "hello", "client": ""}, "`client`"),
        ({"type": "hello", "client": "x" * 65}, "`client`"),
        ({"type": "hello", "client": 1}, "`client`"),
        ({**HELLO, "session": 5}, "`session`"),
        ({**HELLO, "seq": -1}, "`seq`"),
        ({**HELLO, "seq": "1"}, "`seq`"),
        ({**HELLO, "seq": False}, "`seq`"),
        ({"type": "event", "n": 7}, "`handler`"),
        ({**EVENT, "handler": None}, "`handler`"),
        ({**EVENT, "handler": "h" * 300}, "`handler`"),
        ({**EVENT, "context": "click"}, "`context`"),
        ({**EVENT, "context": {"event": 1}}, "`event`"),
        ({**EVENT, "context": {"target": ["b"]}}, "`target`"),
        ({**EVENT, "context": {"repeaters": {"a": 1}}}, "`repeaters`"),
        ({**EVENT, "context": {"repeaters": {}}}, "`repeaters`"),
        ({**EVENT, "context": {"repeaters": 0}}, "`repeaters`"),
        ({**EVENT, "context": {"repeaters": [1]}}, "`repeaters`"),
        ({**EVENT, "context": {"repeaters": [REPEATER] * 101}}, "`repeaters`"),
        ({**EVENT, "context": {"repeaters": [{"key": "a"}]}}, "`state`"),
        ({**EVENT, "context": {"repeaters": [{"state": [], "key": "a"}]}}, "`state`"),
        ({**EVENT, "context": {"repeaters": [{"state": ["a", 1], "key": "a"}]}}, "`state`"),
        ({**EVENT, "context": {"repeaters": [{"state": "todos", "key": "a"}]}}, "`state`"),
        ({**EVENT, "context": {"repeaters": [{"state": ["todos"]}]}}, "`key`"),
        ({**EVENT, "context": {"repeaters": [{"state": ["todos"], "key": True}]}}, "`key`"),
        ({**EVENT, "context": {"repeaters": [{**REPEATER, "keyVariable": 1}]}}, "`keyVariable`"),
        ({**EVENT, "context": {"repeaters": [{**REPEATER, "valueVariable": []}]}}, "`valueVariable`"),
        ({"type": "cancel"}, "`n`"),
        ({"type": "cancel", "n": "3"}, "`n`"),
    ],
)
def test_a_wrong_field_is_named_in_the_answer(envelope: object, word: str) -> None:
    assert word in broken(envelope).message


@pytest.mark.parametrize(
    ("path", "key"), [(["_secret"], "a"), (["user", "_password"], "a"), (["_"], "a"), (["user"], "_password")]
)
def test_a_repeater_can_not_reach_private_state(path: list[str], key: str) -> None:
    error = broken({**EVENT, "context": {"repeaters": [{"state": path, "key": key}]}})
    assert "browsers may see" in error.message


def test_the_answer_carries_the_number_of_an_event_that_is_wrong_elsewhere() -> None:
    assert broken({**EVENT, "handler": 5}).n == 7
    assert broken({"type": "evnt", "n": 9}).n == 9


def test_a_large_wrong_value_is_not_repeated_in_the_answer() -> None:
    assert len(broken({**EVENT, "handler": "h" * 10_000_000}).message) < 200
    assert len(broken({**HELLO, "client": [0] * 1_000_000}).message) < 200


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
KEYS = st.sampled_from([key.value for key in Key]) | st.text()


@given(st.dictionaries(KEYS, JSON_VALUES, max_size=6), st.sampled_from(["hello", "event", "cancel"]))
def test_whatever_a_map_holds_it_is_parsed_or_refused(envelope: dict[str, Any], kind: str) -> None:
    with contextlib.suppress(BadFrame):
        assert parse({**envelope, "type": kind})


def test_the_envelopes_that_we_send_have_the_fields_of_the_protocol() -> None:
    assert envelopes.accepted(3) == {"type": "accepted", "n": 3}
    assert envelopes.restart(1.5) == {"type": "restart", "delay": 1.5}
    assert envelopes.rejected(None, Rejection.NO_WORKER, "none", 1.0) == {
        "type": "rejected", "n": None, "code": "no_worker", "message": "none", "retry_after": 1.0,
    }  # fmt: skip
    assert envelopes.welcome("t", resumed=False, seq=0, n=0, pending=(2,)) == {
        "type": "welcome", "session": "t", "resumed": False, "seq": 0, "n": 0, "pending": [2],
    }  # fmt: skip


@pytest.mark.parametrize("word", ["arrow", "add"])
def test_what_a_hello_says_of_abilities_is_true_or_false(word: str) -> None:
    assert parse({**HELLO, word: True}) == Hello("tab", abilities=Abilities(**{word: True}))
    with pytest.raises(BadFrame, match=f"`{word}` is true or false"):
        parse({**HELLO, word: 1})
