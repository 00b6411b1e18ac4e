"""The Lua scripts as text and as Redis knows them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

#: Scripts that do not act on one session, and so are not given what the others share.
ALONE = frozenset({"announce", "at_work", "lengths", "overdue", "renew", "start"})
#: The line at a script's head that names further shared parts which it uses.
WITH = re.compile(r"^-- With: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """One Lua script: an atomic act."""

    name: str
    text: str
    sha: str


@cache
def load_script(name: str) -> Script:
    """Read a script of the package, with what it shares with others before it: no more of it than it uses, since
    Redis makes each function anew in each call."""
    directory = files("manyhands.store") / "scripts"
    own = (directory / f"{name}.lua").read_text("utf-8")
    named = WITH.search(own)
    parts = [] if name in ALONE else ["_session", *(named[1].split() if named else [])]
    text = "".join((directory / f"{part}.lua").read_text("utf-8") for part in parts) + own
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
