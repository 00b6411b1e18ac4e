"""Mail: what a run asks of the page, encoded when it is asked for, and sent with the run's next commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from manyhands import codec
from manyhands.errors import AppError
from manyhands.packing import pack
from manyhands.types.files import File
from manyhands.wire import MOST_INLINE, Key, Mail

#: Pieces between two commits. A page that is asked for more has no use for them, and updates are to stay small.
MOST_PIECES = 256


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing that is asked of the page: the encoded items of its map, but the URL of a file, which has none yet."""

    items: tuple[bytes, ...]
    file: File | None = None

    def encode(self, url_of: Callable[[File], str]) -> bytes:
        """Encode it as it travels."""
        url = (pack(Key.URL) + pack(url_of(self.file)),) if self.file else ()
        items = (*self.items, *url)
        return bytes([0x80 | len(items)]) + b"".join(items)


class Outgoing:
    """The mail of one run that no commit has taken yet. The state's lock guards it."""

    __slots__ = ("_bytes", "_most", "_pieces")

    def __init__(self, most: int) -> None:
        """`most`: bytes that files have, together."""
        self._pieces: list[Piece] = []
        self._most, self._bytes = most, 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, piece: Piece) -> None:
        """Note a piece. Raises `AppError` for more than a page has use for."""
        if len(self._pieces) >= MOST_PIECES:
            raise AppError(
                f"the page was asked for {MOST_PIECES} things at once, and for one more; "
                "ask for fewer in a loop, or assign to the state what the page is to show"
            )
        size = self._bytes + (len(piece.file.data) if piece.file else 0)
        if size > self._most:
            expected = f"at most {self._most / 2**20:.1f} MB at once, or set MANYHANDS_MAX_VALUE"
            raise AppError(f"state.{Mail.FILE_DOWNLOAD} was given {size / 2**20:.1f} MB; expected {expected}")
        self._bytes = size
        self._pieces.append(piece)

    def take(self) -> list[Piece]:
        """Give all, in their order, and forget them."""
        taken, self._pieces, self._bytes = self._pieces, [], 0
        return taken

    def put_back(self, taken: list[Piece]) -> None:
        """Take back what could not be sent: it goes before what was asked for meanwhile."""
        self._pieces = taken + self._pieces
        self._bytes += sum(len(one.file.data) for one in taken if one.file)


def make_piece(type_: Mail, said: Mapping[Key, Any], everyone: bool, file: File | None = None) -> Piece:
    """Encode what is asked of the page, as browsers are to see it.

    Raises `NotSerialisable` for what can't be sent, `AppError` for what is too large.
    """
    marks = {} if everyone else {Key.OWN: True}
    items: list[bytes] = []
    for key, value in {Key.TYPE: type_.value, **said, **marks}.items():
        codec.check_value(value, (type_, key))
        items.append(pack(key) + codec.encode(codec.view(value), (type_, key)))
    size = sum(map(len, items))
    if size > MOST_INLINE:
        cure = f"expected at most {MOST_INLINE // 1024} KB; assign to the state what is larger"
        raise AppError(f"what state.{type_} was given has {size // 1024} KB; {cure}")
    return Piece(tuple(items), file)

