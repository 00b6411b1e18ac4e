"""What a handler gets as `context`: where its event came from, and what the repeaters around that stand for."""

from __future__ import annotations

from typing import Any

from manyhands import keys
from manyhands.letters import Repeater
from manyhands.state_root import StateRoot
from manyhands.store.turns import NOTHING
from manyhands.wire import ROOM_SIGN, Key
from manyhands_worker.parts import Parts
from manyhands_worker.rooms import NO_DEFAULTS
from manyhands_worker.run import Run


def context_of(parts: Parts, run: Run) -> dict[str, Any]:
    """Build a handler's `context`; repeaters' values are looked up in the state as it stands."""
    context = run.body.context
    found: dict[str, Any] = {Key.EVENT.value: context.event, Key.TARGET.value: context.target}
    for repeater in context.repeaters:
        found[Key.KEY_VARIABLE.value] = repeater.key_variable
        found[Key.VALUE_VARIABLE.value] = repeater.value_variable
        found[repeater.key_variable] = repeater.key
        found[repeater.value_variable] = _value_of(parts, run, repeater)
    return found


def is_in_room(repeater: Repeater) -> bool:
    """Tell whether what is repeated lies in a room."""
    return repeater.state[0].startswith(ROOM_SIGN)


def _value_of(parts: Parts, run: Run, repeater: Repeater) -> Any:
    first, *path = *repeater.state, repeater.key
    if not is_in_room(repeater):
        return run.root.snapshot_value((first, *path))
    # `@name` begins a path in a room, and so does `@` with the name as its next key.
    name = first.removeprefix(ROOM_SIGN) or path.pop(0)
    rooms, room = parts.store.rooms, keys.room(name)
    # A browser may name any room; the handler is to see in it no more than the browser itself.
    if name not in rooms.joined(run.session):
        return None
    # Without the room's lease, which the handler may never need.
    fields = rooms.snapshot(room, None).fields or {}
    known = parts.reading.of_room(room, fields, whole=True, wanted=NOTHING)
    root = StateRoot.over(known, NO_DEFAULTS, room, load=parts.large.of(room).load)
    return root.snapshot_value(tuple(path))
