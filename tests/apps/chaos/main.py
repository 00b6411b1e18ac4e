"""An app whose handlers leave two traces of every run: in the state, and in a file that no failure takes back.

Each gets `[client, n, seconds]`, its own event's name and how long to take.
"""

import asyncio
import os
import time
import zlib

import manyhands as mh

mh.init_state({"events": [], "progress": {}, "finished": {}, "said": {}})

# Lines of one `write` to a file opened for appending never mix, however many processes write.
_trace = os.open(os.environ.get("CHAOS_TRACE", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

#: What a session holds beside its events, by its id: nothing, many keys, a large value, or a room of its own.
MANY, LARGE, SHARING = 1, 2, 3
#: Seconds between two assignments of a long handler.
ROUND = 0.05
#: Seconds that a slow handler sleeps at once.
STEP = 0.01


def short(state, payload, session):
    _note("began", payload, session)
    _append(state, payload, session)
    _note("did", payload, session)


async def short_async(state, payload, session):
    _note("began", payload, session)
    await asyncio.sleep(payload[2])
    _append(state, payload, session)
    _note("did", payload, session)


def slow(state, payload, session):
    _note("began", payload, session)
    # In steps, so that one whose process was stopped still has work to do when it goes on.
    for _ in range(round(payload[2] / STEP)):
        time.sleep(STEP)
    _append(state, payload, session)
    _note("did", payload, session)


def long(state, payload, session):
    """Runs far beyond its turn, and assigns only below keys of its own."""
    _note("began", payload, session)
    state["said"][_name(payload)] = ""
    for number in range(round(payload[2] / ROUND)):
        time.sleep(ROUND)
        state["progress"][_name(payload)] = number
        state["said"][_name(payload)] += f"round {number}, "
    state["finished"][_name(payload)] = True
    _note("did", payload, session)


async def long_async(state, payload, session):
    _note("began", payload, session)
    state["said"][_name(payload)] = ""
    for number in range(round(payload[2] / ROUND)):
        await asyncio.sleep(ROUND)
        state["progress"][_name(payload)] = number
        state["said"][_name(payload)] += f"round {number}, "
    state["finished"][_name(payload)] = True
    _note("did", payload, session)


def _name(payload):
    return f"{payload[0]}/{payload[1]}"


def _append(state, payload, session):
    # The room first: while it is waited for, the handler may be detached, and what it had read before would be old.
    room = mh.shared(f"of-{session['id']}") if _kind(session) == SHARING else {}
    shared = room.get("events") or []
    names, name = state["events"], _name(payload)
    if _kind(session) == MANY:
        _count(state["many"], name) if state["many"] else state.update(many={str(n): n for n in range(300)})
    elif _kind(session) == LARGE:
        _check(state, state["large"] in (None, [state["named"]] * 2000))
        if payload[1] % 8 == 0:
            state["large"], state["named"] = [name] * 2000, name
    elif _kind(session) == SHARING:
        # It is written in a step of its own, before the session: an event that is run again finds itself there.
        _check(state, shared in (names, [*names, name]))
        room["events"] = [*shared, name]
    state["events"] = [*names, name]


def _count(many, name):
    """Touch two of many keys, one of them new."""
    many["0"] += 1
    many[name] = True


def _check(state, is_right):
    if not is_right:
        state["violations"] = (state["violations"] or 0) + 1


def _kind(session):
    return zlib.crc32(session["id"].encode()) % 4


def _note(word, payload, session):
    line = f"{word} {session['id']} {payload[0]} {payload[1]} {os.getpid()} {time.monotonic():.4f}\n"
    os.write(_trace, line.encode())
