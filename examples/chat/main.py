"""A chat: rooms that sessions share, what was said in them and who is there. Each tab is somebody of its own."""

import time

import manyhands as mh

ROOMS = {"lobby": "Lobby", "kitchen": "Kitchen", "garden": "Garden"}

#: How many messages a room keeps, and the most characters of a message and of a name.
KEPT = 100
LONGEST = 500
LONGEST_NAME = 30

#: Seconds of silence after which somebody counts as gone. Each page tells every 20 s that it is still there, but
#: browsers let a hidden tab do so only once a minute.
AWAY = 150

#: What a room begins with. Messages are a dict by number, so that each is sent once: a list would travel as a whole.
EMPTY = {"messages": {}, "people": {}, "_last": 0, "_seen": {}}

mh.init_state({"name": "", "room": "", "draft": ""})


@mh.computed("room")
def doors(state):
    """List all rooms, for the page's navigation."""
    return {
        key: {"title": title, "href": f"#{key}", "current": "page" if key == state["room"] else None}
        for key, title in ROOMS.items()
    }


def enter(state, payload, session):
    """Go to the room that the address names, as in `#kitchen`: when the page opens, and when the address changes."""
    key = payload.get("page_key") if isinstance(payload, dict) else None
    if not isinstance(key, str) or key not in ROOMS:
        # Changes the address, which fires this handler again.
        state.set_page("lobby")
        return
    before, state["room"] = state["room"] or key, key
    state["name"] = state["name"] or f"Guest {session['id'][:4]}"
    # Nobody else writes to a room from here on until this event has ended. Several are taken in the order of their
    # names, so that two who change places don't wait for each other for ever.
    rooms = {one: mh.shared(one, EMPTY) for one in sorted({before, key})}
    if before != key:
        session.leave(before)
        _leave(rooms[before], session["id"])
    # From now on this session's pages get what changes there: `@` in index.html.
    session.join(key)
    _arrive(rooms[key], session["id"], state["name"])


def say(state, payload, session):
    """Say something to everybody in the room; the payload is the form's fields by name."""
    text = _text(payload, "text", LONGEST)
    state["draft"] = ""
    if text and state["room"]:
        room = mh.shared(state["room"], EMPTY)
        _arrive(room, session["id"], state["name"])
        _append(room, text, state["name"])


def rename(state, payload, session):
    """Take another name."""
    before, name = state["name"], _text(payload, "name", LONGEST_NAME)
    if not name or name == before:
        return
    state["name"] = name
    if state["room"]:
        room = mh.shared(state["room"], EMPTY)
        _arrive(room, session["id"], before)
        room["people"][session["id"]] = name
        _append(room, f"{before} is now {name}.")


def stay(state, session):
    """Tell that a page is still open, and show out who has been silent for long.

    Nothing is fired when a tab is closed or a phone falls asleep, so those who are there look after the room.
    """
    if state["room"]:
        room = mh.shared(state["room"], EMPTY)
        _arrive(room, session["id"], state["name"])
        for one, seen in list(room["_seen"].items()):
            if time.time() - seen > AWAY:
                _leave(room, one)


def _arrive(room, person, name):
    room["_seen"][person] = time.time()
    if person not in room["people"]:
        room["people"][person] = name
        _append(room, f"{name} is here.")


def _leave(room, person):
    if person in room["people"]:
        _append(room, f"{room['people'][person]} has left.")
        del room["people"][person]
        del room["_seen"][person]


def _append(room, text, name=None):
    """Add a message, or without a name a note, and drop the oldest one."""
    room["_last"] += 1
    room["messages"][str(room["_last"])] = {"name": name, "text": text}
    oldest = str(room["_last"] - KEPT)
    if oldest in room["messages"]:
        del room["messages"][oldest]


def _text(fields, name, longest):
    """Give a field of a form as one line. It need not be one: anybody may send anything.

    Nothing has to be escaped. Values are text for the page, whatever they look like.
    """
    sent = fields.get(name) if isinstance(fields, dict) else None
    return " ".join(sent.split())[:longest] if isinstance(sent, str) else ""
