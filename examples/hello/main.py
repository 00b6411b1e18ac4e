"""A first app: a counter, a greeting, and a long task that shows its progress and can be cancelled."""

import time

import manyhands as mh

STEPS = 50
SECONDS_A_STEP = 0.1

mh.init_state({
    "counter": 0,
    "greeting": "Hello, whoever you are.",
    "task": {"progress": 0, "message": "Nothing is running.", "run": 0},
    "cancel": False,
})


def increment(state):
    """Count a click. Two clicks at the same time count as two, in whatever process they run."""
    state["counter"] += 1


def greet(state, payload):
    """Greet whoever wrote their name; the payload is what the input holds. A browser may send anything."""
    name = payload.strip()[:40] if isinstance(payload, str) else ""
    state["greeting"] = f"Hello, {name}!" if name else "Hello, whoever you are."


def start(state):
    """Work for about 5 seconds, as plain Python. Other clicks are served meanwhile.

    What is assigned to `state` on the way shows in the browser a moment later, and what other handlers assign shows
    here: that is how the loop learns of a click on Cancel, or that a newer run has begun.
    """
    state["cancel"] = False
    state["task"]["run"] += 1
    run = state["task"]["run"]
    state["task"]["message"] = "Working …"
    for step in range(STEPS):
        state["task"]["progress"] = step / STEPS
        time.sleep(SECONDS_A_STEP)
        if state["task"]["run"] != run:
            return
        if state["cancel"]:
            state["task"]["message"] = f"Cancelled at {step * 100 // STEPS} %."
            return
    state["task"]["progress"] = 1
    state["task"]["message"] = "Done."


def cancel(state):
    """Ask the running task to stop."""
    state["cancel"] = True
