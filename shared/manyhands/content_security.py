"""Content-Security-Policy: what may be set for an app's pages."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Policies that have a name. With `open` a page's own scripts and styles work, wherever it brings them from.
POLICIES: Mapping[str, str] = {
    "open": "base-uri 'self'; object-src 'none'; frame-ancestors 'self'",
    "strict": "default-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "off": "",
}


def parse_policy(text: str) -> str:
    """Give the policy that a name or a text stands for. Raises `ValueError` for what no header can hold."""
    if text in POLICIES:
        return POLICIES[text]
    directives = [directive.split() for directive in text.split(";") if directive.strip()]
    # One word is a name that was mistyped, most likely; the few policies of one word guard little.
    if not (text.isprintable() and text.isascii() and len(text.split()) > 1):
        raise ValueError
    if not all(re.fullmatch("[a-z-]+", directive[0]) for directive in directives):
        raise ValueError
    return text


def name_policy(policy: str) -> str:
    """Give a policy's name, or the policy itself where it has none."""
    return next((name for name, text in POLICIES.items() if text == policy), policy)
