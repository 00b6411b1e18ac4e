"""The app's handlers: every public function of this module can be fired by the page."""

import manyhands as mh

mh.init_state({"counter": 0})


def increment(state):
    state["counter"] += 1


def reset(state):
    state["counter"] = 0
