"""Redis commands as the bytes that a socket takes (RESP2), packed without a call per argument where it counts.

A script call names the fifteen keys of its session. They are packed once for each session that is at work; redis-py
would spell and pack all of them for every event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import hiredis

from manyhands.keys import Keys
from manyhands.store.scripts_loader import Script

Part = bytes | str | int

#: Keys of a session's scripts.
KEYS = 15


#: Its annotation wants exactly one part.
_pack: Any = hiredis.pack_command


def pack(*parts: Part) -> bytes:
    """Pack one command."""
    return bytes(_pack(parts))


def pack_script(script: Script, keys: Sequence[str], arguments: Sequence[Part]) -> bytes:
    """Pack a call of a script."""
    return pack("EVALSHA", script.sha, len(keys), *keys, *arguments)


def _parts(parts: Sequence[Part]) -> bytes:
    """Pack arguments as they stand within a command: without the count of them that it begins with."""
    packed: bytes = _pack(tuple(parts))
    return packed[packed.index(b"\n") + 1 :]


#: Sessions whose keys are kept packed, some 700 bytes each; with more, all are spelled anew.
KEPT = 8192


class SessionCommands:
    """Packs calls of the scripts that act on one session. Any thread may use it."""

    def __init__(self, keys: Keys, life: int, lease: int) -> None:
        """`life` and `lease` are in ms."""
        self._keys = keys
        self._times = _parts((life, lease))
        #: By session: all that each of its scripts is called with, packed, and the channel of its updates.
        self._kept: dict[str, tuple[bytes, str]] = {}
        self._heads: dict[str, bytes] = {}

    def pack(self, script: Script, session: str, arguments: Sequence[Part]) -> bytes:
        """Pack a call of a session's script: its keys, the session, the times, and these arguments."""
        return b"*%d\r\n%b%b%b" % (
            KEYS + 6 + len(arguments),
            self._heads.get(script.name) or self._make_head(script),
            (self._kept.get(session) or self._spell(session))[0],
            _parts(arguments),
        )

    def channel(self, session: str) -> str:
        """Give the channel of a session's updates."""
        return (self._kept.get(session) or self._spell(session))[1]

    def _spell(self, session: str) -> tuple[bytes, str]:
        prefix = self._keys.partition(session)
        own = self._keys.of_session(session)
        keys = [*own[:9], self._keys.bells(prefix), self._keys.leases(prefix), *own[9:]]
        if len(self._kept) >= KEPT:
            self._kept.clear()
        packed = _parts((*keys, session)) + self._times
        spelled = self._kept[session] = (packed, self._keys.updates(session))
        return spelled

    def _make_head(self, script: Script) -> bytes:
        head = self._heads[script.name] = _parts(("EVALSHA", script.sha, KEYS))
        return head
