"""An app whose handlers leave two traces of every run: in the state, and in a file that no failure takes back.

Each gets `[client, n, seconds]`, its own event's name and how long to take.
"""

import asyncio
import os
import time

import manyhands as mh

mh.init_state({"events": [], "progress": {}, "finished": {}})

# Lines of one `write` to a file opened for appending never mix, however many processes write.
_trace = os.open(os.environ.get("CHAOS_TRACE", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

#: Seconds between two assignments of a long handler.
ROUND = 0.05
#: Seconds that a slow handler sleeps at once.
STEP = 0.01


def short(state, payload, session):
    _note("began", payload, session)
    _append(state, payload)
    _note("did", payload, session)


async def short_async(state, payload, session):
    _note("began", payload, session)
    await asyncio.sleep(payload[2])
    _append(state, payload)
    _note("did", payload, session)


def slow(state, payload, session):
    _note("began", payload, session)
    # In steps, so that one whose process was stopped still has work to do when it goes on.
    for _ in range(round(payload[2] / STEP)):
        time.sleep(STEP)
    _append(state, payload)
    _note("did", payload, session)


def long(state, payload, session):
    """Runs far beyond its turn, and assigns only below keys of its own."""
    _note("began", payload, session)
    for number in range(round(payload[2] / ROUND)):
        time.sleep(ROUND)
        state["progress"][_name(payload)] = number
    state["finished"][_name(payload)] = True
    _note("did", payload, session)


async def long_async(state, payload, session):
    _note("began", payload, session)
    for number in range(round(payload[2] / ROUND)):
        await asyncio.sleep(ROUND)
        state["progress"][_name(payload)] = number
    state["finished"][_name(payload)] = True
    _note("did", payload, session)


def _name(payload):
    return f"{payload[0]}/{payload[1]}"


def _append(state, payload):
    state["events"] = [*state["events"], _name(payload)]


def _note(word, payload, session):
    line = f"{word} {session['id']} {payload[0]} {payload[1]} {os.getpid()} {time.monotonic():.4f}\n"
    os.write(_trace, line.encode())
