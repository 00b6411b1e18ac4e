"""A typed state: attributes, what may be assigned, dicts that are one value, defaults."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal, TypedDict

import pytest

import manyhands as mh
from manyhands import app
from manyhands.errors import AppError, KeyNotString, SchemaViolation
from manyhands.fields import apply, build_tree
from manyhands.state_root import StateRoot
from manyhands_worker.changes import Changes, encode_changes


class Colour(enum.Enum):
    RED = "red"


class Chart(TypedDict):
    mark: str


class UserState(mh.State):
    name: str = "Bob"
    age: int | None


class AppState(mh.State):
    LIMIT: ClassVar[int] = 3
    counter: int = 0
    ratio: float = 0
    user: UserState
    guest: UserState | None = None
    rows: list[int] = []  # noqa: RUF012 - a default, encoded when it is declared
    chart: Chart
    settings: dict[str, Any] | None = None
    free: mh.State
    colour: Colour = Colour.RED
    size: Literal["s", "m"] = "s"
    anything: Any
    _secret: str = "x"


@pytest.fixture(autouse=True)
def application() -> Iterator[app.Application]:
    """An app of this test's own."""
    yield app.begin()
    app.begin()


def begun(defaults: dict[str, Any] | None = None, schema: type[mh.State] = AppState) -> StateRoot:
    """Begin a session's first event."""
    mh.init_state(defaults, schema=schema)
    declared = app.current().finish()
    return StateRoot(build_tree(app.current().defaults or {}, {}), "s", declared)


def typed(defaults: dict[str, Any] | None = None) -> tuple[StateRoot, AppState]:
    root = begun(defaults)
    assert isinstance(root.state, AppState)
    return root, root.state


def committed(root: StateRoot) -> Changes:
    return encode_changes(root.take(), app.current().defaults or {}, any_defaults=False)


def next_event(root: StateRoot) -> AppState:
    fields: dict[bytes, bytes] = {}
    apply(fields, committed(root).ops)
    state = StateRoot(build_tree(app.current().defaults or {}, fields), "s", app.current().finish()).state
    assert isinstance(state, AppState)
    return state


def test_an_attribute_is_its_key() -> None:
    root, state = typed()
    state.counter += 1
    state["counter"] += 1
    state.user.name = "Ada"
    state.user["age"] = 36
    del state.ratio
    assert (state["counter"], state.counter, state.user["name"], state.user.age) == (2, 2, "Ada", 36)
    assert [(one.path, one.deleted) for one in root.take()] == [
        (("counter",), False), (("user", "name"), False), (("user", "age"), False), (("ratio",), True),
    ]  # fmt: skip


def test_a_part_of_the_state_has_the_class_that_is_declared_also_when_it_was_replaced() -> None:
    _, state = typed()
    assert type(state.user) is UserState
    assert state.user is state["user"]
    state.user = {"name": "Ada"}  # type: ignore[assignment]
    assert type(state.user) is UserState
    assert state.user.name == "Ada"
    state.guest = state.user
    assert type(state.guest) is UserState
    state.guest.name = "Eve"
    assert state.user.name == "Ada"
    assert type(state.free) is mh.State


def test_class_bodies_give_defaults_and_init_state_lies_over_them() -> None:
    _, state = typed({"counter": 5, "user": {"age": 3}, "more": 1})
    assert state.to_dict() == {
        "counter": 5, "ratio": 0, "user": {"name": "Bob", "age": 3}, "guest": None, "rows": [], "settings": None,
        "free": {}, "colour": Colour.RED, "size": "s", "_secret": "x", "more": 1,
    }  # fmt: skip
    assert state.anything is None
    assert AppState.LIMIT == state.LIMIT == 3


@pytest.mark.parametrize(
    ("assign", "field"),
    [
        (lambda state: setattr(state, "counter", "1"), 'state["counter"] is declared as int by AppState, got '),
        (lambda state: state.update(ratio=1, counter=1.5), 'state["counter"]'),
        (lambda state: state.setdefault("anything", 1) and state.setdefault("user", 1), 'state["user"]'),
        (lambda state: state.__setitem__("counter", None), 'state["counter"]'),
        (lambda state: setattr(state.user, "age", "x"), 'state["user"]["age"] is declared as int | None by UserState'),
        (lambda state: setattr(state, "user", {"name": 1}), 'state["user"]["name"]'),
        (lambda state: setattr(state, "user", None), 'state["user"]'),
        (lambda state: setattr(state, "guest", []), 'state["guest"]'),
        (lambda state: setattr(state, "rows", ["x"]), 'state["rows"]'),
        (lambda state: setattr(state, "rows", (1,)), 'state["rows"]'),
        (lambda state: setattr(state, "chart", {"mrk": 1}), 'state["chart"]'),
        (lambda state: setattr(state, "settings", [1]), 'state["settings"]'),
        (lambda state: setattr(state, "colour", "red"), 'state["colour"]'),
        (lambda state: setattr(state, "size", "xl"), 'state["size"]'),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_where_it_is_assigned_by_the_name_of_its_field(
    assign: Callable[[AppState], None], field: str
) -> None:
    root, state = typed()
    before = state.to_dict()
    with pytest.raises(SchemaViolation) as caught:
        assign(state)
    assert field in str(caught.value)
    assert {**state.to_dict(), "anything": 0} == {**before, "anything": 0}
    assert not [one for one in root.take() if one.path != ("anything",)]


def test_values_that_type_checkers_allow_are_allowed() -> None:
    root, state = typed()
    state.ratio = 1
    state.counter = True
    state.guest = None
    state.settings = None
    state.anything = {"a": {"b": 1}}
    state.anything["a"]["b"] = 2
    state.size = "m"
    assert not committed(root).errors


def test_undeclared_names_work_by_their_key_alone() -> None:
    root, state = typed()
    state["extra"] = {"a": 1}
    state["extra"]["a"] = "x"
    assert [one.path for one in root.take()] == [("extra",)]
    with pytest.raises(AttributeError, match=r"AppState declares no countr; did you mean counter\?"):
        state.countr += 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r'UserState declares no extra, but age, name\. .* state\["extra"\]'):
        state.user.extra = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        begun({}, mh.State).state.counter = 1  # type: ignore[attr-defined]
    assert not hasattr(state, "__array__")


def test_a_declared_dict_is_one_value() -> None:
    root, state = typed({"chart": {"mark": "bar"}})
    assert type(state.chart) is dict
    assert state.chart is state["chart"]
    state.settings = {"a": {"b": 1}}
    assert type(state.settings) is dict
    state.settings["a"]["b"] = 2
    chart = state.chart
    chart["mark"] = "line"
    changes = committed(root)
    assert [(path, len(changes.ops)) for path, _ in changes.set_views] == [(("settings",), 1)]
    fields: dict[bytes, bytes] = {}
    apply(fields, changes.ops)
    tree = build_tree(app.current().defaults or {}, fields)
    later = StateRoot(tree, "s", app.current().finish())
    assert later.state.to_dict()["settings"] == {"a": {"b": 2}}
    assert later.state["chart"] == {"mark": "bar"}
    assert later.snapshot_value(("settings", "a", "b")) == 2


def test_a_dict_that_is_one_value_is_written_when_it_is_assigned_again() -> None:
    root, state = typed({"chart": {"mark": "bar"}})
    chart = state.chart
    chart["mark"] = "line"
    state.chart = chart
    assert next_event(root).chart == {"mark": "line"}


def test_a_dict_that_another_version_stored_leaf_by_leaf_reads_as_one_value() -> None:
    mh.init_state({"settings": {"a": {"b": 1}}})
    stored = app.current().defaults or {}
    mh.init_state(schema=AppState)
    state = StateRoot(build_tree({}, stored), "s", app.current().finish()).state
    assert type(state["settings"]) is dict
    assert state["settings"] == {"a": {"b": 1}}


@pytest.mark.parametrize("value", [{1: 2}, {"a": {1: 2}}])
def test_keys_that_are_not_strings_are_refused_at_the_assignment(value: Any) -> None:
    _, state = typed()
    for name in ("settings", "anything", "extra", "free"):
        with pytest.raises(KeyNotString):
            state[name] = value


def test_defaults_that_break_the_schema_are_refused(application: app.Application) -> None:
    with pytest.raises(SchemaViolation, match=r'state\["user"\]\["name"\] is declared as str by UserState, got 3'):
        mh.init_state({"user": {"name": 3}}, schema=AppState)
    assert application.defaults is None


class Unresolved(mh.State):
    a: Nowhere  # type: ignore[name-defined]  # noqa: F821


class InList(mh.State):
    users: list[UserState]


class TwoSchemas(mh.State):
    a: UserState | int


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (Unresolved, "the annotations of Unresolved can't be resolved: name 'Nowhere' is not defined"),
        (InList, "InList.users is declared as list.*UserState.*only a field itself can have a schema"),
        (TwoSchemas, "TwoSchemas.a is declared as .*None alone may stand in its place"),
        (int, r"init_state expected as schema a class .* got <class 'int'>"),
    ],
)
def test_a_schema_that_cannot_be_kept_is_refused(schema: Any, text: str) -> None:
    with pytest.raises(AppError, match=text):
        mh.init_state({}, schema)


def test_a_name_that_every_state_has_is_refused() -> None:
    with pytest.raises(AppError, match="Shop declares items, which every State has"):
        type("Shop", (mh.State,), {"__annotations__": {"items": list}})


class Base(mh.State):
    counter: int = 1


class Derived(Base):
    more: int = 2


def test_a_schema_may_be_derived_from_another() -> None:
    state = begun(schema=Derived).state
    assert isinstance(state, Derived)
    assert (state.counter, state.more) == (1, 2)
    with pytest.raises(SchemaViolation):
        state.counter = "x"  # type: ignore[assignment]


def test_a_schema_leaves_untyped_states_as_they_are() -> None:
    typed()
    assert mh.State._schema is None


class Tree(mh.State):
    value: int = 0
    below: Tree | None = None


class Endless(mh.State):
    below: Endless


def test_a_schema_may_name_itself_where_none_may_stand() -> None:
    root = begun({"below": {"below": {"value": 1}}}, Tree)
    state = root.state
    assert isinstance(state, Tree)
    assert state.below is not None
    assert state.below.below is not None
    assert state.to_dict() == {
        "value": 0, "below": {"value": 0, "below": {"value": 1, "below": None}},
    }  # fmt: skip
    with pytest.raises(SchemaViolation, match=r'state\["below"\]\["below"\]\["value"\] is declared as int by Tree'):
        state.below.below.value = "x"  # type: ignore[assignment]
    with pytest.raises(AppError, match=r"a Endless holds another Endless without end; .* as Endless \| None"):
        mh.init_state({}, Endless)
