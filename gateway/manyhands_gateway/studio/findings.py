"""What is wrong with the events of a page, as far as its text and the handlers' names tell, and what to write instead.

The codes are those by which the client says the same of the page that runs.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manyhands.stubs import STUBS
from manyhands.wire import Rejection
from manyhands_gateway.studio.tags import Tag

#: A name that a function of the main module can have.
_FUNCTION = re.compile(r"[^\W\d_]\w*")
#: What may stand in an id that the studio makes.
_NOT_IN_IDS = re.compile(r"[^\w-]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one tag."""

    at: int
    code: str
    message: str
    #: What a click may do about it: attributes to be written, or a handler to be begun with a stub.
    cures: Sequence[Mapping[str, Any]]


def find_faults(tags: Sequence[Tag], handlers: Collection[str] | None, main: str) -> Iterator[Finding]:
    """Look through a page. `handlers`: their names, None where no worker has told them; `main`: the main module."""
    ids = Counter(name for tag in tags if (name := tag.value("id")))
    for tag in tags:
        events = {name: tag.attributes[name].value for name in tag.attributes if name in STUBS}
        for event, handler in events.items():
            if handlers is not None and handler not in handlers:
                yield _unknown_handler(tag, event, handler, handlers, main)
        # In a repeater the key tells which one it was.
        if events and not tag.in_template:
            yield from _find_id(tag, next(iter(events)), events, ids)


def _unknown_handler(tag: Tag, event: str, handler: str, handlers: Collection[str], main: str) -> Finding:
    near = difflib.get_close_matches(handler[:100], handlers, n=1)
    cures: list[Mapping[str, Any]] = [_write(event, name) for name in near]
    if _FUNCTION.fullmatch(handler) and handler.isascii():
        label = f"Append def {handler} to {main}"
        cures.append({"label": label, "stub": event, "function": handler})
    if not handler:
        text = f'{event} names no handler; write {event}="…", or take it out'
        return Finding(tag.begin, Rejection.UNKNOWN_HANDLER, text, ())
    cure = " or ".join(
        [f'write {event}="{name}"' for name in near] or [f"write def {handler}(state) in {main}, or choose another one"]
    )
    return Finding(tag.begin, Rejection.UNKNOWN_HANDLER, f"{event} names {handler}, which is no handler; {cure}", cures)


def _find_id(tag: Tag, event: str, events: Mapping[str, str], ids: Counter[str]) -> Iterator[Finding]:
    own = tag.value("id")
    if own and ids[own] == 1:
        return
    free = _free_id(_NOT_IN_IDS.sub("-", events[event]).strip("-") or tag.name, ids)
    if own:
        text = f'has an id that another element has, too, so context["target"] tells nobody which; write id="{free}"'
        yield Finding(tag.begin, "same_id", text, [_write("id", free)])
    else:
        text = f'has no id, so context["target"] is None; write <{tag.name} id="{free}" …>'
        yield Finding(tag.begin, "no_id", text, [_write("id", free)])


def _write(name: str, value: str) -> Mapping[str, Any]:
    return {"label": f'Write {name}="{value}"', "name": name, "value": value}


def _free_id(wanted: str, ids: Counter[str]) -> str:
    free, number = wanted, 1
    while free in ids:
        number += 1
        free = f"{wanted}-{number}"
    # The next one that is looked for gets another.
    ids[free] = 1
    return free
