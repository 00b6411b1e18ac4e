"""The elements of `index.html` and the handlers that their events are linked to: read, and written back."""

from __future__ import annotations

import re
from typing import Any

from manyhands.stubs import STUBS
from manyhands_gateway.studio.app_folder import AppFolder, FileRefused
from manyhands_gateway.studio.marked_page import tag_at
from manyhands_gateway.studio.tags import start_tags, with_attribute

PAGE = "index.html"
#: What a handler may be called.
_HANDLER = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def describe_page(folder: AppFolder) -> dict[str, Any]:
    """Give the page's tags, those of the events on each, and the hash by which it is written back."""
    content = folder.read(PAGE)
    tags = [
        {
            "at": tag.begin,
            "name": tag.name,
            "id": tag.attributes["id"].value if "id" in tag.attributes else "",
            "line": content.data.count(b"\n", 0, tag.begin) + 1,
            "events": {name: one.value for name, one in tag.attributes.items() if name in STUBS},
        }
        for tag in start_tags(content.data)
    ]
    return {"etag": content.etag, "tags": tags}


def link(folder: AppFolder, *, etag: str, at: int, event: str, handler: str) -> str:
    """Link an element's event to a handler, to none where that is empty; gives the page's new hash.

    Every other byte of the file stays as it is. Raises `FileRefused`.
    """
    if event not in STUBS:
        raise FileRefused(PAGE, f"there is no event {event[:40]!r}; the events are {', '.join(STUBS)}")
    if handler and not _HANDLER.fullmatch(handler):
        raise FileRefused(PAGE, f"{handler[:80]!r} is no handler's name, such as increment or module.increment")
    content = folder.read(PAGE)
    if content.etag != etag:
        raise FileRefused(PAGE, "it was changed by somebody else meanwhile; the frame shows it as it is now", 409)
    tag = tag_at(content.data, at)
    if tag is None:
        raise FileRefused(PAGE, f"no tag begins at its byte {at}")
    return folder.write(PAGE, with_attribute(content.data, tag, event, handler or None), etag).etag
