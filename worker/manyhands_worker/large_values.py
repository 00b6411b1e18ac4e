"""A worker process's large values: read when a handler first looks at one, written before the commit that refers to it.

Their encoded bytes are kept by digest, so that a value which was read or written here is not fetched again, however
often it is read. Never live objects: no event can change what another one reads.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from manyhands import codec
from manyhands.errors import DamagedValue, LargeMissing, Unavailable, UploadMissing
from manyhands.references import DIGEST, Content, Reference, chunk_size, count_chunks, refer, refer_file
from manyhands.store.contract import Store
from manyhands.types.files import File
from manyhands.wire import Key

if TYPE_CHECKING:
    from manyhands_worker.running import Running
    from manyhands_worker.waits import Waits

log = logging.getLogger("manyhands.turns")

#: Chunks that are read with one round trip.
TOGETHER = 8
#: Bytes of a download that travels in its update.
MOST_IN_URL = 1024
#: Sessions whose secrets are remembered.
SECRETS = 4096
#: What the body of an event holds that refers to uploads.
UPLOAD_MARK = Key.UPLOAD.value.encode()

Answer = TypeVar("Answer")


class LargeValues:
    """Shared by all threads of the process."""

    def __init__(self, store: Store, running: Running, waits: Waits, most: int) -> None:
        """`most`: bytes that are kept."""
        self._store, self._running, self._waits, self._most = store, running, waits, most
        # Guards everything below; held for a moment.
        self._lock = threading.Lock()
        #: By digest, what was used last at the end.
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0
        self._secrets: OrderedDict[str, bytes] = OrderedDict()

    def of(self, session: str) -> SessionValues:
        """Give those of a session."""
        return SessionValues(self, session)

    def load(self, session: str, reference: Reference) -> bytes:
        """Give a content. Raises `DamagedValue` where it is not whole."""
        with self._lock:
            kept = self._kept.get(reference.digest)
            if kept is not None:
                self._kept.move_to_end(reference.digest)
                return kept
        with self._waits.waiting():
            data = self._read(session, reference)
        if data is None:
            raise DamagedValue("it is large, and part of it is gone: another event may have replaced it meanwhile")
        self._keep(reference.digest, data)
        return data

    def secret(self, session: str) -> bytes:
        """Give the secret with which a session's digests are made."""
        with self._lock:
            known = self._secrets.get(session)
        if known is not None:
            return known
        found = self._insist(lambda: self._store.secret(session))
        if found is None:
            # Of a session that is gone nothing will be committed, whatever its digests are.
            return b"gone"
        with self._lock:
            self._secrets[session] = found
            if len(self._secrets) > SECRETS:
                self._secrets.popitem(last=False)
        return found

    def hold(self, session: str, contents: Sequence[Content]) -> None:
        """Write contents, before the commit that refers to them."""
        if contents:
            self._insist(lambda: self._store.hold(session, contents))
            for one in contents:
                self._keep(one.digest, one.data)

    def fill_in(self, session: str, payload: Any) -> tuple[Any, list[bytes]]:
        """Put uploads in the places of a payload where they are named; give it, and the ids of the uploads.

        Raises `UploadMissing`.
        """
        used: dict[bytes, bytes] = {}
        return self._fill_in(session, payload, used), list(used)

    def free(self, session: str, uploads: Sequence[bytes]) -> None:
        """Forget uploads whose event has ended; where Redis is away, time will."""
        try:
            self._store.free_uploads(session, uploads)
        except Unavailable as error:
            log.warning("session %s: uploads are left to expire: %s", session, error)

    def _fill_in(self, session: str, value: Any, used: dict[bytes, bytes]) -> Any:
        if isinstance(value, dict):
            if set(value) == {Key.UPLOAD.value}:
                return self._upload(session, value[Key.UPLOAD.value], used)
            return {key: self._fill_in(session, item, used) for key, item in value.items()}
        if isinstance(value, list):
            return [self._fill_in(session, item, used) for item in value]
        return value

    def _upload(self, session: str, name: object, used: dict[bytes, bytes]) -> bytes:
        upload = _id_of(name)
        if upload not in used:
            found = self._insist(lambda: self._store.upload(session, upload))
            if found is None:
                raise UploadMissing(str(name), "it has expired, was used by an earlier event, or was never begun")
            if not found.is_whole:
                raise UploadMissing(str(name), f"only {found.received} of its {found.size} bytes have come")
            data = self._read(session, Reference(upload, found.size))
            if data is None:
                raise UploadMissing(str(name), "part of it is gone")
            used[upload] = data
        return used[upload]

    def _read(self, session: str, reference: Reference) -> bytes | None:
        size, number = reference.size, count_chunks(reference.size)
        parts: list[bytes] = []
        for first in range(0, number, TOGETHER):
            count = min(TOGETHER, number - first)
            chunks = self._insist(lambda: self._store.read_chunks(session, reference.digest, first, count))  # noqa: B023
            for at, chunk in enumerate(chunks, first):
                if chunk is None or len(chunk) != chunk_size(size, at):
                    return None
                parts.append(chunk)
        return b"".join(parts)

    def _keep(self, digest: bytes, data: bytes) -> None:
        with self._lock:
            if len(data) > self._most or digest in self._kept:
                return
            self._kept[digest] = data
            self._bytes += len(data)
            while self._bytes > self._most:
                self._bytes -= len(self._kept.popitem(last=False)[1])

    def _insist(self, act: Callable[[], Answer]) -> Answer:
        return self._running.insist(act, "move a large value")


class SessionValues:
    """The large values of one session, as a run of it uses them."""

    __slots__ = ("_session", "_values")

    def __init__(self, values: LargeValues, session: str) -> None:
        self._values, self._session = values, session

    def load(self, reference: Reference) -> bytes:
        """Give a content. Raises `DamagedValue`."""
        return self._values.load(self._session, reference)

    def refer(self, field: bytes) -> tuple[bytes, Content]:
        """Make the reference that stands for a large field, and its content, which is not written yet."""
        return refer(self._session, field, self._values.secret(self._session))

    def publish(self, file: File) -> str:
        """Write a file that no field refers to, and give the URL at which it is for some minutes.

        One so small that it does not matter lies in the URL itself.
        """
        if len(file.data) <= MOST_IN_URL:
            return str(codec.view(file))
        field = codec.encode(file)
        url, content = refer_file(self._session, field, self._values.secret(self._session))
        self.hold([content])
        return url

    def hold(self, contents: Sequence[Content]) -> None:
        """Write contents."""
        self._values.hold(self._session, contents)

    def hold_again(self, contents: Iterable[Content], missing: LargeMissing) -> bool:
        """Write once more what a commit was refused for; False where it is not at hand."""
        at_hand = {one.digest: one for one in contents}
        if not all(digest in at_hand for digest in missing.digests):
            return False
        self.hold([at_hand[digest] for digest in missing.digests])
        return True


def _id_of(name: object) -> bytes:
    try:
        upload = bytes.fromhex(name) if isinstance(name, str) else b""
    except ValueError:
        upload = b""
    if len(upload) != DIGEST:
        raise UploadMissing(str(name)[:100], "that is no upload's id")
    return upload
