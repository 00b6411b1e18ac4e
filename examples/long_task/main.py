"""A task of some seconds: its progress shows, it can be cancelled, and everything else works meanwhile.

It asks one town after the other for its sales of the day. Three things make it safe to copy:

- It remembers each answer under its own key. So a run may begin again at any time, after a second click on Start or
  because its worker has died, and asks only those towns that have not answered yet.
- It is cancelled by a value in the state, which works from every tab, after a reload, and whichever worker runs it.
- What it has opened is closed by `with`, however it ends.
"""

import contextlib
import time

import manyhands as mh

TOWNS = (
    "Amsterdam", "Athens", "Berlin", "Bern", "Bratislava", "Brussels", "Bucharest", "Budapest", "Copenhagen", "Dublin",
    "Helsinki", "Lisbon", "Ljubljana", "Madrid", "Oslo", "Paris", "Prague", "Riga", "Rome", "Sofia", "Stockholm",
    "Vienna", "Vilnius", "Warsaw",
)  # fmt: skip
SECONDS_A_TOWN = 0.25

mh.init_state({
    "counter": 0,
    "running": False,
    "message": "Nothing is running.",
    "sales": {},
    "stop": False,
    "_run": 0,
})


@mh.computed("sales")
def progress(state):
    """How far the task is, from 0 to 1."""
    return len(state["sales"]) / len(TOWNS)


@mh.computed("sales")
def summary(state):
    """How far it is in words, and what it has found so far."""
    sold = sum(sale["sold"] for sale in state["sales"].values())
    return f"{len(state['sales'])} of {len(TOWNS)} towns, {sold:,} € together"


def start(state):
    """Ask all towns. A run that finds another one going takes over from it, and asks those that are left.

    `running` is also true where this run follows one whose worker has died. So what was found stays, and so does a
    click on Cancel that came in between.
    """
    if not state["running"]:
        state["running"], state["stop"], state["sales"] = True, False, {}
    state["_run"] += 1
    run = state["_run"]
    state["message"] = "Asking the towns …"
    ending = "error", "Something went wrong."
    try:
        with _connected() as ask:
            # Pages show keys that are numbers in their order, also after a reload.
            for key, town in enumerate(TOWNS):
                # What other events have assigned meanwhile shows here.
                if state["_run"] != run or state["stop"]:
                    break
                if str(key) not in state["sales"]:
                    state["sales"][str(key)] = {"town": town, "sold": ask(town)}
        ending = ("info", "Cancelled.") if state["stop"] else ("success", "All towns have answered.")
    except mh.Cancelled:
        # A script of the page's has cancelled the event itself. What is assigned from here on still counts.
        ending = "info", "Cancelled by the page."
        raise
    finally:
        # One that was taken over leaves the end to its successor.
        if state["_run"] == run:
            kind, message = ending
            state["running"], state["message"] = False, message
            state.add_notification(kind, message, state["summary"])


def cancel(state):
    """Ask the running task to stop; it looks before each town."""
    state["stop"] = True


def increment(state):
    """Count a click, also while the task runs."""
    state["counter"] += 1


@contextlib.contextmanager
def _connected():
    """Stand for a connection, which has to be closed whatever happens."""
    print("connected")
    try:
        yield _ask
    finally:
        print("connection closed")


def _ask(town):
    """Stand for a slow question."""
    time.sleep(SECONDS_A_TOWN)
    return 1_000 + 97 * sum(map(ord, town)) % 9_000
