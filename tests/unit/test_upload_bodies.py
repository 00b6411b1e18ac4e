"""What a gateway answers where the bytes of an upload do not come as they were announced."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from gunicorn.http.errors import InvalidChunkSize

from manyhands.references import CHUNK
from manyhands.settings import Settings
from manyhands.store.contract import Session
from manyhands.store.memory import MemoryStore
from manyhands_gateway.http_sessions import HttpSessions
from manyhands_gateway.tokens import Tokens
from manyhands_gateway.uploads import add_uploads


class Body(io.RawIOBase):
    """Gives a chunk and some bytes, then fails."""

    def __init__(self, failure: Exception) -> None:
        self._data, self._failure = io.BytesIO(bytes(CHUNK + 5)), failure

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        found = self._data.readinto(buffer)
        if not found:
            raise self._failure
        return found


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    settings = replace(Settings(), secret_keys=("0" * 32,))
    store = MemoryStore(settings)
    store.create(Session("s", "", "v"))
    app = Flask(__name__)
    add_uploads(app, settings, store, HttpSessions(settings, store))
    with app.test_client() as made:
        made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {Tokens(settings).sign('s')}"
        yield made


@pytest.mark.parametrize(("failure", "status"), [(TimeoutError("timed out"), 503), (InvalidChunkSize(b"zz"), 400)])
def test_a_body_that_breaks_off_keeps_what_has_come_and_says_why(
    client: FlaskClient, failure: Exception, status: int
) -> None:
    upload = client.post(f"/_mh/upload?size={2 * CHUNK}").headers["Location"]
    body = {"wsgi.input": io.BufferedReader(Body(failure)), "wsgi.input_terminated": True}
    answer = client.put(f"{upload}?offset=0", environ_overrides=body)
    assert answer.status_code == status
    assert client.get(upload).headers["Upload-Offset"] == str(CHUNK)
