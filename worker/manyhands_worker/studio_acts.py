"""What the studio does to a session, as handlers of ours: in the session's order, with all that assignments bring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from manyhands.errors import ManyHandsError
from manyhands.fields import build_tree
from manyhands.handlers import Handler
from manyhands.loaded_app import LoadedApp
from manyhands.rooms import shared
from manyhands.state import State
from manyhands.state_root import StateRoot
from manyhands.verifiers import EDIT_STATE, RESET_STATE

#: What JSON can say, so that a value of such a type stays what it is when it is edited.
EDITABLE = (type(None), bool, int, float, str, list, dict, State)


class NotEditable(ManyHandsError):
    """The studio can't assign there."""


def with_studio(app: LoadedApp) -> LoadedApp:
    """Give the app with the handlers that the studio needs."""
    edit = Handler(EDIT_STATE, edit_state, ("state", "payload"), False, "", __file__, 1, keywords=("state", "payload"))
    reset = Handler(RESET_STATE, _reset(app), ("state",), False, "", __file__, 1, keywords=("state",))
    return replace(app, handlers={**app.handlers, EDIT_STATE: edit, RESET_STATE: reset})


def edit_state(state: Any, payload: Mapping[str, Any]) -> None:
    """Assign a value at a path, or remove what is there; `room` names the room that the path lies in, if any.

    Raises `NotEditable` for a value that JSON would turn into another type.
    """
    path = payload["path"]
    *above, name = path
    node = state if payload["room"] is None else shared(payload["room"])
    for key in above:
        node = node.get(key)
        if not isinstance(node, State):
            raise NotEditable(f"the state has no dict at {'.'.join(above)} any more")
    if payload["remove"]:
        if name in node:
            del node[name]
        return
    there = node.get(name)
    if not isinstance(there, EDITABLE):
        raise NotEditable(
            f"{'.'.join(path)} is of type {type(there).__name__}, which the studio would replace by "
            "what JSON has instead; assign it in a handler"
        )
    node[name] = payload["value"]


def _reset(app: LoadedApp) -> Callable[[Any], None]:
    computed = app.declared.reactions.by_path

    def without_computed(values: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        return {
            name: without_computed(value, (*path, name)) if isinstance(value, dict) else value
            for name, value in values.items()
            if (*path, name) not in computed
        }

    def reset_state(state: Any) -> None:
        fresh = without_computed(StateRoot(build_tree(app.defaults, {}), None).state.to_dict(), ())
        for name in list(state):
            if name not in fresh and (name,) not in computed:
                del state[name]
        state.update(fresh)

    return reset_state
