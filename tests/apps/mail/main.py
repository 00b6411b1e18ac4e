"""An app whose handlers ask things of the page."""

import asyncio
import os
import time
from pathlib import Path

import manyhands as mh

mh.init_state({"ran": 0})


def notify(state, payload):
    state.add_notification(*payload)


def notify_everyone(state, payload):
    state.add_notification("info", payload, "", everyone=True)


def download(state, payload):
    state.file_download(mh.pack_bytes(b"7" * payload, "text/csv"), "numbers of today.csv")


def open_url(state, payload):
    state.open_url(payload)


def go(state, payload):
    state.set_page(payload["page"])
    state.set_route_vars(payload["vars"])


def dress(state, payload):
    state.import_stylesheet("theme", payload)


def add_script(state, payload):
    state.import_script("more", payload)


def call(state, payload):
    state.import_frontend_module("helpers", "/static/helpers.js")
    state.call_frontend_function(*payload)


def fail_after(state):
    state.set_page("before")
    raise ValueError("afterwards")


def slowly(state, payload):
    """Asks for one page before it is detached, and for the next one while it runs on."""
    state.set_page("first")
    while not state["go_on"]:
        time.sleep(0.02)
    state.set_page("second")
    while not state["end"]:
        time.sleep(0.02)
    state.set_page("last")


def tell(state, payload):
    state[payload] = True


async def until_cancelled(state):
    state.set_page("begun")
    try:
        await asyncio.Event().wait()
    finally:
        state.set_page("cleaned up")


def die_once(state, payload):
    """Kills its worker at its first attempt, after it has asked for a page."""
    state["ran"] += 1
    state.set_page("once")
    if not Path(payload).exists():
        Path(payload).touch()
        os._exit(1)
