"""An app whose handlers say in a file outside the state what ran where, and when: one line each, written at once."""

import os
import time
from pathlib import Path

import manyhands as mh

mh.init_state({"counter": 0, "_secret": 1})


def _note(path, text):
    with Path(path).open("a") as file:
        file.write(f"{text}\n")


def count(state):
    state["counter"] += 1
    return state["counter"]


async def count_async(state):
    state["counter"] += 1


def note(state, payload):
    """Writes a line: `[path, text]`."""
    state["counter"] += 1
    _note(*payload)


def die(payload):
    """Writes a line, then ends the process: `[path, text]`."""
    _note(*payload)
    os._exit(7)


def note_and_sleep(state, payload):
    """Writes when it began and ended, and its process: `[path, text, seconds]`."""
    path, text, seconds = payload
    _note(path, f"began {text} {os.getpid()} {time.monotonic()}")
    time.sleep(seconds)
    state["counter"] += 1
    _note(path, f"ended {text} {os.getpid()} {time.monotonic()}")


def sleep(payload):
    time.sleep(payload)


def train_here(state, payload):
    """Routed elsewhere by the tests: `[path, text]`."""
    state["counter"] += 1
    _note(payload[0], f"{payload[1]} {os.getpid()}")


def play_here(state, payload):
    """The same."""
    train_here(state, payload)


def note_here(state, payload):
    """The same, and not routed."""
    train_here(state, payload)


def echo(payload):
    return payload
