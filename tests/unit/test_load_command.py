"""The command line of `manyhands load`."""

from __future__ import annotations

import argparse
import importlib.util
import re
from pathlib import Path

import pytest

from manyhands.cli import load, main
from manyhands.load.address import parse_address
from manyhands.load.plan import Plan

PAGE = Path(__file__).parents[2] / "docs" / "load.md"


def parse(*arguments: str) -> Plan:
    parser = argparse.ArgumentParser()
    load.configure(parser)
    return load.plan_of(parser.parse_args(["http://h", *arguments]))


def test_a_url_is_enough() -> None:
    assert parse() == Plan(parse_address("http://h"), key=("counter",))


def test_all_that_can_be_said_is_in_the_plan() -> None:
    plan = parse("--sessions", "3", "--rate", "7.5", "--duration", "2", "--warmup", "0", "--handler", "add",
                 "--payload", '{"a": [1]}', "--key", "user.clicks")  # fmt: skip

    assert plan == Plan(parse_address("http://h"), 3, 7.5, 2.0, 0.0, "add", {"a": [1]}, ("user", "clicks"))


def test_the_state_of_other_handlers_is_checked_only_where_a_key_is_named() -> None:
    assert parse("--handler", "add").key is None
    assert parse("--key", "").key is None


@pytest.mark.parametrize(
    "wrong",
    [
        ("--sessions", "0"),
        ("--rate", "0"),
        ("--rate", "-1"),
        ("--duration", "nan"),
        ("--warmup", "-1"),
        ("--payload", "{"),
    ],
)
def test_a_wrong_value_is_wrong_usage(wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["load", "http://h", *wrong])

    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_what_is_no_url_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["load", "example.org"])

    assert ended.value.code == 2
    assert "https://example.org" in capsys.readouterr().err


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    assert main(["load", "http://127.0.0.1:1", "--plot", "x.png"]) == 1
    assert "hdrhistogram and matplotlib; run: pip install 'manyhands[load]'" in capsys.readouterr().err


def test_the_page_lists_every_flag_with_its_default() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    load.configure(parser)
    flags = [one.option_strings[0] for one in parser._actions if one.option_strings]
    section = PAGE.read_text("utf-8").partition("## Flags")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(--\w+) \w+` \| (.*?) \|", section, re.MULTILINE))

    assert list(rows) == flags
    for flag in ("--sessions", "--duration", "--warmup", "--handler"):
        assert float_or_text(rows[flag].strip("`")) == float_or_text(str(parser.get_default(flag[2:])))


def float_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
