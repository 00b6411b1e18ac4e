"""Mail: what handlers ask of the page, checked at the call, and sent with the commit that follows."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import msgpack
import pytest

import manyhands as mh
from manyhands.errors import AppError, Cancelled, NotSerialisable, Unavailable
from manyhands.mail import MOST_PIECES
from manyhands.state import State
from manyhands.state_root import StateRoot
from manyhands.types.files import File
from manyhands.updates import Outcome, encode_outcome, encode_update, splice
from manyhands.wire import Mail
from manyhands_worker.large_values import MOST_IN_URL, LargeValues


def make_root() -> StateRoot:
    root = StateRoot({"part": {}})
    root.allow_mail(1000)
    return root


def url_of(file: File) -> str:
    return f"url of {file.mime_type} {len(file.data)}"


def mail_of(root: StateRoot) -> list[dict[str, Any]]:
    return [msgpack.unpackb(piece) for piece in root.encode_mail(root.take_mail(), url_of)]


Call = Callable[[State], None]

CALLS: list[tuple[Call, dict[str, Any]]] = [
    (
        lambda state: state.add_notification("info", "Title", "Text"),
        {"type": "add_notification", "kind": "info", "title": "Title", "message": "Text"},
    ),
    (
        lambda state: state.file_download(b"abc", "a b.csv"),
        {"type": "file_download", "name": "a b.csv", "url": "url of application/octet-stream 3"},
    ),
    (
        lambda state: state.file_download(data=mh.pack_bytes(b"ab", "text/csv"), file_name="a"),
        {"type": "file_download", "name": "a", "url": "url of text/csv 2"},
    ),
    (lambda state: state.open_url("https://a.example/?q=1"), {"type": "open_url", "url": "https://a.example/?q=1"}),
    (lambda state: state.open_url("mailto:a@a.example"), {"type": "open_url", "url": "mailto:a@a.example"}),
    (lambda state: state.set_page(active_page_key="results"), {"type": "set_page", "page": "results"}),
    (
        lambda state: state.set_route_vars(route_vars={"id": 7, "old": None}),
        {"type": "set_route_vars", "vars": {"id": "7", "old": None}},
    ),
    (
        lambda state: state.import_stylesheet(stylesheet_key="theme", path="/static/dark.css"),
        {"type": "import_stylesheet", "name": "theme", "path": "/static/dark.css"},
    ),
    (
        lambda state: state.import_script(script_key="map", path="static/map.js"),
        {"type": "import_script", "name": "map", "path": "static/map.js"},
    ),
    (
        lambda state: state.import_frontend_module(module_key="m", specifier="/static/m.js"),
        {"type": "import_frontend_module", "name": "m", "path": "/static/m.js"},
    ),
    (
        lambda state: state.call_frontend_function("m", "greet", ["Ada", {"_hidden": 1, "shown": 2}, 2**60]),
        {
            "type": "call_frontend_function", "module": "m", "name": "greet",
            "args": ["Ada", {"shown": 2}, str(2**60)],
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "expected"), CALLS, ids=[f"{i} {one[1]['type']}" for i, one in enumerate(CALLS)])
def test_each_method_makes_one_piece_for_the_tab_that_fired_the_event(call: Call, expected: dict[str, Any]) -> None:
    root = make_root()
    assert not root.pending()
    call(root.state)
    assert root.pending()
    assert mail_of(root) == [{**expected, "own": True}]
    assert not root.pending()
    assert root.take() == []


def test_every_type_of_mail_is_a_method_of_the_state_and_is_tested() -> None:
    assert {expected["type"] for _, expected in CALLS} == {one.value for one in Mail}
    assert all(callable(getattr(State, one.value)) for one in Mail)


def test_mail_for_everyone_is_not_marked_and_keeps_its_order() -> None:
    root = make_root()
    root.state.add_notification("error", "1", "", everyone=True)
    root.state.open_url("/2")
    assert [one.get("own", False) for one in mail_of(root)] == [False, True]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda s: s.add_notification("warn", "a", "b"), "add_notification expected as type one of info, success"),
        (lambda s: s.add_notification("info", 1, "b"), "expected as title text, got 1"),
        (lambda s: s.file_download("text", "a.txt"), r"expected as data bytes, such as `text.encode\(\)`.* 'text'"),
        (lambda s: s.file_download(b"", "../a.txt"), "a name without a path, such as 'report.csv', got '../a.txt'"),
        (lambda s: s.file_download(b"", "C:\\a.txt"), "a name without a path"),
        (lambda s: s.file_download(b"", ".."), "a name without a path"),
        (lambda s: s.file_download(b"", ""), "expected as file_name text"),
        (lambda s: s.file_download(b"x" * 1001, "a"), "expected at most .* or set MANYHANDS_MAX_VALUE"),
        (lambda s: s.open_url("javascript:alert(1)"), "begins with http:, https:, mailto:, tel:, without blanks, got"),
        (lambda s: s.open_url("JavaScript:alert(1)"), "open_url expected as url"),
        (lambda s: s.open_url("java\nscript:alert(1)"), "without blanks"),
        (lambda s: s.open_url(" javascript:alert(1)"), "without blanks"),
        (lambda s: s.open_url("data:text/html,x"), "open_url expected as url"),
        (lambda s: s.open_url("file:///etc/passwd"), "open_url expected as url"),
        (lambda s: s.import_script("a", "data:text/javascript,x"), "import_script expected as path"),
        (lambda s: s.import_script("a", "mailto:a"), "import_script expected as path"),
        (lambda s: s.import_stylesheet("", "/a.css"), "expected as stylesheet_key text"),
        (lambda s: s.set_page("a/b"), "a key without `/`"),
        (lambda s: s.set_route_vars(["a"]), "set_route_vars expected as route_vars a dict"),
        (lambda s: s.set_route_vars({"a": []}), r"set_route_vars expected as a text, a number or None, got \[\]"),
        (lambda s: s.call_frontend_function("m", "a.b", []), "expected as function_name the name that the module"),
        (lambda s: s.call_frontend_function("m", "f", "abc"), "expected as args a list, got 'abc'"),
        (lambda s: s.call_frontend_function("m", "f", ["x" * 40_000]), "has 39 KB; expected at most 32 KB"),
        (lambda s: s["part"].open_url("/"), "called on a part of the state"),
    ],
)
def test_what_no_page_could_do_is_refused_at_the_call_with_what_was_expected(
    call: Callable[[Any], None], text: str
) -> None:
    root = make_root()
    with pytest.raises(AppError, match=text):
        call(root.state)
    assert mail_of(root) == []


def test_a_value_that_cannot_be_sent_is_named() -> None:
    with pytest.raises(NotSerialisable, match="object"):
        make_root().state.call_frontend_function("m", "f", [object()])


def test_without_a_page_nothing_can_be_asked_of_it() -> None:
    with pytest.raises(AppError, match="outside of a handler; call it on what the handler gets"):
        StateRoot({}).state.open_url("/")


def test_a_loop_that_floods_the_page_is_refused() -> None:
    root = make_root()
    for _ in range(MOST_PIECES):
        root.state.set_page("a")
    with pytest.raises(AppError, match=f"asked for {MOST_PIECES} things at once"):
        root.state.set_page("a")
    assert len(mail_of(root)) == MOST_PIECES
    root.state.set_page("a")


def test_a_cancelled_handler_is_stopped_where_it_asks_something_of_the_page() -> None:
    root = make_root()
    root.cancel()
    with pytest.raises(Cancelled):
        root.state.open_url("/")
    assert mail_of(root) == []


def test_the_names_of_the_methods_stay_keys_of_the_state() -> None:
    state = make_root().state
    assert "open_url" not in state
    assert state["open_url"] is None
    state["open_url"] = 1
    state.open_url("/")
    assert state.to_dict() == {"part": {}, "open_url": 1}


def test_a_schema_that_declares_a_field_of_such_a_name_is_refused() -> None:
    with pytest.raises(AppError, match=r'declares open_url, which every State has; .* write state\["open_url"\]'):

        class Links(State):
            open_url: str


def test_updates_carry_mail_whether_they_are_partial_or_final() -> None:
    root = make_root()
    root.state.set_page("a")
    mail = root.encode_mail(root.take_mail(), url_of)
    for outcome in (None, Outcome(ok=True, mail=mail)):
        update = msgpack.unpackb(splice(encode_update([], [], "c", 1, outcome, mail=mail), 1))
        assert update["mail"] == [{"type": "set_page", "page": "a", "own": True}]


def test_an_outcome_that_is_kept_for_later_leaves_out_mail_that_is_too_much() -> None:
    root = make_root()
    root.state.add_notification("info", "a", "x" * 10_000)
    mail = root.encode_mail(root.take_mail(), url_of)
    kept = msgpack.unpackb(encode_outcome(1, Outcome(ok=True, mail=mail)))
    assert kept["mail"][0]["title"] == "a"
    less = msgpack.unpackb(encode_outcome(1, Outcome(ok=True, result=b"\x07", mail=mail * 2)))
    assert (less["mail"], less["result"]) == ([], 7)
    assert encode_outcome(1, Outcome(ok=True, result=b"\xda\xff\xff" + b"x" * 65535)) == b""


def test_a_download_that_could_not_be_published_stays_before_what_was_asked_for_since() -> None:
    root = make_root()
    root.state.set_page("first")
    root.state.file_download(b"x" * 800, "a.txt")

    def away(file: File) -> str:
        root.state.set_page("last")
        raise Unavailable("Redis", "gone")

    with pytest.raises(Unavailable):
        root.encode_mail(root.take_mail(), away)
    with pytest.raises(AppError, match="MANYHANDS_MAX_VALUE"):
        root.state.file_download(b"x" * 300, "a.txt")
    assert [one["type"] for one in mail_of(root)] == ["set_page", "file_download", "set_page"]


def test_a_small_file_travels_in_its_url() -> None:
    values = LargeValues(None, None, None, 0).of("s")  # type: ignore[arg-type]
    for size in (0, 2, MOST_IN_URL):
        url = values.publish(File(b"x" * size, "text/plain"))
        assert base64.b64decode(url.removeprefix("data:text/plain;base64,")) == b"x" * size
