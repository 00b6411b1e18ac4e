"""Large values in Redis."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from manyhands.keys import Keys
from manyhands.references import Blob, Content, Reference, chunk_name, chunks_of
from manyhands.settings import Settings
from manyhands.store import limits
from manyhands.store.commands import Part
from manyhands.store.large_contract import Upload, UploadVerdict
from manyhands.store.scripts_loader import Script, load_script

#: Chunks that are sent with one round trip. More would hold up those who share the connection's other end.
TOGETHER = 4


class RedisLarge(ABC):
    """What `RedisStore` does for large values."""

    keys: Keys
    settings: Settings

    @abstractmethod
    def _run(self, name: str, session: str, *arguments: Any) -> Any: ...

    @abstractmethod
    def _pipeline(self, calls: Iterable[tuple[Script, str, Sequence[Any]]]) -> list[Any]: ...

    @abstractmethod
    def _command(self, *parts: Part) -> Any: ...

    def secret(self, session: str) -> bytes | None:
        """Give the secret with which a session's digests are made; None when the session is gone."""
        answer = self._run("hold", session, secrets.token_bytes(limits.SECRET_BYTES))
        return None if answer is None else bytes(answer[0])

    def hold(self, session: str, contents: Sequence[Content]) -> bool:
        """Write contents that commits are about to refer to, as far as they are not here already."""
        described = [
            part for one in contents
            for part in (one.digest, len(one.data), f"{one.blob.offset} {one.blob.length} {one.blob.mime_type}")
        ]  # fmt: skip
        answer = self._run("hold", session, secrets.token_bytes(limits.SECRET_BYTES), *described)
        if answer is None:
            return False
        script = load_script("put_chunk")
        missing = [one for one, is_whole in zip(contents, answer[1:], strict=True) if not is_whole]
        calls = ((script, session, (one.digest, number, bytes(chunk)))
                 for one in missing for number, chunk in enumerate(chunks_of(one.data)))  # fmt: skip
        while some := list(islice(calls, TOGETHER)):
            if not all(self._pipeline(some)):
                return False
        return True

    def free_uploads(self, session: str, ids: Sequence[bytes]) -> None:
        """Forget uploads that were used."""
        self._run("free_uploads", session, *ids)

    def blob(self, session: str, digest: bytes) -> tuple[Reference, Blob] | None:
        """Find what a browser may fetch; None where there is nothing."""
        entry = self._held(session, digest)
        if entry is None or entry[1] == b"u":
            return None
        offset, length, mime_type = entry[4].split(b" ", 2)
        return Reference(digest, int(entry[3])), Blob(int(offset), int(length), mime_type.decode())

    def begin_upload(self, session: str, upload: bytes, size: int) -> UploadVerdict:
        """Begin an upload under an id that is as long as a digest."""
        most = limits.UPLOADS_AT_ONCE * self.settings.max_upload
        answer = self._run("begin_upload", session, upload, size, limits.UPLOADS, most)
        return UploadVerdict(answer.decode())

    def put_upload(self, session: str, upload: bytes, offset: int, chunk: bytes) -> int | None:
        """Write the next chunk, and give how many bytes have come."""
        come: int | None = self._run("put_upload", session, upload, offset, chunk)
        return come

    def upload(self, session: str, upload: bytes) -> Upload | None:
        """Tell how far an upload has come; None for an unknown one."""
        entry = self._held(session, upload)
        return Upload(int(entry[3]), int(entry[4])) if entry is not None and entry[1] == b"u" else None

    def read_chunks(self, session: str, digest: bytes, first: int, count: int) -> Sequence[bytes | None]:
        """Read some chunks of a content or an upload; None for each that is not here."""
        names = [chunk_name(digest, number) for number in range(first, first + count)]
        chunks: Sequence[bytes | None] = self._command("HMGET", self.keys.large(session), *names)
        return chunks

    def _held(self, session: str, digest: bytes) -> list[bytes] | None:
        # refs, kind, since, size and the rest: see _large.lua.
        entry = self._command("HGET", self.keys.held(session), digest)
        return None if entry is None else entry.split(b" ", 4)
