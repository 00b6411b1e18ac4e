"""An app whose values are large: text, files, images, tables, and what browsers upload."""

import hashlib
import random
import threading
import time

import numpy as np
import pandas as pd
from PIL import Image

import manyhands as mh

mh.init_state({"counter": 0})

MARK = "private-4711 "


def increment(state):
    state["counter"] += 1


def text(state, payload):
    """Assigns text of so many bytes, of which each number of `seed` makes another."""
    state[payload.get("name", "text")] = (f"{payload.get('seed', 0)} " * payload["size"])[: payload["size"]]


def read(state, payload):
    value = state[payload]
    return [len(value), hashlib.sha256(value.encode()).hexdigest()]


def copy(state, payload=None):
    state["copy"] = state["text"]


def delete(state, payload):
    del state[payload]


def private(state, payload):
    state["_text"] = MARK * payload
    state["rows"] = [{"shown": "x" * 100_000, "_hidden": MARK}]


def noise(payload):
    return random.Random(1).randbytes(payload)


def file(state, payload):
    state["file"] = mh.pack_bytes(noise(payload["size"]), payload.get("type", "application/pdf"))


def file_again(state):
    state["length"] = len(state["file"].data)


def image(state, payload):
    state["image"] = Image.frombytes("RGB", (payload, payload), noise(3 * payload * payload))


def array(state, payload):
    state["array"] = np.arange(payload, dtype="f8") / 7
    state["array"][1] = np.nan


def total(state):
    return float(np.nansum(state["array"]))


def received(state, payload):
    state["received"] = [[len(one), hashlib.sha256(one).hexdigest()] for one in payload["files"]]


async def received_async(state, payload):
    received(state, payload)


def result(payload):
    return "x" * payload


def hold_text(state, payload):
    """Assigns text, and at the first attempt never returns."""
    state["length"] = len(payload["upload"])
    state["text"] = "x" * payload["size"]
    if not state["holding"]:
        state["holding"] = True
        threading.Event().wait()


def table(state, payload):
    state["table"] = pd.DataFrame({"a": np.arange(payload, dtype="f8")})


def read_table(state):
    return float(state["table"]["a"].sum())


def room_text(payload):
    mh.shared("hall")["text"] = "r" * payload


def room_length():
    return len(mh.shared("hall")["text"])


def room_into_state(state):
    """Takes a part of a room over unread."""
    mh.shared("hall")["nested"] = {"text": "n" * 100_000}
    state["taken"] = mh.shared("hall")["nested"]


def text_and_wait(state, payload):
    """Assigns text, runs on until `cancel` is set, and assigns another one."""
    state["text"] = "a" * payload
    while not state["cancel"]:
        time.sleep(0.02)
    state["text"] = "b" * payload


def cancel(state):
    state["cancel"] = True
