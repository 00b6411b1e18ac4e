"""`manyhands settings`: every variable, and no secret."""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys

import pytest

from manyhands.cli.settings import mask, run, show, table
from manyhands.settings import Settings

PASSWORD = "open-sesame-0123456789"


def test_every_variable_is_shown_with_its_meaning_and_default() -> None:
    shown = "\n".join(table(Settings(), width=1000))

    for field in dataclasses.fields(Settings):
        assert field.metadata["variable"] in shown
        assert field.metadata["meaning"][1:] in shown
        assert field.metadata["expected"] in shown


def test_no_line_is_wider_than_the_terminal() -> None:
    assert max(map(len, table(Settings(), width=80))) <= 80


def test_values_are_written_as_they_are_set() -> None:
    assert show("max_payload", 10 * 2**20) == "10MiB"
    assert show("max_payload", 1_000_001) == "1000001"
    assert show("max_detached", (1000, 20_000)) == "1000,20000"
    assert show("session_ttl", 86_400.0) == "86400"
    assert show("turn_limit", 0.2) == "0.2"
    assert show("dev", True) == "1"
    assert show("app", None) == show("allowed_origins", ()) == "not set"


def test_what_is_shown_of_a_value_can_be_set_again() -> None:
    default = Settings()
    environ = {
        field.metadata["variable"]: show(field.name, getattr(default, field.name))
        for field in dataclasses.fields(default)
    }

    assert Settings.from_environ({key: text for key, text in environ.items() if text != "not set"}) == default


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        (f"redis://:{PASSWORD}@localhost:6379/0", "redis://:***@localhost:6379/0"),
        (f"rediss://ada:{PASSWORD}@[::1]:6380?ssl_cert_reqs=none", "rediss://ada:***@[::1]:6380?ssl_cert_reqs=none"),
        (f"redis://localhost?db=1&password={PASSWORD}", "redis://localhost?db=1&password=***"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        (f"unix://:{PASSWORD}@/run/redis.sock", "unix://:***@/run/redis.sock"),
        (f"amqp://guest:{PASSWORD}@localhost//", "amqp://guest:***@localhost//"),
    ],
)
def test_passwords_in_urls_are_masked(url: str, masked: str) -> None:
    assert mask(url) == masked


def test_no_secret_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://:{PASSWORD}@localhost")
    monkeypatch.setenv("MANYHANDS_BROKER_URL", f"redis://:{PASSWORD}@localhost/1")
    monkeypatch.setenv("MANYHANDS_SECRET_KEY", f"{PASSWORD},{PASSWORD}")

    assert run(argparse.Namespace()) == 0

    shown = capsys.readouterr().out
    assert PASSWORD not in shown
    assert "set (22 characters, 22 characters)" in shown


def test_a_bad_value_stops_it_with_exit_code_1_and_is_named() -> None:
    command = [sys.executable, "-m", "manyhands", "settings"]
    ended = subprocess.run(command, env={"MANYHANDS_LEASE": "soon"}, capture_output=True, text=True)

    assert ended.returncode == 1
    assert ended.stderr.startswith("manyhands: MANYHANDS_LEASE is 'soon'; expected a positive number")
    assert not ended.stdout
