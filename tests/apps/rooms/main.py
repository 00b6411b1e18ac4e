"""An app whose sessions meet in rooms: a chat, counters, and handlers that do what they should not."""

import asyncio
import os
import time
from pathlib import Path

import manyhands as mh

mh.init_state({"name": "nobody", "seen": None, "cancel": False})


def enter(state, payload, session):
    """Joins a room under a name: `[room, name]`."""
    room, state["name"] = payload
    session.join(room)
    members = mh.shared(room, {"messages": [], "members": {}})["members"]
    members[session["id"]] = state["name"]


def go(payload, session):
    """Leaves a room."""
    room = mh.shared(payload)
    del room["members"][session["id"]]
    session.leave(payload)


def join(payload, session):
    session.join(payload)


def leave(payload, session):
    session.leave(payload)


def say(state, payload):
    """Says something in a room: `[room, text]`."""
    name, text = payload
    room = mh.shared(name)
    room["messages"] = [*(room["messages"] or []), f"{state['name']}: {text}"]
    room["_last"] = state["name"]


def count(state, payload):
    mh.shared(payload)["n"] = (mh.shared(payload)["n"] or 0) + 1
    state["mine"] = (state["mine"] or 0) + 1


async def count_async(payload):
    room = await mh.shared(payload, {"n": 0})
    before = room["n"]
    await asyncio.sleep(0)
    room["n"] = before + 1


async def count_unawaited(payload):
    mh.shared(payload, {"n": 0})["n"] += 1


def read(payload):
    return mh.shared(payload).to_dict()


def keep(state, payload):
    """Keeps a room until a file exists, having said that it has it: `[room, file]`."""
    name, path = payload
    room = mh.shared(name)
    room["keeper"] = os.getpid()
    Path(f"{path}.has").touch()
    while not Path(path).exists():
        time.sleep(0.01)
    room["kept"] = True


def in_order(payload):
    for name in payload:
        room = mh.shared(name)
        room["n"] = (room["n"] or 0) + 1


def write_and_fail(payload):
    mh.shared(payload)["x"] = "kept"
    raise ValueError("on purpose")


def write_object(payload):
    room = mh.shared(payload)
    room["bad"] = object()
    room["good"] = 1


def stream(state, payload):
    """Streams words into a room until it is told to stop there: `[room, seconds]`."""
    name, seconds = payload
    room = mh.shared(name)
    room["words"], room["stop"] = 0, False
    deadline = time.monotonic() + seconds
    while not room["stop"] and time.monotonic() < deadline:
        time.sleep(0.02)
        room["words"] += 1
    state["seen"] = room["stop"]
    room["ended"] = True


def stop(payload):
    mh.shared(payload)["stop"] = True


def bad_name(payload):
    mh.shared(payload)


def in_a_thread():
    import threading

    raised = []

    def ask():
        try:
            mh.shared("r")
        except mh.ManyHandsError as error:
            raised.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return raised


def die_before_the_session_commits(state, payload):
    """Counts in a room; the first time it kills its worker once the room's commit is in: `[room, file]`."""
    room, path = payload
    mh.shared(room)["n"] = (mh.shared(room)["n"] or 0) + 1
    state["runs"] = "once"
    return _Bomb(Path(path))


class _Bomb:
    """Is encoded with the session's final commit: after those of its rooms."""

    def __init__(self, path):
        self.path = path


def _explode(bomb):
    if not bomb.path.exists():
        bomb.path.touch()
        os.kill(os.getpid(), 9)
    return "harmless"


mh.register_type(_Bomb, pack=_explode, unpack=lambda packed: packed)


def pick(context):
    return [context["itemId"], context["item"]]


async def pick_async(context):
    return pick(context)
