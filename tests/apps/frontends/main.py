"""An app whose pages are made with React and with Vue."""

from typing import Any

import manyhands as mh

mh.init_state({"counter": 0, "user": {"name": "Bob", "tags": ["a"]}, "other": {"x": 1}})


def increment(state: Any) -> int:
    """Count one click."""
    state["counter"] += 1
    return int(state["counter"])


def rename(state: Any, payload: str) -> None:
    """Change one name in a dict."""
    state["user"]["name"] = payload
