"""The app's page as the studio frames it: each tag says where in `index.html` it stands, and the studio's probe runs
first.
"""

from __future__ import annotations

from manyhands_gateway.studio.tags import Tag, start_tags

#: What says where an element's tag begins, in bytes. No page has attributes of that name.
MARK = "data-mh-at"
#: Before the page's own scripts, since it stands between them and the network.
PROBE = b'<script src="/_mh/studio/probe.js"></script>'
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
    return b"".join(parts) if probed else b"".join(parts) + PROBE


def tag_at(page: bytes, offset: int) -> Tag | None:
    """Give the tag that begins at an offset."""
    return next((tag for tag in start_tags(page) if tag.begin == offset), None)
