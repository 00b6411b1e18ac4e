"""The page of limits says what holds: every setting with its default, and every bound."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from manyhands.settings import ADDRESS_CONNECTIONS, ADDRESS_HANDSHAKES, Settings
from manyhands.store import limits
from manyhands_gateway import accepter, admission, backlog, connection, frames, outbox, process

PAGE = (Path(__file__).parents[2] / "docs" / "limits.md").read_text("utf-8")
DECLARED = {one.metadata["variable"]: one for one in dataclasses.fields(Settings)}
ROWS = re.findall(r"^\| [^|]+ \| `(MANYHANDS_\w+)` \| `?([^|`]+?)`? \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("variable", "default"), [row[:2] for row in ROWS])
def test_a_limits_default_is_the_real_one(variable: str, default: str) -> None:
    declared = DECLARED[variable]
    if default == "–":
        assert declared.default is None
    else:
        assert declared.metadata["parse"](default) == declared.default


def test_every_setting_that_limits_browsers_is_on_the_page() -> None:
    limiting = {
        name for name in DECLARED
        if re.search(r"_(MAX|ADDRESS|RATE|MAILBOX)_|_(WITHIN|EVERY|AFTER)$", name)
    }  # fmt: skip
    assert {row[0] for row in ROWS} == limiting - {"MANYHANDS_MAX_ATTEMPTS", "MANYHANDS_MAX_DETACHED"}


def test_the_numbers_in_the_text_are_those_of_the_code() -> None:
    for text in (
        f"off, or {ADDRESS_CONNECTIONS} where",
        f"bursts of ten times as many; off, or {ADDRESS_HANDSHAKES:g} where",
        f"HTTP 503, `Retry-After: {admission.FULL_RETRY_AFTER}`",
        f"at most\n{admission.MAX_ADDRESSES:,} addresses",
        f"`retry_after`, {backlog.RETRY_AFTER[0]:g} to {backlog.RETRY_AFTER[1]:g} s",
        f"cut off after {process.KEEP_ALIVE} s",
        f"at most {outbox.MAX_FRAMES:,} frames and {outbox.MAX_BYTES // 2**20} MiB",
        f"| maps and lists in a frame | {frames.MAX_CONTAINERS:,} |",
        f"| keys and values in a frame | {frames.MAX_ELEMENTS:,} |",
        f"| {connection.BURDEN_RATE} a second and connection, bursts of {connection.BURDEN_BURST} |",
        f"| {accepter.MAX_LETTERS:,}, or {accepter.MAX_BYTES // 2**20} MiB, a gateway process |",
        f"| {limits.LOG_ENTRIES}, or {limits.LOG_BYTES // 2**20} MiB, a session |",
        f"| {limits.OUTCOMES} a session |",
    ):
        assert text in PAGE
    assert admission.BURST_SECONDS == 10
