"""Texts that grow, such as the answer of a language model: browsers are told only what was added.

What was added means something to those that have exactly the text before it. So a commit names what it takes the store
to hold, and the store sends the update in full where it holds anything else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from manyhands.codec import view_part
from manyhands.errors import DamagedValue
from manyhands.fields import ancestors
from manyhands.packing import pack
from manyhands.paths import Path, encode_path
from manyhands.store.turns import Grown
from manyhands.updates import Growth, Outcome, encode_growth, encode_update
from manyhands_worker.changes import Changes

#: Bytes of a text from which on it is worth while.
LEAST = 64
#: Texts that a run remembers of its own commits.
MOST = 64
#: The first bytes of a text in msgpack, and after how many bytes it begins.
_TEXTS = {**dict.fromkeys(range(0xA0, 0xC0), 1), 0xD9: 2, 0xDA: 3, 0xDB: 5}


class Texts:
    """The texts that one run may add to, as the store holds them. Guarded by the run's lock."""

    __slots__ = ("_known", "_own")

    def __init__(self, known: Callable[[bytes], bytes | None]) -> None:
        """`known` gives a field as the run knows it, if it does; it must not wait."""
        self._known = known
        #: By field, the texts that the run's own commits have written; nothing else, of which there may be much.
        self._own: dict[bytes, bytes] = {}

    def encode_update(
        self, changes: Changes, client: str, n: int, outcome: Outcome | None, joined: Sequence[tuple[str, bool]]
    ) -> tuple[tuple[bytes, bytes], Grown | None]:
        """Encode the update of a commit, and where texts grew, also what the store needs to send it in full."""
        # What tells of rooms stands in the place where a gateway looks for texts.
        growths = () if joined else self._find_growths(changes)
        if not growths:
            return encode_update(changes.set_views, changes.unset, client, n, outcome, joined, changes.mail), None
        grown = {one.path for one in growths}
        others = [(path, view) for path, view in changes.set_views if path not in grown]
        return encode_growth(growths, others, changes.unset, client, n, outcome, changes.mail)

    def committed(self, ops: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Note what a commit writes, before the next one is made."""
        for _, field, value in ops:
            if field in self._own:
                del self._own[field]
            if len(value) > LEAST and _body(value) is not None:
                self._own[field] = value
        while len(self._own) > MOST:
            del self._own[next(iter(self._own))]

    def _find_growths(self, changes: Changes) -> Sequence[Growth]:
        texts = [(path, view) for path, view in changes.set_views if len(view) > LEAST and view[0] in _TEXTS]
        if not texts:
            return ()
        written = [field for _, field, _ in changes.ops]
        found = (self._find_growth(path, view, written) for path, view in texts)
        return [growth for growth in found if growth is not None]

    def _find_growth(self, path: Path, view: bytes, written: Sequence[bytes]) -> Growth | None:
        field = encode_path(path)
        before = self._own.get(field) or self._known(field)
        # Where the commit also writes above, something else is there in between.
        if before is None or written.count(field) > 1 or any(above in written for above in ancestors(field)):
            return None
        base, text = _body(before), _body(view)
        if base is None or text is None or len(base) < LEAST or not text.startswith(base):
            return None
        digest = hashlib.sha1(before, usedforsecurity=False).hexdigest()
        return Growth(path, field, digest, view, pack(text[len(base) :].decode()))


def _body(stored: bytes) -> bytes | None:
    """Take the text out of a field, if browsers see it as text."""
    try:
        view = view_part(stored)
    except DamagedValue:
        return None
    start = _TEXTS.get(view[0]) if view else None
    return None if start is None else view[start:]
