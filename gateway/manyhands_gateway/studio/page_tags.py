"""The elements of `index.html` and the handlers that their events are linked to: read, and written back."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from manyhands.stubs import STUBS
from manyhands_gateway.studio.app_folder import AppFolder, FileRefused
from manyhands_gateway.studio.findings import find_faults
from manyhands_gateway.studio.marked_page import tag_at
from manyhands_gateway.studio.tags import start_tags, with_attribute

PAGE = "index.html"
#: What a handler may be called.
_HANDLER = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
#: What the studio writes as an id.
_ID = re.compile(r"[\w-]{1,100}")


def describe_page(folder: AppFolder, handlers: Collection[str] | None, main: str) -> dict[str, Any]:
    """Give the page's tags, those of the events on each, what is wrong, and the hash by which it is written back."""
    content = folder.read(PAGE)
    tags = list(start_tags(content.data))
    described, line, counted = [], 1, 0
    for tag in tags:
        line += content.data.count(b"\n", counted, tag.begin)
        counted = tag.begin
        events = {name: one.value for name, one in tag.attributes.items() if name in STUBS}
        named = {"name": tag.name, "id": tag.value("id") or "", "line": line, "in_template": tag.in_template}
        described.append({"at": tag.begin, **named, "events": events})
    faults = [asdict(one) for one in find_faults(tags, handlers, main)]
    return {"etag": content.etag, "tags": described, "faults": faults}


def set_attribute(folder: AppFolder, *, etag: str, at: int, name: str, value: str) -> str:
    """Link an element's event to a handler, to none where that is empty, or give it an id; gives the page's new hash.

    Every other byte of the file stays as it is. Raises `FileRefused`.
    """
    _check(name, value)
    content = folder.read(PAGE)
    if content.etag != etag:
        raise FileRefused(PAGE, "it was changed by somebody else meanwhile; the frame shows it as it is now", 409)
    tag = tag_at(content.data, at)
    if tag is None:
        raise FileRefused(PAGE, f"no tag begins at its byte {at}")
    return folder.write(PAGE, with_attribute(content.data, tag, name, value or None), etag).etag


def _check(name: str, value: str) -> None:
    if name == "id":
        if not _ID.fullmatch(value):
            raise FileRefused(PAGE, f"{value[:80]!r} is no id: write letters, digits, - and _")
    elif name not in STUBS:
        raise FileRefused(PAGE, f"there is no event {name[:40]!r}; the events are {', '.join(STUBS)}")
    elif value and not _HANDLER.fullmatch(value):
        raise FileRefused(PAGE, f"{value[:80]!r} is no handler's name, such as increment or module.increment")
