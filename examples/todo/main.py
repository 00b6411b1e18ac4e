"""A todo list: a repeater whose rows keep the focus and what is half typed, whatever comes and goes around them."""

import manyhands as mh

#: The most todos that a list may have, and the most characters of each. A session is kept for a day, so it is bounded.
MOST = 500
LONGEST = 200

mh.init_state({
    # A dict, not a list. Ticking one off then assigns `todos.7.done`, which is all that is written and sent; and the
    # page knows each row by its key, so a row stays the same element when others come and go. The places of a list
    # would shift. JavaScript shows keys that are whole numbers in ascending order, so these are in the order of time.
    "todos": {},
    "filter": "all",
    "draft": "",
    # Stays here: what begins with an underscore is never sent to a browser.
    "_last_id": 0,
})


@mh.computed("todos")
def counts(state):
    """Count what is shown above the list; kept up to date by whatever changes a todo."""
    done = sum(todo["done"] for todo in state["todos"].values())
    return {"all": len(state["todos"]), "open": len(state["todos"]) - done, "done": done}


@mh.computed("counts", "filter")
def hint(state):
    """Say why there is nothing to see, where there is nothing."""
    if state["counts"][state["filter"]]:
        return ""
    return {"all": "Nothing here yet.", "open": "Nothing left to do.", "done": "Nothing done yet."}[state["filter"]]


def add(state, payload):
    """Add a todo; the payload is the form's fields by name."""
    title = _title(payload.get("title") if isinstance(payload, dict) else None)
    if title and len(state["todos"]) >= MOST:
        state.add_notification("warning", "The list is full", f"{MOST} todos are enough. Clear those that are done.")
        return
    # The form's input shows what is assigned here, as soon as this event has ended.
    state["draft"] = ""
    if title:
        # No id comes twice, as it would with len(todos) + 1 once something was deleted. Clicks in two tabs don't get
        # the same one either: a handler has its session to itself.
        state["_last_id"] += 1
        state["todos"][str(state["_last_id"])] = {"title": title, "done": False}


def toggle(state, payload, context):
    """Tick a todo off, or not: as the box is, so that clicks in two tabs don't undo each other."""
    todo = _todo_of(state, context)
    if todo is not None:
        todo["done"] = payload is True


def rename(state, payload, context):
    """Give a todo another title. Without one nothing is assigned, and the input shows the old one as it is left."""
    todo, title = _todo_of(state, context), _title(payload)
    if todo is not None and title:
        todo["title"] = title


def remove(state, context):
    """Delete a todo."""
    if _todo_of(state, context) is not None:
        del state["todos"][context["id"]]


def clear_done(state):
    """Delete all todos that are done."""
    for key, todo in list(state["todos"].items()):
        if todo["done"]:
            del state["todos"][key]


def choose(state, payload):
    """Choose which todos are shown. The page's style hides the others: nothing but this word is sent."""
    if payload in ("all", "open", "done"):
        state["filter"] = payload


def _title(sent):
    """Make a title of what was sent. The page's maxlength binds nobody who writes to the socket himself."""
    return " ".join(sent.split())[:LONGEST] if isinstance(sent, str) else ""


def _todo_of(state, context):
    """Give the todo whose row an event came from; None if another tab has just deleted it.

    `id` is what the page's repeater calls its key: `wf-key="id"`.
    """
    return state["todos"].get(context.get("id") or "")
