"""What a store promises of large values: contents that lie apart from the state, and uploads on their way to handlers.

Their bytes move in chunks of `references.CHUNK`, a few at a time, so that nobody who asks meanwhile has to wait long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from manyhands.references import Blob, Content, Reference


class UploadVerdict(StrEnum):
    """How `begin_upload` answers."""

    BEGUN = "begun"
    #: The session has as many uploads, or bytes of them, as it may.
    FULL = "full"
    UNKNOWN_SESSION = "unknown"


@dataclass(frozen=True, slots=True)
class Upload:
    """How far an upload has come."""

    size: int
    received: int

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come."""
        return self.received == self.size


class LargeValues(Protocol):
    """The acts on large values."""

    # --- worker ---

    def secret(self, session: str) -> bytes | None:
        """Give the secret with which a session's digests are made; None when the session is gone."""
        ...

    def hold(self, session: str, contents: Sequence[Content]) -> bool:
        """Write contents that commits are about to refer to, as far as they are not here already.

        They are kept for ten minutes at least, whatever else happens to them. False when the session is gone.
        """
        ...

    def free_uploads(self, session: str, ids: Sequence[bytes]) -> None:
        """Forget uploads that were used."""
        ...

    # --- gateway ---

    def blob(self, session: str, digest: bytes) -> tuple[Reference, Blob] | None:
        """Find what a browser may fetch; None where there is nothing."""
        ...

    def begin_upload(self, session: str, upload: bytes, size: int) -> UploadVerdict:
        """Begin an upload under an id that is as long as a digest. One that is not used is forgotten after a while."""
        ...

    def put_upload(self, session: str, upload: bytes, offset: int, chunk: bytes) -> int | None:
        """Write the next chunk, and give how many bytes have come; None for an unknown upload.

        A chunk of another offset changes nothing. All but the last are whole ones.
        """
        ...

    # --- both ---

    def upload(self, session: str, upload: bytes) -> Upload | None:
        """Tell how far an upload has come; None for an unknown one."""
        ...

    def read_chunks(self, session: str, digest: bytes, first: int, count: int) -> Sequence[bytes | None]:
        """Read some chunks of a content or an upload; None for each that is not here."""
        ...
