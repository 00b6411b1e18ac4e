"""Large values the whole way: what travels in frames, what is fetched over HTTP, what handlers read and upload."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import msgpack
import pytest
from PIL import Image

from manyhands.keys import Keys
from support.browser import JSON, MSGPACK, Tab
from support.fleet import Fleet
from support.http import ask
from support.redis_server import RedisServer
from support.stand_in import session_of

APP = "tests/apps/bulky"
KIB, MIB = 2**10, 2**20
#: The largest frame that may come of a small event.
SMALL = 4 * KIB

Open = Callable[..., Tab]


@pytest.fixture(scope="module")
def fleet(module_fleet_of: Callable[..., Fleet]) -> Fleet:
    """Two gateways and two workers for all tests of this module; each test has sessions of its own."""
    environ = {"MANYHANDS_MAX_VALUE": "8MiB", "MANYHANDS_MAX_UPLOAD": "8MiB"}
    return module_fleet_of(app=APP, gateways=2, workers=2, environ=environ)


@pytest.fixture
def open_tab(fleet: Fleet) -> Iterator[Open]:
    with contextlib.ExitStack() as stack:

        def open_one(gateway: int = 0, **options: Any) -> Tab:
            return stack.enter_context(Tab(fleet.urls[gateway], **options))

        yield open_one


def value_of(update: dict[str, Any], name: str) -> Any:
    """Give what an update brought, before anything was fetched."""
    return next(value for path, value in update["set"] if path == [name])


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
def test_a_large_view_comes_as_a_reference_and_is_fetched(open_tab: Open, subprotocol: str) -> None:
    tab, other = open_tab(subprotocol=subprotocol), None
    other = open_tab(1, token=tab.token, subprotocol=subprotocol)
    update = tab.call("text", {"size": 3 * MIB})
    reference = value_of(update, "text")
    assert set(reference) == {"$blob", "type", "size"}
    # msgpack's head of a text is 5 bytes.
    assert (reference["type"], reference["size"]) == ("application/json", 3 * MIB + 5)
    assert len(json.dumps(update)) < SMALL
    assert tab.state["text"] == ("0 " * 3 * MIB)[: 3 * MIB]
    other.wait_for(lambda: "text" in other.state)
    assert other.state["text"] == tab.state["text"]
    third = open_tab(1, token=tab.token)
    assert len(json.dumps(third.welcomes[0])) < SMALL
    assert third.state["text"] == tab.state["text"]


def test_arrays_with_nan_come_as_their_views_in_both_subprotocols(open_tab: Open) -> None:
    tab = open_tab()
    other = open_tab(token=tab.token, subprotocol=MSGPACK)
    tab.call("array", 50_000)
    # Assigned and then changed in place: a value is taken when it is committed.
    assert tab.state["array"][:3] == [0, None, 2 / 7]
    other.wait_for(lambda: "array" in other.state)
    assert math.isnan(other.state["array"][1])
    assert [tab.state["array"][2:], len(tab.state["array"])] == [other.state["array"][2:], 50_000]
    assert tab.call("total")["result"] == pytest.approx(sum(range(2, 50_000)) / 7)


def test_a_file_is_a_url_that_serves_its_bytes(open_tab: Open, fleet: Fleet) -> None:
    tab = open_tab()
    size = 700_001
    url = value_of(tab.call("file", {"size": size, "type": "image/png"}), "file")
    assert tab.state["file"] == url
    assert tab.call("file_again")["ok"]
    assert tab.state["length"] == size
    answers = [ask(one, url) for one in fleet.urls]
    assert answers[0].body == answers[1].body
    assert len(answers[0].body) == size
    headers = answers[0].headers
    assert (headers["content-type"], headers["content-length"]) == ("image/png", str(size))
    assert headers["cache-control"] == "private, max-age=31536000, immutable"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    head = ask(fleet.urls[0], url, "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(size))


def test_an_image_is_a_url_and_small_files_stay_data_urls(open_tab: Open, fleet: Fleet) -> None:
    tab = open_tab()
    tab.call("image", 400)
    answer = ask(fleet.urls[0], tab.state["image"])
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(BytesIO(answer.body)).size == (400, 400)
    tab.call("file", {"size": 10 * KIB})
    assert tab.state["file"].startswith("data:application/pdf;base64,")
    # Kept apart from the state, but shown in it.
    tab.call("file", {"size": 20 * KIB})
    assert tab.state["file"].startswith("data:application/pdf;base64,")
    assert tab.call("file_again")["ok"]
    assert tab.state["length"] == 20 * KIB


@pytest.mark.parametrize(("mime_type", "saved"), [("text/html", True), ("image/svg+xml", True), ("image/png", False)])
def test_what_could_run_in_a_browser_is_saved(open_tab: Open, fleet: Fleet, mime_type: str, saved: bool) -> None:
    tab = open_tab()
    tab.call("file", {"size": 40 * KIB, "type": mime_type})
    headers = ask(fleet.urls[0], tab.state["file"]).headers
    assert headers["content-type"].partition(";")[0] == mime_type
    assert (headers.get("content-disposition") == "attachment") == saved


@pytest.mark.parametrize("mime_type", ["text/csv; charset=latin-1", "text/html; charset=utf-8"])
def test_a_charset_that_the_app_names_is_the_one_that_is_told(open_tab: Open, fleet: Fleet, mime_type: str) -> None:
    tab = open_tab()
    tab.call("file", {"size": 40 * KIB, "type": mime_type})
    headers = ask(fleet.urls[0], tab.state["file"]).headers
    assert (headers["content-type"], headers.get("content-disposition")) == (mime_type, "attachment")


@pytest.mark.parametrize(
    ("asked", "status", "part", "told"),
    [
        ("bytes=0-9", 206, slice(0, 10), "bytes 0-9/700001"),
        ("bytes=262140-262150", 206, slice(262140, 262151), "bytes 262140-262150/700001"),
        ("bytes=-5", 206, slice(-5, None), "bytes 699996-700000/700001"),
        ("bytes=-700002", 206, slice(None), "bytes 0-700000/700001"),
        ("bytes=700000-", 206, slice(700000, None), "bytes 700000-700000/700001"),
        ("bytes=700001-", 416, slice(0, 0), "bytes */700001"),
        ("bytes=0-1,5-6", 200, slice(None), None),
        ("lines=1-2", 200, slice(None), None),
        ("nonsense", 200, slice(None), None),
    ],
)
def test_a_part_of_a_file_can_be_asked_for(
    open_tab: Open, fleet: Fleet, asked: str, status: int, part: slice, told: str | None
) -> None:
    tab = open_tab()
    tab.call("file", {"size": 700_001})
    whole = ask(fleet.urls[0], tab.state["file"]).body
    answer = ask(fleet.urls[0], tab.state["file"], Range=asked)
    assert (answer.status, answer.headers.get("content-range")) == (status, told)
    assert answer.body == whole[part]


def test_what_a_browser_has_is_not_sent_again(open_tab: Open, fleet: Fleet) -> None:
    tab = open_tab()
    url = value_of(tab.call("text", {"size": MIB}), "text")["$blob"]
    packed = ask(fleet.urls[0], url, Accept="application/x-msgpack")
    shown = ask(fleet.urls[0], url)
    assert msgpack.unpackb(packed.body) == json.loads(shown.body)
    assert shown.headers["vary"].lower().replace(" ", "") in ("accept,origin", "origin,accept")
    assert packed.headers["etag"] != shown.headers["etag"]
    again = ask(fleet.urls[1], url, If_None_Match=shown.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert ask(fleet.urls[1], url, If_None_Match=f"W/{shown.headers['etag']}").status == 304
    assert ask(fleet.urls[1], url, If_None_Match='"other"').status == 200
    part = ask(fleet.urls[0], url, Accept="application/x-msgpack", Range="bytes=0-4", If_Range=packed.headers["etag"])
    assert (part.status, part.body) == (206, packed.body[:5])
    assert ask(
        fleet.urls[0], url, Accept="application/x-msgpack", Range="bytes=0-4", If_Range='"other"'
    ).status == 200  # fmt: skip


def test_nobody_fetches_without_the_url_of_that_session(open_tab: Open, fleet: Fleet) -> None:
    tab, other = open_tab(), open_tab()
    url = value_of(tab.call("text", {"size": MIB}), "text")["$blob"]
    # Equal values of two sessions have other names.
    assert value_of(other.call("text", {"size": MIB}), "text")["$blob"].rpartition("/")[2] != url.rpartition("/")[2]
    elsewhere = f"/_mh/blob/{session_of(other.token)}/{url.rpartition('/')[2]}"
    forged = [elsewhere, url[:-1] + ("0" if url[-1] != "0" else "1"), url[:-2], url + "00", url[:-1] + "x", url[:-32]]
    assert [ask(fleet.urls[0], path).status for path in forged] == [404] * len(forged)


def test_no_private_value_and_no_hash_of_one_reaches_a_browser(open_tab: Open) -> None:
    tab = open_tab()
    update = tab.call("private", 100_000)
    # Only `rows`, and of it only what is not private.
    assert [path for path, _ in update["set"]] == [["rows"]]
    assert tab.state["rows"] == [{"shown": "x" * 100_000}]
    again = open_tab(token=tab.token)
    assert set(again.state) == {"counter", "rows"}
    assert len(again.fetched) == 1


def test_what_is_read_again_in_the_same_worker_is_not_fetched(
    redis_server: RedisServer, fleet_of: Callable[..., Fleet]
) -> None:
    fleet = fleet_of(app=APP, environ={"MANYHANDS_VALUE_CACHE": "5MiB"})
    tab = fleet.tab()
    for name in ("first", "second"):
        tab.call("text", {"size": 3 * MIB, "name": name, "seed": name})
    # Both are more than is kept: the first must be fetched, the second must not.
    assert tab.call("read", "first")["result"][0] == 3 * MIB
    keys = Keys(fleet.namespace)
    with redis_server.client() as client:
        client.delete(keys.large(session_of(tab.token)))
    assert tab.call("read", "first")["result"][0] == 3 * MIB
    # The other one was given up for it, and is gone now.
    update = tab.call("read", "second")
    assert update["error"]["code"] == "handler_failed"
    assert f'state["second"] of session {session_of(tab.token)} can\'t be read' in fleet.log


def test_a_copy_is_equal_and_outlives_what_it_was_made_of(open_tab: Open) -> None:
    tab = open_tab()
    first = value_of(tab.call("text", {"size": MIB}), "text")
    assert value_of(tab.call("copy"), "copy") == first
    tab.call("delete", "text")
    assert tab.call("read", "copy")["result"] == [MIB, digest(("0 " * MIB)[:MIB].encode())]
    assert open_tab(token=tab.token).state["copy"] == ("0 " * MIB)[:MIB]


def test_a_value_over_the_limit_is_refused_with_its_size_and_the_rest_is_kept(open_tab: Open) -> None:
    tab = open_tab()
    update = tab.call("text", {"size": 9 * MIB})
    assert update["error"]["code"] == "not_serialisable"
    message = update["error"]["message"]
    assert 'state["text"] holds a str of 9 MiB' in message
    assert "at most 8 MiB at once, or set MANYHANDS_MAX_VALUE" in message
    assert tab.call("increment")["ok"]


@pytest.mark.parametrize("handler", ["received", "received_async"])
def test_a_handler_gets_the_bytes_that_were_uploaded(open_tab: Open, handler: str) -> None:
    tab = open_tab()
    data = [hashlib.sha256(str(n).encode()).digest() * 20_000 for n in range(2)]
    files = [tab.upload(one) for one in data]
    assert tab.call(handler, {"files": [files[0], files[1], files[0]]})["ok"]
    expected = [[len(one), digest(one)] for one in data]
    assert tab.state["received"] == [*expected, expected[0]]
    # Used once, they are gone.
    update = tab.call(handler, {"files": files[:1]})
    assert update["error"]["code"] == "handler_failed"
    assert f"the upload '{files[0]['$upload']}' can't be used" in update["error"]["message"]


def test_a_detached_handler_sends_large_values_too(open_tab: Open) -> None:
    tab = open_tab()
    n = tab.fire("text_and_wait", MIB)
    tab.wait_for(lambda: "text" in tab.state)
    assert tab.state["text"] == "a" * MIB
    assert not tab.has_ended(n)
    assert tab.call("cancel")["ok"]
    assert tab.wait_done(n)["ok"]
    assert tab.state["text"] == "b" * MIB


def test_large_values_of_a_room_are_read_by_every_session(open_tab: Open) -> None:
    first, second = open_tab(0), open_tab(1)
    assert first.call("room_text", MIB)["ok"]
    assert [one.call("room_length")["result"] for one in (first, second, second)] == [MIB] * 3
    # What a session takes over is its own.
    assert second.call("room_into_state")["ok"]
    assert second.state["taken"] == {"text": "n" * 100_000}
    assert open_tab(token=second.token).state["taken"] == {"text": "n" * 100_000}


def test_a_result_may_be_large_but_not_of_any_size(open_tab: Open) -> None:
    tab = open_tab()
    assert tab.call("result", MIB - 5)["result"] == "x" * (MIB - 5)
    error = tab.call("result", MIB)["error"]
    assert error["code"] == "not_serialisable"
    assert "holds a str of 1 MiB, which can't be sent: at most 1 MiB; assign it to the state" in error["message"]


def test_an_upload_goes_on_at_another_gateway_where_it_was_broken_off(open_tab: Open, fleet: Fleet) -> None:
    tab = open_tab()
    headers = {"Authorization": f"Bearer {tab.token}"}
    data = hashlib.sha256(b"x").digest() * 30_000
    begun = ask(fleet.urls[0], f"/_mh/upload?size={len(data)}", "POST", **headers)
    path = begun.headers["location"]
    # Half a chunk more than one: the half must come again.
    first = ask(fleet.urls[0], f"{path}?offset=0", "PUT", data[: 384 * KIB], **headers)
    assert json.loads(first.body)["offset"] == 256 * KIB
    update = tab.call("received", {"files": [{"$upload": path.rpartition("/")[2]}]})
    assert "only 262144 of its 960000 bytes have come" in update["error"]["message"]
    assert ask(fleet.urls[1], f"{path}?offset=0", "PUT", data, **headers).status == 409
    head = ask(fleet.urls[1], path, "HEAD", **headers)
    assert (head.headers["upload-offset"], head.headers["upload-length"]) == ("262144", "960000")
    rest = ask(fleet.urls[1], f"{path}?offset={256 * KIB}", "PUT", data[256 * KIB :], **headers)
    assert json.loads(rest.body)["offset"] == len(data)
    assert tab.call("received", {"files": [{"$upload": path.rpartition("/")[2]}]})["ok"]
    assert tab.state["received"] == [[len(data), digest(data)]]


def test_uploads_are_refused_with_a_status_that_says_why(open_tab: Open, fleet: Fleet) -> None:
    tab, url = open_tab(), fleet.urls[0]
    named = {"Authorization": f"Bearer {tab.token}"}
    upload = ask(url, "/_mh/upload?size=5", "POST", **named).headers["location"]
    other = {"Authorization": f"Bearer {open_tab().token}"}
    assert ask(url, "/_mh/upload?size=5", "POST").status == 401
    assert ask(url, "/_mh/upload?size=5", "POST", Authorization=f"Bearer {tab.token}x").status == 401
    assert ask(url, "/_mh/upload?size=5", "POST", Origin="http://evil.test", **named).status == 403
    assert ask(url, f"/_mh/upload?size={8 * MIB + 1}", "POST", **named).status == 413
    for size in ("", "0", "-1", "x", "1e3"):
        assert ask(url, f"/_mh/upload?size={size}", "POST", **named).status == 400
    for path in (f"{upload}0", upload[:-1], "/_mh/upload/zz", f"/_mh/upload/{'0' * 32}"):
        assert ask(url, f"{path}?offset=0", "PUT", b"12345", **named).status == 404
    assert ask(url, f"{upload}?offset=0", "PUT", b"12345", **other).status == 404
    assert ask(url, f"{upload}?offset=x", "PUT", b"12345", **named).status == 400
    assert ask(url, f"{upload}?offset=0", "PUT", bytes(4 * MIB + 1), **named).status == 413
    full = [ask(url, "/_mh/upload?size=1", "POST", **named).status for _ in range(16)]
    assert full == [201] * 15 + [429]


def test_a_page_that_may_connect_may_fetch_and_upload_too(fleet_of: Callable[..., Fleet]) -> None:
    origin = "https://pages.test"
    fleet = fleet_of(app=APP, environ={"MANYHANDS_ALLOWED_ORIGINS": origin})
    tab = fleet.tab(origin=origin)
    url = value_of(tab.call("text", {"size": MIB}), "text")["$blob"]
    assert ask(fleet.urls[0], url, Origin=origin).headers["access-control-allow-origin"] == origin
    assert "access-control-allow-origin" not in ask(fleet.urls[0], url, Origin="https://other.test").headers
    # Else a page could not tell what is gone from a gateway that does not answer.
    for gone in (f"{url[:-1]}z", f"/_mh/upload/{'0' * 32}"):
        answer = ask(fleet.urls[0], gone, Origin=origin, Authorization=f"Bearer {tab.token}")
        assert (answer.status, answer.headers.get("access-control-allow-origin")) == (404, origin)
    preflight = ask(
        fleet.urls[0], "/_mh/upload", "OPTIONS", Origin=origin, Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization",
    )  # fmt: skip
    assert preflight.status == 204
    assert "Authorization" in preflight.headers["access-control-allow-headers"]


def test_where_a_cookie_names_the_session_it_must_be_the_same_one(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of(app=APP, environ={"MANYHANDS_SESSION_COOKIE": "on"})
    url = fleet.urls[0]
    cookies = []
    for _ in range(2):
        tab = fleet.tab(origin=url)
        cookies.append(tab.socket.headers["set-cookie"].partition(";")[0])
        tab.headers["Cookie"] = cookies[-1]
    blob = value_of(tab.call("text", {"size": MIB}), "text")["$blob"]
    assert [ask(url, blob, Cookie=cookie).status for cookie in cookies] == [404, 200]
    assert ask(url, blob).status == 404
    assert ask(url, "/_mh/upload?size=5", "POST", Cookie=cookies[1]).status == 403
    assert ask(url, "/_mh/upload?size=5", "POST", Cookie=cookies[1], Origin="http://evil.test").status == 403
    assert ask(url, "/_mh/upload?size=5", "POST", Cookie=cookies[1], Origin=url).status == 201
