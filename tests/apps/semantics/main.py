"""An app that does, one handler each, what the tests of the whole way need."""

import asyncio
import functools
import os
import time
from pathlib import Path

import fatal
import more_handlers
import shared as own_shared

import manyhands as mh

mh.init_state({
    "counter": 0,
    "user": {"name": "Bob", "age": 3},
    "gone": {"x": 1},
    "log": [],
    "cancel": False,
    "_secret": 1,
})  # fmt: skip
mh.init_handlers([more_handlers, fatal])


def increment(state):
    state["counter"] += 1


def read_sleep_write(state):
    before = state["counter"]
    time.sleep(0.1)
    state["counter"] = before + 1


def append(state, payload):
    state["log"] = [*state["log"], payload]


def slow_loop(state, payload):
    """Runs for `payload` seconds, counts its rounds, and stops when `cancel` is set."""
    state["cancel"] = False
    deadline = time.monotonic() + payload
    state["rounds"] = 0
    while time.monotonic() < deadline and not state["cancel"]:
        time.sleep(0.02)
        state["rounds"] += 1
    return "cancelled" if state["cancel"] else "finished"


def set_cancel(state):
    state["cancel"] = True


async def slow_async(state, payload):
    state["async"] = "began"
    await asyncio.sleep(payload)
    state["async"] = "ended"
    return payload


async def async_increment(state):
    before = state["counter"]
    await asyncio.sleep(0.01)
    state["counter"] = before + 1


def block(payload):
    """Holds a thread without the event loop noticing."""
    time.sleep(payload)


def fail(state):
    state["before"] = "kept"
    raise ValueError("secret detail")


def leave():
    raise SystemExit(3)


def assign(state, payload):
    """Assigns `[path, value]` pairs in order; a pair without a value deletes."""
    for path, *value in payload:
        node = state
        for name in path[:-1]:
            node = node[name]
        if value:
            node[path[-1]] = value[0]
        else:
            del node[path[-1]]


def assign_object(state):
    state["fine"] = 1
    state["bad"] = {"inner": object()}
    state["also_fine"] = 2


def return_object():
    return object()


def show(payload):
    return payload


def show_context(context):
    return context


def show_session(session):
    return {"id": session["id"], "agent": session["headers"].get("User-Agent"), "cookies": session["cookies"]}


def show_state(state):
    return state.to_dict()


def show_secret(state):
    return state["_secret"]


def change_in_place(state):
    state["user"].to_dict()["name"] = "changed"
    items = state["log"]
    items.append("in place")


def print_lines(payload):
    for i in range(20):
        print(f"{payload}-{i}", end="")
        time.sleep(0.002)
        print("!")


async def print_lines_async(payload):
    for i in range(20):
        print(f"{payload}-{i}", end="")
        await asyncio.sleep(0.002)
        print("!")


def own_modules():
    return [own_shared.NAME, Path(own_shared.__file__).name]


def _helper():
    raise AssertionError("never exposed")


def needs_more(state, something_else):
    raise AssertionError("never exposed")


def decorated(function):
    @functools.wraps(function)
    def wrapper(*arguments, **named):
        return ["wrapped", function(*arguments, **named)]

    return wrapper


@decorated
def wrapped(payload, *, state):
    return [payload, state["counter"]]


def append_outside(state, payload):
    """Appends to the state, and to a file outside it: `[path, text]`."""
    path, text = payload
    with Path(path).open("a") as file:
        file.write(f"{text}\n")
    state["log"] = [*state["log"], text]


def slow_append_outside(state, payload):
    """As `append_outside`, but first says that it began, and where, and then takes `payload[2]` seconds."""
    path, text, seconds = payload
    Path(f"{path}.pid").write_text(str(os.getpid()))
    with Path(path).open("a") as file:
        file.write(f"began {text}\n")
    time.sleep(seconds)
    with Path(path).open("a") as file:
        file.write(f"{text}\n")
    state["log"] = [*state["log"], text]


def append_outside_when_told(state, payload):
    """As `slow_append_outside`, but until a file exists: `[path, text, file]`."""
    path, text, told = payload
    with Path(path).open("a") as file:
        file.write(f"began {text}\n")
    while not Path(told).exists():
        time.sleep(0.02)
    with Path(path).open("a") as file:
        file.write(f"{text}\n")
    state["log"] = [*state["log"], text]


def sleep(state, payload):
    state["sleeps"] = True
    time.sleep(payload)


def who():
    """Gives the process that runs it."""
    return os.getpid()


def compute(state, payload):
    """Holds the interpreter's lock for `payload` seconds, as far as Python lets it."""
    state["computes"] = os.getpid()
    deadline = time.monotonic() + payload
    while time.monotonic() < deadline:
        sum(range(1000))
    return os.getpid()


_naps = 0
_told = asyncio.Event()


async def nap_until_told():
    global _naps
    _naps += 1
    await _told.wait()


def count_naps():
    return _naps


async def tell_naps():
    _told.set()


async def speak(state, payload):
    """Adds words to a text, one after another: `[path, words, seconds between two]`."""
    path, words, pause = payload
    node = _node_at(state, path)
    for word in words:
        node[path[-1]] = (node[path[-1]] or "") + word
        await asyncio.sleep(pause)


def say(state, payload):
    """Adds one word: `[path, word]`."""
    path, word = payload
    node = _node_at(state, path)
    node[path[-1]] = (node[path[-1]] or "") + word


def _node_at(state, path):
    for name in path[:-1]:
        if state[name] is None:
            state[name] = {}
        state = state[name]
    return state
