"""`/_mh/blob/…`: large views and files, streamed out of the store chunk by chunk.

A URL names a session and a digest that is told to that session's browsers alone and can't be guessed, so that an
`<img src>`, which can send no header, is let in by it. Where cookies name sessions, the cookie must name the same one.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import gevent
from flask import Flask, Response, abort, request
from werkzeug.utils import get_content_type

from manyhands.errors import DamagedValue
from manyhands.keys import room
from manyhands.references import CHUNK, DIGEST, JSON, MSGPACK, Blob, Reference, chunk_size
from manyhands.store.contract import Store
from manyhands.wire import BLOB_PATH
from manyhands_gateway.http_headers import BLOB_ENDPOINT
from manyhands_gateway.http_sessions import HttpSessions
from manyhands_gateway.transcoding import Transcoder

#: Seconds that a browser keeps a blob: what a digest stands for never changes.
KEPT_FOR = 31_536_000
#: What browsers may show where it is opened by itself. Everything else, pages and SVG among it, they save.
SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "text/plain", JSON, MSGPACK})


class Blobs:
    """Answers requests for blobs."""

    def __init__(self, store: Store, sessions: HttpSessions) -> None:
        self._store, self._sessions = store, sessions

    def answer(self, session: str, name: str) -> Response:
        """Answer one."""
        reference, blob = self._find(session, name)
        as_json = blob.is_view and request.accept_mimetypes.best_match([JSON, MSGPACK], JSON) == JSON
        response = Response(content_type=_content_type(blob, as_json=as_json))
        response.set_etag(f"{name}.json" if as_json else name)
        response.headers["Cache-Control"] = f"private, max-age={KEPT_FOR}, immutable"
        if blob.is_view:
            response.vary.add("Accept")
        if response.mimetype not in SHOWN:
            response.headers["Content-Disposition"] = "attachment"
        # Proxies that compress make weak ones of them.
        if request.if_none_match.contains_weak(response.get_etag()[0] or ""):
            response.status_code = 304
            return response
        chunks = Chunks(self._store, session, reference)
        chunks.look()
        if as_json:
            view = chunks.read(blob.offset, blob.offset + blob.length)
            response.response = _with_pauses(Transcoder(view).pieces())
        else:
            _answer_part(response, chunks, blob)
        return response

    def _find(self, session: str, name: str) -> tuple[Reference, Blob]:
        found = None
        if self._may_ask(session) and len(name) == 2 * DIGEST:
            try:
                found = self._store.blob(session, bytes.fromhex(name))
            except ValueError:
                found = None
        if found is None:
            abort(404, "there is no such blob, or another value has taken its place, or it is another session's")
        return found


    def _may_ask(self, session: str) -> bool:
        if not self._sessions.in_cookies:
            return True
        named = self._sessions.named()
        # Of a room, who has been told the URL has joined it.
        return named == session or (named is not None and session.startswith(room("")))


class Chunks:
    """The chunks of one content."""

    def __init__(self, store: Store, session: str, reference: Reference) -> None:
        self._store, self._session, self._reference = store, session, reference

    def look(self) -> None:
        """Answer 404 where the content is gone already."""
        if self._chunk(0) is None:
            abort(404, "another value has taken its place")

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Read bytes, at most a chunk of them at once. Raises `DamagedValue` where one is gone."""
        for number in range(start // CHUNK, -(-stop // CHUNK)):
            chunk = self._chunk(number)
            if chunk is None:
                raise DamagedValue(f"chunk {number} of a large value is gone", (), self._session)
            first = number * CHUNK
            yield chunk[max(start - first, 0) : stop - first]

    def _chunk(self, number: int) -> bytes | None:
        (chunk,) = self._store.read_chunks(self._session, self._reference.digest, number, 1)
        return chunk if chunk and len(chunk) == chunk_size(self._reference.size, number) else None


def _content_type(blob: Blob, *, as_json: bool) -> str:
    given = MSGPACK if blob.is_view and not as_json else blob.mime_type
    # An app that names the charset means it.
    return given if ";" in given else get_content_type(given, "utf-8")


def _answer_part(response: Response, chunks: Chunks, blob: Blob) -> None:
    """Answer with what was asked for of bytes that are sent as they are."""
    start, stop = 0, blob.length
    response.headers["Accept-Ranges"] = "bytes"
    asked, still = request.range, request.if_range
    is_same = still.etag in (None, response.get_etag()[0]) and still.date is None
    if asked is not None and asked.units == "bytes" and len(asked.ranges) == 1 and is_same:
        part = _part_of(asked.ranges[0], blob.length)
        if part is None:
            response.status_code = 416
            response.headers["Content-Range"] = f"bytes */{blob.length}"
            return
        start, stop = part
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{blob.length}"
    response.response = chunks.read(blob.offset + start, blob.offset + stop)
    response.content_length = stop - start


def _part_of(asked: tuple[int, int | None], length: int) -> tuple[int, int] | None:
    """Give where a range begins and stops; None where nothing lies in it."""
    start, stop = asked
    if start < 0:
        # The last so many bytes, all where there are fewer.
        return max(length + start, 0), length
    return (start, min(length if stop is None else stop, length)) if start < length else None


def _with_pauses(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Leave others half of the time: a click that passes through here some times waits for a piece each time."""
    began = monotonic()
    for piece in pieces:
        gevent.sleep(monotonic() - began)
        yield piece
        began = monotonic()


def add_blobs(app: Flask, store: Store, sessions: HttpSessions) -> None:
    """Add the endpoint to an application."""
    view = sessions.shared(Blobs(store, sessions).answer)
    methods = ["GET", "HEAD", "OPTIONS"]
    app.add_url_rule(
        f"{BLOB_PATH}/<path:session>/<name>", BLOB_ENDPOINT, view, methods=methods, provide_automatic_options=False
    )
