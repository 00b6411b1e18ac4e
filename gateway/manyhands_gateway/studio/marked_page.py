"""The app's page as the studio frames it: each tag says where in `index.html` it stands, and the studio's probe runs
first.
"""

from __future__ import annotations

import re

from manyhands_gateway.studio.tags import Tag, start_tags

#: What says where an element's tag begins, in bytes. No page has attributes of that name.
MARK = "data-mh-at"
#: Before the page's own scripts, since it stands between them and the network.
PROBE = b'<script src="/_mh/studio/probe.js"></script>'
#: What stands before everything else of a page, where there is one. In front of it nothing may stand.
_DOCTYPE = re.compile(rb"^(?:\xef\xbb\xbf)?\s*(?:<!doctype[^>]*>)?", re.IGNORECASE)
#: Tags that may stand before the head, or begin it.
BEFORE_PROBE = frozenset({"html", "head"})


def mark(page: bytes) -> bytes:
    """Give the page with its tags marked."""
    parts: list[bytes] = []
    done, probed = 0, False
    for tag in start_tags(page):
        if not probed and tag.name not in BEFORE_PROBE:
            parts += (page[done : tag.begin], PROBE)
            done, probed = tag.begin, True
        parts += (page[done : tag.name_end], b' %b="%d"' % (MARK.encode(), tag.begin))
        done = tag.name_end
    parts.append(page[done:])
    marked = b"".join(parts)
    return marked if probed else _DOCTYPE.sub(lambda found: found.group() + PROBE, marked, count=1)


def tag_at(page: bytes, offset: int) -> Tag | None:
    """Give the tag that begins at an offset."""
    return next((tag for tag in start_tags(page) if tag.begin == offset), None)
