"""`/_mh/upload`: large payloads, sent in chunks before the event that names them.

`POST ?size=…` begins one and gives its id, `PUT /<id>?offset=…` sends the next bytes, `GET` or `HEAD /<id>` says how
many have come. They lie in the store, so a browser goes on with another gateway where one has died.
"""

from __future__ import annotations

import secrets
from time import monotonic
from typing import NoReturn

import gevent
from flask import Flask, Response, abort, jsonify, request
from gunicorn.http.errors import ParseException

from manyhands.references import CHUNK, DIGEST
from manyhands.settings import Settings
from manyhands.store.contract import Store
from manyhands.store.large_contract import Upload, UploadVerdict
from manyhands.wire import UPLOAD_PATH, Key
from manyhands_gateway.http_sessions import HttpSessions

#: Bytes that one `PUT` may bring.
MOST_AT_ONCE = 4 * 2**20
#: Seconds between two chunks at most, however long one took to come.
LONGEST_PAUSE = 0.01
#: Seconds after which a browser should begin another upload where its session has too many.
FULL_RETRY_AFTER = 10


class Uploads:
    """Answers requests for uploads."""

    def __init__(self, settings: Settings, store: Store, sessions: HttpSessions) -> None:
        self._store, self._sessions, self._most = store, sessions, settings.max_upload

    def begin(self) -> Response:
        """Begin one."""
        session, size = self._sessions.demand(), _number(Key.SIZE)
        if not size:
            abort(400, "an upload has at least one byte")
        if size > self._most:
            abort(413, f"an upload has at most {self._most} bytes, got {size}")
        upload = secrets.token_bytes(DIGEST)
        verdict = self._store.begin_upload(session, upload, size)
        if verdict is UploadVerdict.UNKNOWN_SESSION:
            _refuse_session()
        if verdict is UploadVerdict.FULL:
            response = Response("the session has as many uploads as it may; fire their events first\n", 429)
            response.headers["Retry-After"] = str(FULL_RETRY_AFTER)
            return response
        response = _describe(upload.hex(), Upload(size, 0))
        response.status_code = 201
        response.headers["Location"] = f"{UPLOAD_PATH}/{upload.hex()}"
        return response

    def answer(self, name: str) -> Response:
        """Write the next bytes of one, or tell how far it has come."""
        session, upload = self._sessions.demand(), _id_of(name)
        found = self._store.upload(session, upload)
        if found is None:
            _refuse_upload()
        if request.method != "PUT":
            return _describe(name, found)
        if (request.content_length or 0) > MOST_AT_ONCE:
            abort(413, f"send at most {MOST_AT_ONCE} bytes at once")
        offset = _number(Key.OFFSET)
        if offset != found.received:
            # The browser goes on from there: an answer to its last request may have got lost.
            response = _describe(name, found)
            response.status_code = 409
            return response
        return _describe(name, Upload(found.size, self._write(session, upload, found)))

    def _write(self, session: str, upload: bytes, found: Upload) -> int:
        received, rest = found.received, MOST_AT_ONCE
        while received < found.size and rest > 0:
            began = monotonic()
            chunk = _read_chunk(min(CHUNK, found.size - received))
            if chunk is None:
                break
            come = self._store.put_upload(session, upload, received, chunk)
            if come is None:
                _refuse_upload()
            if come != received + len(chunk):
                # Somebody else writes the same upload.
                return come
            received, rest = come, rest - len(chunk)
            # Half of the time is others'.
            gevent.sleep(min(monotonic() - began, LONGEST_PAUSE))
        return received


def _read_chunk(size: int) -> bytes | None:
    """Read a whole chunk of the body; None where less is left, which must be sent again with what follows."""
    parts: list[bytes] = []
    try:
        while size and (part := request.stream.read(size)):
            parts.append(part)
            size -= len(part)
    except TimeoutError:
        # As if we could not be reached: whoever sends asks where to go on.
        abort(503, "the next bytes have not come in time; go on from the offset")
    except (OSError, ParseException) as error:
        abort(400, f"the body can't be read: {error}")
    return None if size else b"".join(parts)


def _number(key: Key) -> int:
    text = request.args.get(key, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        abort(400, f"`{key}` is a whole number of bytes, got {text[:50]!r}")
    return int(text)


def _id_of(name: str) -> bytes:
    try:
        upload = bytes.fromhex(name)
    except ValueError:
        upload = b""
    if len(upload) != DIGEST:
        _refuse_upload()
    return upload


def _refuse_upload() -> NoReturn:
    abort(404, "there is no such upload: it has expired, was used, or is another session's; begin a new one")


def _refuse_session() -> NoReturn:
    abort(401, "the session is unknown or has expired")


def _describe(name: str, upload: Upload) -> Response:
    response = jsonify({Key.ID: name, Key.OFFSET: upload.received, Key.SIZE: upload.size})
    response.headers["Upload-Offset"] = str(upload.received)
    response.headers["Upload-Length"] = str(upload.size)
    response.headers["Cache-Control"] = "no-store"
    return response


def add_uploads(app: Flask, settings: Settings, store: Store, sessions: HttpSessions) -> None:
    """Add the endpoints to an application."""
    uploads = Uploads(settings, store, sessions)
    begin, answer = sessions.shared(uploads.begin), sessions.shared(uploads.answer)
    app.add_url_rule(
        UPLOAD_PATH, "mh_uploads", begin, methods=["POST", "OPTIONS"], provide_automatic_options=False
    )
    app.add_url_rule(
        f"{UPLOAD_PATH}/<name>", "mh_upload", answer,
        methods=["GET", "HEAD", "PUT", "OPTIONS"], provide_automatic_options=False,
    )  # fmt: skip
