"""The Lua scripts as text and as Redis knows them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

#: Scripts that do not act on one session, and so are not given what the others share.
ALONE = frozenset({"announce", "at_work", "lengths", "overdue", "renew"})


@dataclass(frozen=True, slots=True)
class Script:
    """One Lua script: an atomic act."""

    name: str
    text: str
    sha: str


@cache
def load_script(name: str) -> Script:
    """Read a script of the package, with the shared functions before it."""
    directory = files("manyhands.store") / "scripts"
    shared = "" if name in ALONE else (directory / "_session.lua").read_text("utf-8")
    text = shared + (directory / f"{name}.lua").read_text("utf-8")
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
