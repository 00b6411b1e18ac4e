"""The acts on large values, in memory."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence

from manyhands.references import Blob, Content, Reference
from manyhands.settings import Settings
from manyhands.store.large_contract import Upload, UploadVerdict
from manyhands.store.memory_large import Shelf
from manyhands.store.memory_records import Record


class MemoryShelves(ABC):
    """What `MemoryStore` does for large values."""

    settings: Settings
    _lock: threading.RLock

    @abstractmethod
    def _find(self, session: str) -> Record | None: ...

    @abstractmethod
    def _now(self) -> int: ...

    def _shelf(self, session: str) -> Shelf:
        record = self._find(session)
        # Of a session that is gone nothing is here, and nothing is kept.
        return record.shelf if record else Shelf()

    def secret(self, session: str) -> bytes | None:
        """Give the secret with which a session's digests are made; None when the session is gone."""
        with self._lock:
            record = self._find(session)
            return record.shelf.secret if record else None

    def hold(self, session: str, contents: Sequence[Content]) -> bool:
        """Keep contents that commits are about to refer to."""
        with self._lock:
            self._shelf(session).hold(contents, self._now())
            return self._find(session) is not None

    def free_uploads(self, session: str, ids: Sequence[bytes]) -> None:
        """Forget uploads that were used."""
        with self._lock:
            self._shelf(session).free(ids)

    def blob(self, session: str, digest: bytes) -> tuple[Reference, Blob] | None:
        """Find what a browser may fetch; None where there is nothing."""
        with self._lock:
            return self._shelf(session).blob(digest)

    def begin_upload(self, session: str, upload: bytes, size: int) -> UploadVerdict:
        """Begin an upload."""
        with self._lock:
            if self._find(session) is None:
                return UploadVerdict.UNKNOWN_SESSION
            return self._shelf(session).begin_upload(upload, size, self._now(), self.settings)

    def put_upload(self, session: str, upload: bytes, offset: int, chunk: bytes) -> int | None:
        """Write the next chunk, and give how many bytes have come."""
        with self._lock:
            return self._shelf(session).put_upload(upload, offset, chunk, self._now())

    def upload(self, session: str, upload: bytes) -> Upload | None:
        """Tell how far an upload has come; None for an unknown one."""
        with self._lock:
            return self._shelf(session).upload(upload)

    def read_chunks(self, session: str, digest: bytes, first: int, count: int) -> Sequence[bytes | None]:
        """Read some chunks of a content or an upload; None for each that is not here."""
        with self._lock:
            return self._shelf(session).read(digest, first, count)
