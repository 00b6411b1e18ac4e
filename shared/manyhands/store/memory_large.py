"""Large values in memory."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from manyhands.references import (
    CHUNK,
    Blob,
    Content,
    Reference,
    chunk_size,
    count_chunks,
    is_reference,
    read_reference,
)
from manyhands.settings import Settings
from manyhands.store import limits
from manyhands.store.large_contract import Upload, UploadVerdict


@dataclass(slots=True)
class Held:
    """A content or, without a blob, an upload."""

    data: bytes
    size: int
    blob: Blob | None
    #: When it was last written, held or dropped, in ms.
    since: int
    #: How many fields of the state refer to it.
    refs: int = 0
    #: Whether it was referred to, and is no longer.
    retired: bool = False


class Shelf:
    """The large values of one session. Whoever calls holds the store's lock."""

    def __init__(self) -> None:
        self.secret = secrets.token_bytes(limits.SECRET_BYTES)
        #: By digest; those that were dropped last at the end.
        self.held: dict[bytes, Held] = {}

    def hold(self, contents: Iterable[Content], now: int) -> None:
        """Keep contents for commits that are to come."""
        self.prune(now)
        for one in contents:
            known = self.held.setdefault(one.digest, Held(one.data, len(one.data), one.blob, now))
            known.since, known.retired = now, False

    def missing(self, values: Iterable[bytes]) -> list[bytes]:
        """Give the digests of those among stored values that refer to what is not here."""
        digests = dict.fromkeys(read_reference(value).digest for value in values if is_reference(value))
        return [digest for digest in digests if digest not in self.held or self.held[digest].blob is None]

    def count(self, values: Iterable[bytes], now: int) -> None:
        """Count anew what all values of the state refer to, and retire what none does."""
        referred = Counter(read_reference(value).digest for value in values if is_reference(value))
        for digest, one in list(self.held.items()):
            if one.refs and not referred[digest]:
                one.retired, one.since = True, now
                self.held[digest] = self.held.pop(digest)
            one.refs = referred[digest]
        self.prune(now)

    def prune(self, now: int) -> None:
        """Forget what nothing refers to: what has been so for long, and of what was retired all but the latest."""
        retired = 0
        for digest, one in reversed(list(self.held.items())):
            if one.refs:
                continue
            retired += one.size if one.retired else 0
            if now - one.since > limits.LOOSE_FOR or (one.retired and retired > limits.RETIRED_BYTES):
                del self.held[digest]

    def uploads(self) -> list[Held]:
        """Give the uploads."""
        return [one for one in self.held.values() if one.blob is None]

    def put_upload(self, upload: bytes, offset: int, chunk: bytes, now: int) -> int | None:
        """Write the next chunk of an upload."""
        one = self.held.get(upload)
        if one is None or one.blob is not None:
            return None
        come = len(one.data)
        if offset == come and come < one.size and len(chunk) == chunk_size(one.size, offset // CHUNK):
            one.data, one.since = one.data + chunk, now
        return len(one.data)

    def read(self, digest: bytes, first: int, count: int) -> list[bytes | None]:
        """Read chunks."""
        data = self.held[digest].data if digest in self.held else b""
        here = count_chunks(len(data))
        return [data[at * CHUNK : (at + 1) * CHUNK] if at < here else None for at in range(first, first + count)]

    def begin_upload(self, upload: bytes, size: int, now: int, settings: Settings) -> UploadVerdict:
        """Begin an upload."""
        self.prune(now)
        if upload in self.held:
            return UploadVerdict.BEGUN
        others = self.uploads()
        most = limits.UPLOADS_AT_ONCE * settings.max_upload
        if len(others) >= limits.UPLOADS or sum(one.size for one in others) + size > most:
            return UploadVerdict.FULL
        self.held[upload] = Held(b"", size, None, now)
        return UploadVerdict.BEGUN

    def blob(self, digest: bytes) -> tuple[Reference, Blob] | None:
        """Find what a browser may fetch."""
        one = self.held.get(digest)
        return None if one is None or one.blob is None else (Reference(digest, one.size), one.blob)

    def upload(self, upload: bytes) -> Upload | None:
        """Tell how far an upload has come."""
        one = self.held.get(upload)
        return None if one is None or one.blob is not None else Upload(one.size, len(one.data))

    def free(self, uploads: Iterable[bytes]) -> None:
        """Forget uploads."""
        for upload in uploads:
            if self.upload(upload):
                del self.held[upload]
