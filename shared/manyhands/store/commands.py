"""Redis commands as the bytes that a socket takes (RESP2), packed without a call per argument where it counts.

A script call names the eleven keys of its session. They differ from session to session in one place only, so they are
packed once per partition and cut from a template; redis-py would spell and pack each of them for every event.
"""

from __future__ import annotations

from collections.abc import Sequence

from manyhands.keys import Keys
from manyhands.store.scripts_loader import Script

Part = bytes | str | int

#: Keys of a session's scripts.
KEYS = 11
#: Stands for the session in a template: a byte that no key and no number has.
_PLACE = b"\0"


def pack(*parts: Part) -> bytes:
    """Pack one command."""
    return b"*%d\r\n%b" % (len(parts), b"".join(map(_part, parts)))


def pack_script(script: Script, keys: Sequence[str], arguments: Sequence[Part]) -> bytes:
    """Pack a call of a script."""
    return pack("EVALSHA", script.sha, len(keys), *keys, *arguments)


def _part(part: Part) -> bytes:
    encoded = part if type(part) is bytes else str(part).encode()
    return b"$%d\r\n%b\r\n" % (len(encoded), encoded)


class SessionCommands:
    """Packs calls of the scripts that act on one session."""

    def __init__(self, keys: Keys, life: int, lease: int) -> None:
        """`life` and `lease` are in ms."""
        self._keys, self._times = keys, (life, lease)
        #: By partition and length of the session: all that every script of the session begins with.
        self._templates: dict[tuple[str, int], bytes] = {}
        self._heads: dict[str, bytes] = {}

    def pack(self, script: Script, session: str, arguments: Sequence[Part]) -> bytes:
        """Pack a call of a session's script: its keys, the session, the times, and these arguments."""
        prefix = self._keys.partition(session)
        template = self._templates.get((prefix, len(session))) or self._make_template(prefix, session)
        head = self._heads.get(script.name) or self._make_head(script)
        return b"*%d\r\n%b%b%b" % (
            KEYS + 6 + len(arguments),
            head,
            template.replace(_PLACE, session.encode()),
            b"".join(map(_part, arguments)),
        )

    def _make_template(self, prefix: str, session: str) -> bytes:
        keys = [*self._keys.of_session(session), self._keys.bells(prefix), self._keys.leases(prefix)]
        start = len(prefix)
        spelled = b"".join(
            _part(key).replace((prefix + session).encode(), prefix.encode() + _PLACE)
            if key.startswith(session, start)
            else _part(key)
            for key in keys
        )
        named = b"$%d\r\n%b\r\n" % (len(session.encode()), _PLACE)
        template = spelled + named + b"".join(_part(one) for one in self._times)
        self._templates[prefix, len(session)] = template
        return template

    def _make_head(self, script: Script) -> bytes:
        head = self._heads[script.name] = _part("EVALSHA") + _part(script.sha) + _part(KEYS)
        return head
