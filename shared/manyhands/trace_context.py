"""The `traceparent` of https://www.w3.org/TR/trace-context/: which trace an event belongs to, and to which span."""

from __future__ import annotations

import re

#: Version, trace, parent, flags. Versions to come may append more, which is dropped.
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
#: Characters up to which one is looked at. Ours have 55.
LONGEST = 256


def parse_traceparent(value: object) -> str | None:
    """Give a traceparent as one of version 00; None for what is none: a trace is no reason to refuse an event."""
    if not isinstance(value, str) or len(value) > LONGEST:
        return None
    match = _FORM.fullmatch(value)
    if match is None:
        return None
    version, trace, parent, flags, more = match.groups()
    if version == "ff" or (version == "00" and more) or not trace.strip("0") or not parent.strip("0"):
        return None
    return f"00-{trace}-{parent}-{flags if version == '00' else _sampled(flags)}"


def is_recorded(traceparent: str | None) -> bool:
    """Tell whether whoever began a trace, or went on with it before us, records it."""
    return traceparent is not None and int(traceparent[-2:], 16) & 1 == 1


def _sampled(flags: str) -> str:
    # Only this flag means the same in every version.
    return f"{int(flags, 16) & 1:02x}"
