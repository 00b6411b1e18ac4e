"""An app with a schema, computed values and subscribers."""

import asyncio
import time

import manyhands as mh


class UserState(mh.State):
    first: str = "Ada"
    last: str = "Lovelace"

    @mh.property("first", "last")
    def full_name(self):
        print("computing the full name")
        return f"{self.first} {self.last}"


class AppState(mh.State):
    counter: int = 0
    user: UserState
    chart: dict
    divisor: int = 1
    log: list[str] = []  # noqa: RUF012 - a default
    awaited: str = ""
    _changes: int = 0


initial = mh.init_state({"chart": {"mark": "bar", "_spec": {"x": 1}}}, schema=AppState)


@mh.computed("user.full_name", "counter")
def title(state):
    return f"{state.user.full_name}: {state.counter}"


@mh.computed("divisor")
def quotient(state):
    return 100 / state.divisor


def _note(state, payload, context, session):
    assert session["id"]
    state._changes += 1
    state.log = [*state.log, f"{context['mutation']}: {payload['previous_value']} -> {payload['new_value']}"]


async def _await(state, payload):
    await asyncio.sleep(0.01)
    state.awaited = f"{payload['new_value']} of {state.counter}"


def _refuse(payload):
    if payload["new_value"] == 13:
        raise ValueError("thirteen")


def _answer(state, payload):
    if payload["new_value"] == 99:
        state.counter = 99


initial.subscribe_mutation(["user.first", "divisor"], _note)
initial.subscribe_mutation("user.last", _await)
initial.subscribe_mutation("counter", _refuse)
initial.subscribe_mutation("counter", _answer)


def increment(state: AppState):
    state.counter += 1
    return state["title"]


def set_counter(state: AppState, payload):
    state["before"] = payload
    state.counter = payload
    state["after"] = payload


def rename(state: AppState, payload):
    state.user.first = payload


def replace_user(state: AppState, payload):
    state.user = payload


def marry(state: AppState, payload):
    state.user.last = payload
    state.counter += 1


async def marry_async(state: AppState, payload):
    state.user.last = payload
    await asyncio.sleep(0)
    state.counter += 1


def divide(state: AppState, payload):
    state.counter += 1
    state.divisor = payload


def draw(state: AppState, payload):
    chart = state.chart
    chart["mark"] = payload
    chart["data"] = {"values": [1, 2]}
    state.chart = chart


def slow_rename(state: AppState, payload):
    for name in payload:
        state.user.first = name
        time.sleep(0.3)
    return state["title"]


def assign_computed(state):
    state["title"] = "x"


def assign_unstorable(state: AppState):
    state.counter += 1
    state["deep"] = {"list": [object()]}
    state.user.last = "kept"


def assign_number_key(state: AppState):
    state.counter += 1
    state["deep"] = {"a": {1: 2}}


def draw_large(state: AppState, payload):
    state.chart = {"mark": "bar", "values": ["x" * 10] * payload}


def count_values(state: AppState):
    assert type(state.chart) is dict
    return len(state.chart["values"])


@mh.computed("seconds")
def slept(state):
    if state["seconds"]:
        print(f"computing for {state['seconds']} seconds")
        time.sleep(state["seconds"])
    return state["seconds"]


def sleep_in_a_partial_update(state: AppState, payload):
    time.sleep(0.4)
    state["seconds"] = payload
    time.sleep(1)


def count_slowly(state: AppState, payload):
    for _ in range(payload):
        state.counter += 1
        time.sleep(0.1)
