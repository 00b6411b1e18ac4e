"""Large values over HTTP, fetched from a gateway and sent to it. These functions wait."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.error import HTTPError

import msgpack

from manyhands.load.address import SOCKET_PATH, Address
from manyhands.references import JSON, MSGPACK
from manyhands.wire import UPLOAD_PATH, Key

#: Seconds in which an answer must begin to come.
ANSWER_WITHIN = 10.0
#: Bytes of an upload that are sent at once, and again where the connection breaks.
AT_ONCE = 2**20
#: How often in a row a request of an upload is tried, and seconds between two tries.
TRIES, PAUSE = 8, 0.5
#: Of an upload that goes on from elsewhere: an answer had got lost.
CONFLICT = 409

#: Gives the gateway to ask, which may be another one each time, and the headers.
Where = Callable[[], tuple[Address, Mapping[str, str]]]


def fetch(where: Where, reference: Mapping[str, Any]) -> Any:
    """Get what a reference stands for. Raises `LookupError` where it is gone, `OSError`."""
    try:
        data = _request(where, "GET", reference[Key.BLOB], accept=MSGPACK)
    except HTTPError as error:
        if error.code == 404:
            raise LookupError("another value has taken its place, or the session has ended") from None
        raise
    return msgpack.unpackb(data, strict_map_key=False) if reference[Key.TYPE] == JSON else data


def upload(where: Where, data: bytes) -> dict[str, str]:
    """Send bytes, and give what stands for them in a payload. Raises `OSError`."""
    name = _insist(where, "POST", f"{UPLOAD_PATH}?{Key.SIZE}={len(data)}")[Key.ID]
    sent = 0
    while sent < len(data):
        path = f"{UPLOAD_PATH}/{name}?{Key.OFFSET}={sent}"
        sent = _insist(where, "PUT", path, data[sent : sent + AT_ONCE])[Key.OFFSET]
    return {Key.UPLOAD.value: name}


def _insist(where: Where, method: str, path: str, body: bytes | None = None) -> Any:
    """Ask until a gateway answers. What it answers says how far the upload has come, whatever was sent twice."""
    for left in reversed(range(TRIES)):
        try:
            return json.loads(_request(where, method, path, body))
        except HTTPError as error:
            if error.code == CONFLICT:
                return json.loads(error.read())
            if error.code < 500 or not left:
                raise
        except OSError:
            if not left:
                raise
        time.sleep(PAUSE)
    raise AssertionError("the last try gives or raises")


def _request(where: Where, method: str, path: str, body: bytes | None = None, accept: str = JSON) -> bytes:
    address, headers = where()
    prefix = address.path.removesuffix(SOCKET_PATH)
    url = f"{'https' if address.tls else 'http'}://{address.host_header}{prefix}{path}"
    request = urllib.request.Request(url, body, {"Accept": accept, **headers}, method=method)
    with urllib.request.urlopen(request, timeout=ANSWER_WITHIN) as answer:
        data: bytes = answer.read()
    return data
