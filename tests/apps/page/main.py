"""An app whose handlers tell what they were given, for the tests of what a page sends."""

import asyncio
import time

import manyhands as mh

mh.init_state({
    "seen": {},
    "loads": 0,
    "ticks": 0,
    "name": "",
    "progress": 0,
    "log": [],
    "todos": {"a": {"title": "first", "tags": ["x", "y"]}, "b": {"title": "second", "tags": []}},
    "numbers": [10, 20, 30],
})  # fmt: skip


def _see(state, payload, context):
    state["seen"] = {"payload": payload, "kind": type(payload).__name__, "context": dict(context)}


def see(state, payload, context):
    """Show what came with an event."""
    _see(state, payload, context)


def see_files(state, payload, context):
    """Show what came of files: the types and sizes of their bytes, and their sums."""
    told = [
        {**file, "data": [type(file["data"]).__name__, len(file["data"]), sum(file["data"])]}
        for file in payload
    ]  # fmt: skip
    _see(state, told, context)


def see_picture(state, payload, context):
    """Show whether bytes are a PNG."""
    _see(state, [type(payload).__name__, payload[:8] == b"\x89PNG\r\n\x1a\n", len(payload) > 1000], context)


def append(state, payload):
    """Note what came, in its order."""
    state["log"] = [*state["log"], payload]


def load(state, payload):
    """Count the pages that were opened."""
    state["loads"] += 1
    state["route"] = payload


def tick(state):
    """Count ticks, slower than they come."""
    time.sleep(0.15)
    state["ticks"] += 1


async def rename(state, payload):
    """Store a name, slowly and in capitals."""
    await asyncio.sleep(0.1)
    state["name"] = payload.upper()


async def long_task(state):
    """Show progress until it is cancelled."""
    for step in range(1000):
        state["progress"] = step
        await asyncio.sleep(0.05)


def fail(state):
    """Assign something, and raise."""
    state["name"] = "before it failed"
    raise ValueError("on purpose")


def double(payload):
    """Give something back."""
    return payload * 2
