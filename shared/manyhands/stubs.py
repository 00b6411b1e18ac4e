"""The events of a page, what each brings as its payload, and a handler to begin with for each.

Names and payloads are those of Writer Framework, so that its handlers carry over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stub:
    """The text of a handler for one type of event."""

    #: The name that the handler gets unless another is asked for.
    name: str
    parameters: tuple[str, ...]
    #: Says when the event fires and what its payload is.
    doc: str
    #: Lines of Python.
    body: str

    def code(self, name: str | None = None) -> str:
        """Write the function."""
        lines = [f'"""{self.doc}"""', *self.body.strip("\n").splitlines()]
        indented = "\n".join(f"    {line}" if line else "" for line in lines)
        return f"def {name or self.name}({', '.join(self.parameters)}):\n{indented}\n"


STUBS: Mapping[str, Stub] = {
    "wf-click": Stub(
        "handle_click",
        ("state", "payload", "context"),
        "The element was clicked; the payload says which keys were held down.",
        """
# payload: {"ctrl_key": False, "shift_key": False, "meta_key": False}
state["clicks"] = (state["clicks"] or 0) + (10 if payload["shift_key"] else 1)
state["clicked"] = context["target"]
""",
    ),
    "wf-change": Stub(
        "handle_change",
        ("state", "payload"),
        "The value changed, at every key; the payload is the value.",
        """
# payload: text; of a number input a number, of a checkbox a bool, of a multi-select a list
state["value"] = payload
""",
    ),
    "wf-change-finish": Stub(
        "handle_change_finish",
        ("state", "payload"),
        "The value changed and the element was left; the payload is the value.",
        """
# payload: text; of a number input a number, of a checkbox a bool, of a multi-select a list
state["value"] = payload
""",
    ),
    "wf-submit": Stub(
        "handle_submit",
        ("state", "payload"),
        "The form was sent; the payload holds its fields by name.",
        """
# payload: {"name": "Ada", "age": 36}
state["submitted"] = payload
""",
    ),
    "wf-keydown": Stub(
        "handle_keydown",
        ("state", "payload"),
        "A key was pressed; the payload names it and the keys held down with it.",
        """
# payload: {"key": "ArrowRight", "ctrl_key": False, "shift_key": False, "meta_key": False}
step = {"ArrowLeft": -1, "ArrowRight": 1}.get(payload["key"], 0)
state["position"] = (state["position"] or 0) + step * (10 if payload["shift_key"] else 1)
""",
    ),
    "wf-file-change": Stub(
        "handle_file_change",
        ("state", "payload"),
        "Files were chosen; the payload is a list of them.",
        """
# payload: [{"name": "notes.txt", "type": "text/plain", "data": b"..."}]
state["files"] = {file["name"]: len(file["data"]) for file in payload}
""",
    ),
    "wf-webcam": Stub(
        "handle_webcam",
        ("state", "payload"),
        "The camera took a picture; the payload is the PNG file as bytes.",
        """
# payload: b"\\x89PNG..."
state["_picture"] = payload
state["picture_size"] = len(payload)
""",
    ),
    "wf-hashchange": Stub(
        "handle_hashchange",
        ("state", "payload"),
        "The part of the address behind # changed; the payload is the page's key and the variables in it.",
        """
# payload of http://localhost:8000/#main/animal=duck: {"page_key": "main", "route_vars": {"animal": "duck"}}
state["page"] = payload["page_key"]
state["animal"] = payload["route_vars"].get("animal")
""",
    ),
    "wf-load": Stub(
        "handle_load",
        ("state", "payload"),
        "The page was opened; the payload is what stands behind # in its address.",
        """
# payload of http://localhost:8000/#main/animal=duck: {"page_key": "main", "route_vars": {"animal": "duck"}}
state["page"] = payload["page_key"]
state["visits"] = (state["visits"] or 0) + 1
""",
    ),
    "wf-tick": Stub(
        "handle_tick",
        ("state",),
        "The interval has passed, and the tick before was answered; there is no payload.",
        """
state["ticks"] = (state["ticks"] or 0) + 1
""",
    ),
}
