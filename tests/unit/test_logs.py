"""Log lines as JSON, one object each."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from manyhands import logs
from manyhands.logs import JSON, PLAIN, Subject, configure
from manyhands.terminal import JsonTerminal
from manyhands_worker.output import CapturedStream, Output, StrayOutput, capturing, current_subject

SUBJECT = Subject.of("session-of-some-length", "client-of-a-tab", 7, "increment")
NAMED = {"session": "session-of-some-length", "event": {"client": "client-of-a-tab", "n": 7}, "handler": "increment"}

log = logging.getLogger("manyhands.test")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Take what is logged as JSON, and put everything back as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    ours = logging.getLogger("manyhands").level
    stream = io.StringIO()
    configure(JSON, stream, logging.WARNING, current_subject)
    yield stream
    root.handlers[:], root.level, sys.excepthook, threading.excepthook = before
    logging.getLogger("manyhands").setLevel(ours)
    logging.captureWarnings(False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Read every line."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_its_time_in_utc_level_logger_and_message(stream: io.StringIO) -> None:
    log.warning("no é \N{LINE SEPARATOR} of\n%d lines", 3)
    (line,) = lines(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line == {
        "level": "warning", "logger": "manyhands.test", "message": "no é \N{LINE SEPARATOR} of\n3 lines",
    }  # fmt: skip


def test_a_line_about_an_event_names_it_in_fields_and_no_longer_in_its_message(stream: io.StringIO) -> None:
    log.error("%s | handler failed", SUBJECT)
    (line,) = lines(stream)
    assert line["message"] == "handler failed"
    assert {key: line[key] for key in NAMED} == NAMED


def test_as_text_the_subject_is_short() -> None:
    assert f"{SUBJECT} | handler failed" == "session- client-o/7 increment | handler failed"


def test_a_line_about_a_session_alone_names_it(stream: io.StringIO) -> None:
    log.warning("it fell back", extra={"session": "abc"})
    assert lines(stream)[0]["session"] == "abc"


def test_what_a_handler_logs_belongs_to_its_event(stream: io.StringIO) -> None:
    with capturing(Output(SUBJECT)):
        logging.getLogger("app").warning("from the handler")
    logging.getLogger("app").warning("from elsewhere")
    inside, outside = lines(stream)
    assert {key: inside[key] for key in NAMED} == NAMED
    assert not NAMED.keys() & outside.keys()


def test_what_a_handler_prints_belongs_to_its_event(stream: io.StringIO) -> None:
    output = Output(SUBJECT)
    with capturing(output):
        CapturedStream(io.StringIO()).write("one\ntwo")
    output.finish()
    assert [line["message"] for line in lines(stream)] == ["one", "two"]
    assert all(line["event"] == NAMED["event"] for line in lines(stream))


def test_what_is_printed_without_an_event_is_a_line_too(stream: io.StringIO) -> None:
    real = io.StringIO()
    CapturedStream(real, StrayOutput()).write("from a thread of the app\n")
    assert real.getvalue() == ""
    assert lines(stream)[0]["message"] == "app | from a thread of the app"


def test_an_app_that_logs_to_the_standard_streams_itself_does_not_go_round_in_circles(stream: io.StringIO) -> None:
    real = io.StringIO()
    captured = CapturedStream(real, StrayOutput())
    logging.getLogger().addHandler(logging.StreamHandler(captured))
    captured.write("printed\n")
    assert [line["message"] for line in lines(stream)] == ["app | printed"]
    assert real.getvalue() == "app | printed\n"


def test_an_exception_is_a_field(stream: io.StringIO) -> None:
    try:
        raise ValueError("bad")
    except ValueError:
        log.exception("it failed")
    (line,) = lines(stream)
    assert line["message"] == "it failed"
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: bad")


def test_what_python_would_print_by_itself_is_lines_too(stream: io.StringIO) -> None:
    thread = threading.Thread(target=lambda: [][0], name="a-thread")
    thread.start()
    thread.join()
    sys.excepthook(KeyError, KeyError("nobody caught it"), None)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("take care", UserWarning, stacklevel=1)
    in_thread, uncaught, warning = lines(stream)
    assert (in_thread["message"], in_thread["level"]) == ("a-thread has failed", "error")
    assert "IndexError" in in_thread["exception"]
    assert uncaught["level"] == "critical"
    assert "take care" in warning["message"]


def test_other_libraries_are_heard_from_their_level_on_and_we_from_info(stream: io.StringIO) -> None:
    logging.getLogger("kombu").info("not heard")
    logging.getLogger("manyhands_gateway.hub").warning("heard")
    log.info("heard")
    assert [line["message"] for line in lines(stream)] == ["heard", "heard"]


def test_plain_lines_stay_as_they_were(stream: io.StringIO) -> None:
    plain = io.StringIO()
    configure(PLAIN, plain)
    log.error("%s | handler failed", SUBJECT)
    assert re.fullmatch(r"[\d-]+ [\d:,]+ ERROR manyhands\.test session- client-o/7 increment \| handler failed\n",
                        plain.getvalue())  # fmt: skip


def test_a_terminal_of_json_passes_objects_on_and_wraps_everything_else() -> None:
    out = io.BytesIO()
    terminal = JsonTerminal(out, colour=False)
    terminal.write("worker.1", json.dumps(logs.json_fields(0.0, "INFO", "x", "hello")).encode())
    terminal.write("worker.1", b"Segmentation \xff fault")
    terminal.write("worker.1", b'{"cut": ')
    terminal.say("\nOpen it\n")
    first, second, third, own = [json.loads(line) for line in out.getvalue().splitlines()]
    assert first == {
        "timestamp": "1970-01-01T00:00:00.000Z", "level": "info", "logger": "x", "message": "hello",
        "process": "worker.1",
    }  # fmt: skip
    assert (second["message"], second["process"]) == ("Segmentation \\xff fault", "worker.1")
    assert third["message"] == '{"cut": '
    assert (own["message"], own["process"]) == ("Open it", "manyhands")
