"""Computed values: when they are computed, in which order, and what happens when they can't be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import manyhands as mh
from manyhands import app
from manyhands.errors import AppError, ComputedAssigned, ComputedFailed
from manyhands.fields import apply, build_tree
from manyhands.state_root import StateRoot
from manyhands_worker.changes import encode_changes


@pytest.fixture(autouse=True)
def _application() -> Iterator[None]:
    app.begin()
    yield
    app.begin()


def finish(defaults: Any = None, schema: Any = None, declaring: str | None = None) -> Callable[[], StateRoot]:
    """End an app's import; gives what begins a session's first event. `declaring`: what a value `a` depends on."""
    if declaring is not None:
        mh.computed(declaring)(_function("a"))
    mh.init_state(defaults, schema)
    declared = app.current().finish()
    return lambda: StateRoot(build_tree(app.current().defaults or {}, {}), "s", declared)


def written(root: StateRoot) -> list[tuple[str, ...]]:
    """Commit, and give the paths that were written."""
    mutations, failed = root.take_settled()
    assert failed == []
    return [one.path for one in mutations]


def test_a_new_session_begins_with_computed_values() -> None:
    @mh.computed("first", "last")
    def full_name(state: Any) -> str:
        return f"{state['first']} {state['last']}"

    root = finish({"first": "Ada", "last": "L"})()
    assert root.state["full_name"] == "Ada L"
    assert "full_name" in root.state
    assert written(root) == []


def test_a_commit_holds_what_its_assignments_change_and_nothing_else() -> None:
    @mh.computed("a", ["user.name"])
    def both(state: Any) -> list[Any]:
        return [state["a"], state["user"]["name"]]

    @mh.computed("c")
    def other(state: Any) -> Any:
        return state["c"]

    root = finish({"a": 1, "user": {"name": "Bob", "age": 1}, "c": 0})()
    root.state["user"]["age"] = 2
    assert written(root) == [("user", "age")]
    root.state["user"]["name"] = "Ada"
    assert written(root) == [("user", "name"), ("both",)]
    root.state["user"] = {"name": "Eve"}
    assert written(root) == [("user",), ("both",)]
    assert root.state["both"] == [1, "Eve"]
    root.state["a"] = 1
    assert written(root) == [("a",)], "its value is the same"
    assert root.state["other"] == 0


def test_a_handler_reads_it_up_to_date_and_it_is_computed_once() -> None:
    calls = []

    @mh.computed("a")
    def double(state: Any) -> int:
        calls.append(state["a"])
        return int(state["a"]) * 2

    root = finish({"a": 1})()
    calls.clear()
    for number in range(5):
        root.state["a"] = number
    assert root.state["double"] == 8
    assert root.state.to_dict() == {"a": 4, "double": 8}
    assert dict(root.state.items()) == root.state.copy() == {"a": 4, "double": 8}
    assert written(root) == [("a",), ("double",)]
    assert calls == [4]


def test_those_that_depend_on_one_another_are_computed_in_their_order() -> None:
    @mh.computed("gross")
    def shown(state: Any) -> str:
        return f"{state['gross']:.2f}"

    @mh.computed("net", "tax")
    def gross(state: Any) -> Any:
        return state["net"] + state["tax"]

    @mh.computed("net")
    def tax(state: Any) -> Any:
        return state["net"] / 10

    root = finish({"net": 100})()
    root.state["net"] = 200
    assert root.state["shown"] == "220.00"
    root.state["net"] = 10
    assert set(written(root)) == {("net",), ("gross",), ("tax",), ("shown",)}
    assert root.state["shown"] == "11.00"


def test_a_cycle_is_refused_with_its_names() -> None:
    mh.computed("b")(_function("a"))
    mh.computed("c")(_function("b"))
    mh.computed("a.x")(_function("c"))
    with pytest.raises(AppError, match=r"depend on one another: (a → b → c → a|b → c → a → b|c → a → b → c)"):
        finish({})


@pytest.mark.parametrize("wrong", ["a", ""])
def test_one_that_depends_on_itself_or_on_nothing_is_refused(wrong: str) -> None:
    with pytest.raises(AppError, match=r"depend on one another: a → a|expected a path"):
        finish({}, declaring=wrong)


def _function(name: str) -> Any:
    def function(state: Any) -> int:
        return 1

    function.__name__ = name
    return function


async def is_async(state: Any) -> None: ...


def has_two(state: Any, payload: Any) -> None: ...


@pytest.mark.parametrize(
    ("declare", "text"),
    [
        (lambda: mh.computed(_function("a")), "the paths that the value depends on"),
        (lambda: mh.computed(), "the paths that the value depends on"),
        (lambda: mh.computed("a..b"), "expected a path such as 'counter' or 'user.name', got 'a..b'"),
        (lambda: mh.computed(3), "expected a path such as"),
        (lambda: mh.computed("a")(3), "expected a function such as"),
        (lambda: mh.computed("a")(is_async), "is_async .* is async or a generator"),
        (lambda: mh.computed("a")(has_two), "has_two .* takes one parameter"),
    ],
)
def test_what_can_not_be_a_computed_value_is_refused(declare: Callable[[], Any], text: str) -> None:
    with pytest.raises(AppError, match=text):
        declare()


def test_a_default_of_the_same_name_is_refused() -> None:
    mh.computed("a")(_function("b"))
    with pytest.raises(AppError, match=r'state\["b"\] is a computed value, so it can\'t have a default'):
        finish({"a": 1, "b": 2})


def test_two_of_one_name_are_refused() -> None:
    mh.computed("a")(_function("b"))
    mh.computed("c")(_function("b"))
    with pytest.raises(AppError, match="two computed values are called b"):
        finish({})


def test_one_that_fails_on_the_defaults_is_refused_by_its_name() -> None:
    @mh.computed("rows")
    def total(state: Any) -> Any:
        return sum(state["rows"])

    with pytest.raises(ComputedFailed, match="the computed value total raised TypeError"):
        finish({})


@pytest.mark.parametrize(
    "assign",
    [
        lambda state: state.__setitem__("double", 1),
        lambda state: state.__delitem__("double"),
        lambda state: state.update(a=5, double=1),
        lambda state: state.pop("double"),
    ],
)
def test_it_can_not_be_assigned(assign: Callable[[Any], None]) -> None:
    @mh.computed("a")
    def double(state: Any) -> int:
        return int(state["a"] or 0) * 2

    root = finish({"a": 1})()
    with pytest.raises(ComputedAssigned, match=r'state\["double"\] is a computed value, which can\'t be assigned'):
        assign(root.state)
    assert root.state.to_dict() == {"a": 1, "double": 2}
    root.state.clear()
    assert root.state.to_dict() == {"double": 0}


def test_one_that_raises_keeps_its_value_and_the_rest_is_kept() -> None:
    @mh.computed("a")
    def inverse(state: Any) -> float:
        return 1 / float(state["a"])

    @mh.computed("a")
    def double(state: Any) -> int:
        return int(state["a"]) * 2

    root = finish({"a": 1, "b": 0})()
    root.state["a"] = 0
    root.state["b"] = 5
    with pytest.raises(ComputedFailed, match="the computed value inverse raised ZeroDivisionError"):
        root.state["inverse"]
    mutations, (failed,) = root.take_settled()
    assert (failed.who, type(failed.__cause__)) == ("the computed value inverse", ZeroDivisionError)
    assert [(one.path, one.value) for one in mutations] == [(("a",), 0), (("b",), 5), (("double",), 0)]
    root.state["a"] = 4
    assert root.state["inverse"] == 0.25


class Item(mh.State):
    price: float
    count: int = 1

    @mh.property("price", "count")
    def total(self) -> float:
        return self.price * self.count


class Cart(mh.State):
    item: Item
    other: Item | None = None
    discount: float = 0

    @mh.property(["item.total", "discount"])
    def to_pay(self) -> float:
        return self.item.total - self.discount


def test_methods_of_a_schema_lie_where_the_schema_lies() -> None:
    begin = finish({"item": {"price": 3}}, Cart)
    root = begin()
    state = root.state
    assert isinstance(state, Cart)
    assert state.to_dict() == {
        "item": {"price": 3, "count": 1, "total": 3}, "other": None, "discount": 0, "to_pay": 3,
    }  # fmt: skip
    state.item.count = 4
    assert (state.item.total, state["to_pay"]) == (12, 12)
    state.item = {"price": 1, "count": 1, "total": 99}  # type: ignore[assignment]
    assert (state.item.total, state.to_pay) == (1, 1)
    with pytest.raises(ComputedAssigned):
        state.item.total = 5  # type: ignore[misc]
    state.other = {"price": 2, "count": 2}  # type: ignore[assignment]
    assert set(written(root)) == {("item",), ("to_pay",), ("other",)}
    assert state["other"]["total"] == 4
    state.other = None
    assert written(root) == [("other",)]


def test_it_is_computed_on_what_a_refresh_has_brought() -> None:
    @mh.computed("a", "b")
    def total(state: Any) -> Any:
        return state["a"] + state["b"]

    root = finish({"a": 1, "b": 1})()
    root.state["a"] = 10
    root.refresh(("b",), 5, True)
    assert written(root) == [("a",), ("total",)]
    assert root.state["total"] == 15


def test_a_session_that_began_without_it_computes_it_when_it_is_read() -> None:
    @mh.computed("a")
    def double(state: Any) -> int:
        return int(state["a"]) * 2

    mh.init_state({"a": 1})
    root = StateRoot({"a": 3}, "s", app.current().finish())
    assert root.state["double"] == 6
    assert written(root) == [("double",)]


def test_a_cancel_reaches_the_handler_and_not_the_computing_for_a_commit() -> None:
    @mh.computed("a")
    def double(state: Any) -> int:
        return int(state["a"]) * 2

    root = finish({"a": 1})()
    root.state["a"] = 2
    root.cancel()
    assert written(root) == [("a",), ("double",)]
    with pytest.raises(mh.Cancelled):
        root.state["a"]


def test_what_is_assigned_while_it_is_computed_is_not_lost() -> None:
    computing, assigned = threading.Event(), threading.Event()

    @mh.computed("a")
    def copy(state: Any) -> Any:
        value = state["a"]
        if value == 1:
            computing.set()
            assert assigned.wait(10)
        return value

    root = finish({"a": 0})()
    root.state["a"] = 1
    flusher = threading.Thread(target=root.take_settled)
    flusher.start()
    assert computing.wait(10)
    root.state["a"] = 2
    assert root.state["copy"] == 2
    assigned.set()
    flusher.join(10)
    assert root.state["copy"] == 2
    root.take_settled()
    assert root.state["copy"] == 2


def test_one_that_reads_itself_gets_its_old_value() -> None:
    @mh.computed("a")
    def history(state: Any) -> list[Any]:
        return [*(state["history"] or []), state["a"]]

    root = finish({"a": 0})()
    root.state["a"] = 1
    assert root.state["history"] == [0, 1]


NAMES = st.sampled_from(["a", "b"])
VALUES = st.one_of(st.integers(0, 3), st.dictionaries(NAMES, st.integers(0, 3), max_size=2))


def in_order(value: Any) -> Any:
    # A key that was deleted and assigned again comes back in its old place.
    return sorted(value.items()) if isinstance(value, mh.State) else value


@given(st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=2), st.none() | VALUES, st.booleans()), max_size=12))
def test_whatever_is_assigned_and_deleted_every_commit_holds_the_values_as_they_are(steps: list[Any]) -> None:
    app.begin()

    def deep(state: Any) -> str:
        below = state["a"]
        return f"{below['b'] if isinstance(below, mh.State) else below} {in_order(state['b'])}"

    def upon(state: Any) -> str:
        return f"<{state['deep']}>"

    mh.computed("a.b", "b")(deep)
    mh.computed("deep")(upon)
    root = finish({"a": {"b": 1}})()
    defaults, fields = app.current().defaults or {}, {}
    for path, value, ends in steps:
        node: Any = root.state
        for name in path[:-1]:
            node = node[name] if isinstance(node[name], mh.State) else node
        if value is None:
            node.pop(path[-1], None)
        else:
            node[path[-1]] = value
        if ends:
            mutations, failed = root.take_settled()
            assert failed == []
            apply(fields, encode_changes(mutations, defaults, any_defaults=False).ops)
            stored = StateRoot(build_tree(defaults, dict(fields)), "s").state
            assert stored["deep"] == deep(stored)
            assert stored["upon"] == f"<{stored['deep']}>"


def test_in_a_session_of_another_version_all_are_computed_once_and_none_fails_an_event() -> None:
    @mh.computed("a")
    def double(state: Any) -> int:
        return int(state["a"]) * 2

    @mh.computed("a")
    def inverse(state: Any) -> float:
        return 1 / float(state["a"])

    mh.init_state({"a": 1})
    declared = app.current().finish()
    root = StateRoot({"a": 0, "double": 7, "inverse": 3}, "s", declared)
    assert root.live is not None
    root.live.suspect_all()
    assert written(root) == [("double",)]
    assert root.state.to_dict() == {"a": 0, "double": 0, "inverse": 3}
    root.state["a"] = 0
    assert len(root.take_settled()[1]) == 1


def test_after_a_refresh_of_the_whole_state_all_are_computed_again() -> None:
    @mh.computed("user.name")
    def greeting(state: Any) -> str:
        return f"Dear {state['user']['name']}"

    root = finish({"user": {"name": "Bob"}})()
    root.refresh((), {"user": {"name": "Ada"}, "greeting": "Dear Bob"}, True)
    assert root.state["greeting"] == "Dear Ada"


class Declaring(mh.State):
    price: int = 2
    total: int
    tax: float

    @mh.computed("price")  # type: ignore[no-redef]
    def total(self) -> Any:
        return self.price if self.price < 5 else "much"


def test_a_computed_value_may_be_declared_and_then_its_type_is_checked() -> None:
    @mh.computed("price")
    def tax(state: Any) -> float:
        return float(state.price) / 10

    root = finish(schema=Declaring)()
    state = root.state
    assert isinstance(state, Declaring)
    assert (state.total, state.tax) == (2, 0.2)
    state.price = 5
    assert state.tax == 0.5
    with pytest.raises(ComputedFailed, match=r'total raised SchemaViolation: state\["total"\] is declared as int'):
        state["total"]


def test_one_that_failed_is_not_tried_again_by_commits_before_something_it_depends_on_is_assigned() -> None:
    calls: list[Any] = []

    @mh.computed("a")
    def inverse(state: Any) -> float:
        calls.append(state["a"])
        return 1 / float(state["a"])

    root = finish({"a": 1, "b": 1})()
    calls.clear()
    root.state["a"] = 0
    first = root.take_settled()[1]
    root.state["b"] = 2
    assert root.take_settled()[1] == first
    assert calls == [0]
    root.state["a"] = 2
    assert root.take_settled()[1] == []
    assert root.state["inverse"] == 0.5


def test_what_a_running_handler_assigns_while_its_commit_computes_is_computed_for_that_commit() -> None:
    @mh.computed("a")
    def copy(state: Any) -> Any:
        value = state["a"]
        if 0 < value < 5:
            state["a"] = value + 1
        return value

    root = finish({"a": 0})()
    root.state["a"] = 1
    mutations, _ = root.take_settled()
    assert {one.path: one.value for one in mutations} == {("a",): 5, ("copy",): 5}


def test_a_value_upon_one_whose_function_iterates_is_computed_of_the_new_one() -> None:
    @mh.computed("cart")
    def total(state: Any) -> int:
        return sum(state["cart"].values())

    @mh.computed("total")
    def shown(state: Any) -> str:
        return f"{state['total']} €"

    @mh.computed("shown")
    def loud(state: Any) -> str:
        return f"{state['shown']}!"

    root = finish({"cart": {"tea": 2}})()
    root.state["cart"]["milk"] = 3
    mutations, failed = root.take_settled()
    assert failed == []
    assert (root.state["shown"], root.state["loud"]) == ("5 €", "5 €!")
    assert ("shown",) in {mutation.path for mutation in mutations}
