"""An app whose sessions hold much more than its handlers look at."""

import os
import time
from pathlib import Path

import manyhands as mh

mh.init_state({"counter": 0, "user": {"name": "Bob"}, "go": False})


def fill(state, payload):
    """Make so many items, and as many keys beside them."""
    state["items"] = {f"item{n}": {"name": f"Item {n}", "price": n} for n in range(payload)}
    state.update({f"key{n}": n for n in range(payload)})


def hoard(state, payload):
    """Keep so many MB, in pieces of 2 MB."""
    for piece in range(payload // 2):
        state[f"hoard{piece}"] = os.urandom(2 * 10**6)


def increment(state):
    state["counter"] += 1
    return state["counter"]


def raise_price(state, payload):
    state["items"][payload]["price"] += 1
    return state["items"][payload]["price"]


def total(state):
    return sum(item["price"] for item in state["items"].values())


def count(state):
    return [len(state), len(state["items"]), len(state.to_dict()["items"])]


def replace_items(state, payload):
    old = state["items"]
    state["items"] = {"only": {"price": payload}}
    return old["item1"]["price"]


def remove_items(state):
    del state["items"]
    return "items" in state


def wait_for_go(state):
    """Runs on while other events change what it looks at."""
    state["waiting"] = True
    seen = {state["items"]["item3"]["price"]}
    while not state["go"]:
        time.sleep(0.01)
        seen.add(state["items"]["item3"]["price"])
    return sorted(seen)


def go(state):
    state["go"] = True


def add_late(state, payload):
    """Says that it has begun, reads once it is told to, and writes a while later."""
    Path(f"{payload}.began").touch()
    while not Path(f"{payload}.read").exists():
        time.sleep(0.005)
    value = state["key7"]
    time.sleep(0.3)
    state["key7"] = value + 1


def add(state):
    state["key7"] += 1
    return state["key7"]
