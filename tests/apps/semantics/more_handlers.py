"""Handlers that are given to `init_handlers`."""


def more(state):
    state["more"] = True
