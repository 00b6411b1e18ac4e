"""Line ends: a text field in a page has one kind of them, files have several, at times in one file."""

from __future__ import annotations

import re
from collections import Counter
from itertools import takewhile

#: What ends a line for browsers, and for Python.
_END = re.compile("\r\n|\r|\n")


def for_the_web(text: str) -> str:
    """Give a text as a text field has it."""
    return _END.sub("\n", text)


def as_before(text: str, before: str) -> str:
    """Give the line ends of a file back to what was edited.

    Lines at the beginning and at the end that were not touched keep their own; what stands between gets what is usual
    in the file.
    """
    ends = _END.findall(before)
    if not ends or set(ends) == {"\n"}:
        return text
    usual = Counter(ends).most_common(1)[0][0]
    old, new = for_the_web(before).split("\n"), text.split("\n")
    above = _count_equal(old, new)
    below = min(_count_equal(old[::-1], new[::-1]), len(old) - above, len(new) - above)
    last = len(new) - 1
    kept = {at: ends[at] for at in range(min(above, len(ends), last))}
    # The last line has no end.
    kept |= {last - back: ends[-back] for back in range(1, min(below, len(ends) + 1, last + 1))}
    return "".join(f"{line}{kept.get(at, usual)}" for at, line in enumerate(new[:-1])) + new[-1]


def _count_equal(one: list[str], other: list[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
