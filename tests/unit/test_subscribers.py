"""Subscribers: which assignments they hear of, what they get, and what becomes of those that fail or never end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import manyhands as mh
from manyhands import app
from manyhands.errors import AppError, MutationLoop, SubscriberFailed
from manyhands.fields import build_tree
from manyhands.reactions import MAX_DEPTH
from manyhands.state_root import StateRoot
from support.event_loop import run

Heard = list[tuple[str, Any, Any]]


@pytest.fixture(autouse=True)
def _application() -> Iterator[None]:
    app.begin()
    yield
    app.begin()


def begun(defaults: dict[str, Any], *subscribed: tuple[Any, Callable[..., Any]]) -> StateRoot:
    """Begin the first event of an app with these subscribers."""
    initial = mh.init_state(defaults)
    for path, function in subscribed:
        initial.subscribe_mutation(path, function)
    declared = app.current().finish()
    return StateRoot(build_tree(app.current().defaults or {}, {}), "s", declared)


def hearing(*paths: str, defaults: dict[str, Any]) -> tuple[Any, Heard]:
    """Give a state and what a subscriber to these paths hears, as it comes."""
    heard: Heard = []

    def hear(payload: Any, context: Any) -> None:
        heard.append((context["mutation"], payload["previous_value"], payload["new_value"]))

    return begun(defaults, (list(paths), hear)).state, heard


DEFAULTS = {"a": 1, "user": {"name": "Bob", "deep": {"x": 1}}, "a.b": 0}


@pytest.mark.parametrize(
    ("act", "heard"),
    [
        (lambda s: s.__setitem__("a", 2), [("a", 1, 2)]),
        (lambda s: s.__setitem__("a", 1), [("a", 1, 1)]),
        (lambda s: s["user"].__setitem__("name", "Ada"), [("user.name", "Bob", "Ada")]),
        (lambda s: s.__setitem__("user", {"name": "Ada"}), [("user.name", "Bob", "Ada"), ("user.deep.x", 1, None)]),
        (lambda s: s.__setitem__("user", 5), [("user.name", "Bob", None), ("user.deep.x", 1, None)]),
        (lambda s: s.__delitem__("user"), [("user.name", "Bob", None), ("user.deep.x", 1, None)]),
        (lambda s: s["user"].pop("deep"), [("user.deep.x", 1, None)]),
        (lambda s: s["user"]["deep"].popitem(), [("user.deep.x", 1, None)]),
        (lambda s: s["user"]["deep"].clear(), [("user.deep.x", 1, None)]),
        (lambda s: s.update({"a": 3, "user": {}}), [("a", 1, 3), ("user.name", "Bob", None), ("user.deep.x", 1, None)]),
        (lambda s: s.setdefault("a", 9), []),
        (lambda s: s["user"].setdefault("name", 9), []),
        (lambda s: s.__setitem__("new", 1), [("new", None, 1)]),
        (lambda s: s.setdefault("new", 1), [("new", None, 1)]),
        (lambda s: s.__setitem__("a.b", 1), [(r"a\.b", 0, 1)]),
        (lambda s: s["user"].__setitem__("other", 1), []),
        (lambda s: s["a"].__class__, []),
        (lambda s: s.pop("nothing", None), []),
    ],
)
def test_a_subscriber_hears_of_its_path_and_of_what_lies_above_it(act: Callable[[Any], Any], heard: Heard) -> None:
    state, got = hearing("a", "user.name", "user.deep.x", "new", r"a\.b", defaults=DEFAULTS)
    act(state)
    assert got == heard


def test_it_goes_on_hearing_after_the_dict_above_was_replaced() -> None:
    state, heard = hearing("user.name", defaults=DEFAULTS)
    replaced = state["user"]
    state["user"] = {"name": "Ada"}
    state["user"]["name"] = "Eve"
    replaced["name"] = "nobody"
    del state["user"]
    state["user"] = {"name": "Zoe"}
    assert heard == [
        ("user.name", "Bob", "Ada"),
        ("user.name", "Ada", "Eve"),
        ("user.name", "Eve", None),
        ("user.name", None, "Zoe"),
    ]


def test_of_a_dict_it_gets_a_plain_one_as_it_was() -> None:
    state, heard = hearing("user", defaults=DEFAULTS)
    state["user"]["name"] = "Ada"
    state["user"] = {"name": "Eve"}
    assert heard == [("user", {"name": "Ada", "deep": {"x": 1}}, {"name": "Eve"})]
    assert type(heard[0][1]) is type(heard[0][2]) is dict


def test_it_gets_what_it_asks_for_by_name() -> None:
    got: list[Any] = []

    def everything(session: Any, state: Any, context: Any, payload: Any, *, more: int = 1) -> None:
        got.append((session, state, context, payload, more))

    root = begun({"a": 1}, ("a", everything), ("a", lambda: got.append("nothing")))
    assert root.live is not None
    root.live.session = lambda: {"id": "7"}
    root.state["a"] = 2
    session, state, context, payload, more = got[0]
    assert (session, state, more) == ({"id": "7"}, root.state, 1)
    assert context == {"event": "mutation", "target": None, "mutation": "a"}
    assert payload == {"previous_value": 1, "new_value": 2}
    assert got[1:] == ["nothing"]


def test_what_it_assigns_is_heard_and_committed_too() -> None:
    heard: list[str] = []

    def on_a(state: Any) -> None:
        state["b"] = state["a"] + 1

    def on_b(state: Any, payload: Any) -> None:
        heard.append(f"{payload['previous_value']} {state['b']} {state['double']}")

    mh.computed("b")(_double)
    root = begun({"a": 1, "b": 1}, ("a", on_a), ("b", on_b))
    root.state["a"] = 5
    assert heard == ["1 6 12"]
    assert {one.path for one in root.take()} == {("a",), ("b",), ("double",)}


def _double(state: Any) -> int:
    return int(state["b"]) * 2


_double.__name__ = "double"


def test_one_that_raises_is_named_and_the_assignment_stands() -> None:
    def on_a() -> None:
        raise LookupError("no such thing")

    root = begun({"a": 1}, ("a", on_a))
    with pytest.raises(SubscriberFailed, match=r"subscriber .*on_a to a raised LookupError: no such thing") as caught:
        root.state["a"] = 2
    assert isinstance(caught.value.__cause__, LookupError)
    assert root.state["a"] == 2
    assert [one.path for one in root.take()] == [("a",)]


def test_a_loop_is_ended_with_its_path_and_the_next_event_is_as_free_as_the_first() -> None:
    def on_a(state: Any) -> None:
        state["b"] = state["a"]

    def on_b(state: Any) -> None:
        if state["a"] < 1000:
            state["a"] += 1

    root = begun({"a": 0, "b": 0}, ("a", on_a), ("b", on_b))
    for _ in range(2):
        with pytest.raises(MutationLoop, match=rf"again, {MAX_DEPTH + 1} deep in one event: .*on_b .* → .*on_a"):
            root.state["a"] = 1
    root.state["a"] = 1000 - MAX_DEPTH // 2 + 1
    assert root.state["a"] == 1000


def test_many_assignments_one_after_another_are_no_loop() -> None:
    state, heard = hearing("a", defaults={"a": 0})
    for number in range(10 * MAX_DEPTH):
        state["a"] = number
    assert len(heard) == 10 * MAX_DEPTH


def test_async_ones_run_in_order_when_the_handler_has_returned() -> None:
    order: list[Any] = []

    async def on_a(state: Any, payload: Any) -> None:
        await asyncio.sleep(0)
        order.append(payload["new_value"])
        state["b"] = payload["new_value"]

    async def on_b(payload: Any) -> None:
        order.append(("b", payload["new_value"]))

    root = begun({"a": 0, "b": 0}, ("a", on_a), ("b", on_b))
    root.state["a"] = 1
    root.state["a"] = 2
    assert order == []
    assert root.live is not None
    assert root.live.has_waiting
    run(root.live.run_waiting())
    assert order == [1, 2, ("b", 1), ("b", 2)]
    assert not root.live.has_waiting


def test_async_ones_that_fail_or_never_end_are_named() -> None:
    async def failing() -> None:
        raise LookupError("no")

    async def endless(state: Any) -> None:
        state["b"] += 1

    root = begun({"a": 0, "b": 0}, ("a", failing), ("b", endless))
    assert root.live is not None
    root.state["a"] = 1
    root.state["b"] = 1
    with pytest.raises(SubscriberFailed, match=r"failing to a raised LookupError: no"):
        run(root.live.run_waiting())
    assert not root.live.has_waiting
    root.state["b"] = 1
    with pytest.raises(MutationLoop, match="endless"):
        run(root.live.run_waiting())
    assert not root.live.has_waiting


@pytest.mark.parametrize(
    ("path", "function", "text"),
    [
        ("a", 3, "expected a function as its second argument, got 3"),
        ("a", int, "expected a function"),
        ("a..b", lambda: None, "expected a path such as 'counter' or 'user.name', got 'a..b'"),
        (["a", 3], lambda: None, "subscribe_mutation expected a path"),
        ("a", lambda state, ui: None, "parameters that can't be filled: ui; a subscriber takes any of state, payload"),
    ],
)
def test_what_can_not_subscribe_is_refused(path: Any, function: Any, text: str) -> None:
    initial = mh.init_state({"a": 1})
    with pytest.raises(AppError, match=text):
        initial.subscribe_mutation(path, function)
    assert not app.current().finish().reactions


def test_a_computed_value_has_no_subscribers() -> None:
    mh.computed("b")(_double)
    with pytest.raises(AppError, match="subscribes to double, which is a computed value; subscribe to what"):
        begun({"b": 1}, ("double", print_nothing))


def print_nothing() -> None: ...


NAMES = st.sampled_from(["a", "b"])
TREES = st.recursive(st.integers(0, 2), lambda below: st.dictionaries(NAMES, below, max_size=2), max_leaves=4)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)
MISSING = object()


def look_up(tree: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        tree = tree.get(name, MISSING) if isinstance(tree, dict) else MISSING
    return tree


@given(st.dictionaries(NAMES, TREES), st.lists(PATHS, max_size=3), st.lists(st.tuples(PATHS, st.none() | TREES)))
def test_subscribers_hear_what_dicts_before_and_after_differ_in(
    defaults: dict[str, Any], subscribed: list[tuple[str, ...]], steps: list[tuple[tuple[str, ...], Any]]
) -> None:
    app.begin()
    state, heard = hearing(*(".".join(path) for path in subscribed), defaults=defaults)
    for path, value in steps:
        node: Any = state
        at: list[str] = []
        for name in path[:-1]:
            if not isinstance(node[name], mh.State):
                break
            node, at = node[name], [*at, name]
        before, changed = state.to_dict(), (*at, path[-1])
        if value is None and path[-1] not in node:
            continue
        if value is None:
            del node[path[-1]]
        else:
            node[path[-1]] = value
        after = state.to_dict()
        expected = [
            (".".join(one), *(None if found is MISSING else found for found in both))
            for one in subscribed if one[: len(changed)] == changed
            for both in [(look_up(before, one), look_up(after, one))] if both != (MISSING, MISSING)
        ]  # fmt: skip
        assert heard == expected
        heard.clear()
