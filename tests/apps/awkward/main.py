"""An app that does what apps should not, and what they do all the same."""

import logging
import os
import signal
import sys
import time

import manyhands as mh

logging.basicConfig(stream=sys.stdout, level=logging.INFO, force=True)
logging.getLogger("app").info("importing")
sys.stdout.reconfigure(line_buffering=True)

mh.init_state({"counter": 0})


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("it can't be said")


class Awkward(dict):
    def items(self):
        raise ValueError("lone \ud800 surrogate")


def increment(state):
    state["counter"] += 1


def log_and_print(state):
    print("printed")
    logging.getLogger("app").warning("logged")
    state["counter"] += 1


def raise_unspeakable():
    raise Unspeakable


async def raise_unspeakable_async():
    raise Unspeakable


def raise_surrogate():
    raise ValueError("\ud800")


def return_awkward():
    return Awkward(a=1)


def assign_awkward(state):
    state["awkward"] = [Awkward(a=1)]
    state["fine"] = 1


def grow_in_place(state, payload):
    """Appends, for `payload` seconds, to a list that partial updates are encoding at the same time."""
    rows = []
    deadline = time.monotonic() + payload
    while time.monotonic() < deadline:
        rows.append((len(rows), float(len(rows))))
        if len(rows) % 10 == 0:
            state["rows"] = rows
        if len(rows) > 20_000:
            rows.clear()
            time.sleep(0.001)


def count_rows(state):
    return all(row[0] == i for i, row in enumerate(state["rows"]))


def last_long(payload):
    time.sleep(payload)
    return "innocent"


def kill_worker():
    time.sleep(0.4)
    os.kill(os.getpid(), signal.SIGKILL)
