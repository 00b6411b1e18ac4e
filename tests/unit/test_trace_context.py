"""The traceparent of an event: what is taken, what is ignored, and how it travels in a letter."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands import tracing
from manyhands.envelopes import Event, parse
from manyhands.letters import Body, decode_body, encode_body, with_traceparent
from manyhands.settings import Settings
from manyhands.trace_context import LONGEST, is_recorded, parse_traceparent

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{PARENT}-01"
OTHER = f"00-{PARENT}{PARENT}-{TRACE[:16]}-00"


def test_a_good_one_is_taken_as_it_is() -> None:
    assert parse_traceparent(GOOD) == GOOD


@pytest.mark.parametrize(
    ("given_", "taken"),
    [(f"01-{TRACE}-{PARENT}-01-more", GOOD), (f"cc-{TRACE}-{PARENT}-03", GOOD), (f"fe-{TRACE}-{PARENT}-ff-", GOOD)],
)
def test_of_a_later_version_only_what_this_one_knows_is_taken(given_: str, taken: str) -> None:
    assert parse_traceparent(given_) == taken


@pytest.mark.parametrize(
    "bad",
    [
        "", "00", None, 7, b"00", [GOOD], GOOD.upper(), GOOD + "-more", GOOD + "-", " " + GOOD, GOOD + "\n",
        f"ff-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE[:-1]}-{PARENT}-01", f"00-{TRACE[:-1]}g-{PARENT}-01", f"01-{TRACE}-{PARENT}-01-{'x' * LONGEST}",
        GOOD.replace("4", "４"),
    ],
)  # fmt: skip
def test_a_bad_one_is_ignored(bad: object) -> None:
    assert parse_traceparent(bad) is None


@given(st.text() | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.*", fullmatch=True))
def test_whatever_is_taken_is_taken_again_unchanged(text: str) -> None:
    taken = parse_traceparent(text)
    assert taken is None or parse_traceparent(taken) == taken


def test_an_event_with_a_bad_one_is_an_event_all_the_same() -> None:
    assert parse({"type": "event", "handler": "h", "traceparent": {"no": "text"}}) == Event("h")
    assert parse({"type": "event", "handler": "h", "traceparent": GOOD}) == Event("h", traceparent=GOOD)


@pytest.mark.parametrize("before", [None, GOOD])
def test_the_gateway_puts_its_own_span_in_the_place_of_the_browsers(before: str | None) -> None:
    body = Body("increment", {"a": [1, None]}, posted=1234.5, traceparent=before)
    read = decode_body(with_traceparent(encode_body(body), before, OTHER))
    assert read == Body("increment", {"a": [1, None]}, traceparent=OTHER)
    assert read.posted == 1234.5


@pytest.mark.parametrize(("flags", "recorded"), [("00", False), ("01", True), ("02", False), ("03", True)])
def test_a_trace_is_recorded_where_its_flag_says_so(flags: str, recorded: bool) -> None:
    assert is_recorded(GOOD[:-2] + flags) is recorded


def test_without_a_trace_nothing_is_recorded() -> None:
    assert not is_recorded(None)


# --- what is imported ---


def test_nothing_imports_opentelemetry_unless_traces_are_sent() -> None:
    # Where it is installed, redis-py imports some of it for purposes of its own.
    program = (
        "import sys, manyhands_worker.main, manyhands_gateway.gateway\n"
        "from manyhands.settings import Settings\n"
        "from manyhands.tracing import start_tracing\n"
        "assert start_tracing(Settings(), 'x') is None\n"
        "ours = ('manyhands.otel', 'opentelemetry.sdk.trace', 'opentelemetry.exporter')\n"
        "print([name for name in sys.modules if name.startswith(ours)])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_extra_a_warning_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracing, "is_installed", lambda: False)
    assert tracing.start_tracing(Settings(traces="otlp"), "x") is None
    assert "pip install 'manyhands[otel]'" in caplog.text
