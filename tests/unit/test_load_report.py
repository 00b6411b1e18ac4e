"""What is counted, and how it is shown: as text, as JSON with the documented keys, as progress and as a plot."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from manyhands.load.address import parse_address
from manyhands.load.checks import Problem
from manyhands.load.plan import Plan
from manyhands.load.plot import draw
from manyhands.load.progress import Progress
from manyhands.load.report import as_json, as_text, is_right
from manyhands.load.runner import Result
from manyhands.load.tally import SHOWN_PROBLEMS, Tally

PAGE = Path(__file__).parents[2] / "docs" / "load.md"
PLAN = Plan(parse_address("http://h"), sessions=2, duration=10, warmup=1, key=("counter",))


@pytest.fixture
def tally() -> Tally:
    """Of a load that began at 100: one event of the warm-up, and a hundred, of 1 to 100 ms, that were measured."""
    tally = Tally()
    tally.begin(100.0, warmup=1.0, duration=10.0)
    for intended, latency in [(100.5, 3.0), *((102.0, ms / 1000) for ms in range(1, 101))]:
        tally.fired()
        tally.ended(intended, intended + latency, None)
    return tally


def result(tally: Tally, cpu: float = 0.2) -> Result:
    return Result(PLAN, tally, 10.0, cpu, 0.001)


def text(tally: Tally, cpu: float = 0.2) -> str:
    return "\n".join(as_text(result(tally, cpu)))


def test_only_what_was_due_in_the_measured_time_is_timed(tally: Tally) -> None:
    latencies = tally.latencies()

    assert latencies is not None
    assert latencies["max"] == pytest.approx(100, rel=0.01)
    assert latencies["p50"] == pytest.approx(50, rel=0.03)
    assert latencies["p99"] == pytest.approx(99, rel=0.03)
    assert tally.measured == 101  # the event of the warm-up has ended in the measured time


def test_nothing_measured_has_no_latencies() -> None:
    assert Tally().latencies() is None
    assert "latency" not in text(Tally())


def test_a_second_has_what_ended_in_it(tally: Tally) -> None:
    second = tally.tick(102.0)

    assert (second.at, second.per_second) == (2.0, 101 / 2)
    assert second.p50 == pytest.approx(51, rel=0.05)
    assert tally.tick(103.0).p50 is None


def test_all_that_went_well_is_right(tally: Tally) -> None:
    assert is_right(result(tally))
    assert "10.1 events/s" in text(tally)
    assert "every `counter` is exact" in text(tally)


def test_a_problem_is_wrong_and_told(tally: Tally) -> None:
    for n in range(SHOWN_PROBLEMS + 5):
        tally.problem(Problem.LOST, f"event {n}")

    assert not is_right(result(tally))
    assert "lost: 15" in text(tally)
    assert len(tally.details) == SHOWN_PROBLEMS


def test_an_error_is_wrong_and_told(tally: Tally) -> None:
    tally.ended(102.0, 102.1, "handler_failed")

    assert not is_right(result(tally))
    assert "handler_failed: 1" in text(tally)


def test_what_was_rejected_and_reconnects_are_told_and_are_right(tally: Tally) -> None:
    tally.rejected("rate_limited")
    tally.reconnects, tally.closes[1012] = 3, 3

    assert is_right(result(tally))
    assert "rate_limited: 1" in text(tally)
    assert "reconnects  3" in text(tally)


def test_a_generator_that_was_short_of_cpu_says_so(tally: Tally) -> None:
    assert "short of CPU" not in text(tally)
    assert "short of CPU" in text(tally, cpu=0.97)


def test_the_page_lists_the_keys_of_the_json(tally: Tally) -> None:
    tally.tick(102.0)
    found = json.loads(json.dumps(as_json(result(tally))))
    section = PAGE.read_text("utf-8").partition("## The keys of the JSON")[2]
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|$", section, re.MULTILINE)
    listed = {key for names, _ in rows for key in re.findall(r"`(\w+)`", names)}
    inner = {key for _, meaning in rows for key in re.findall(r"`([\w.]+)`", meaning)}

    assert listed == set(found)
    below = [found["events"], found["latency_ms"], found["connections"], found["generator"], found["seconds"][0]]
    assert {key for one in below for key in one} | set(map(str, Problem)) <= inner


def test_progress_off_a_terminal_is_a_line_a_second(tally: Tally) -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    for now in (101.0, 102.0):
        tally.tick(now)
        progress.show(tally)
    progress.end()

    assert stream.getvalue().count("\n") == 2
    assert "\r" not in stream.getvalue()


def test_progress_on_a_terminal_is_one_line(tally: Tally) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    progress = Progress(stream)
    for now in (101.0, 102.0):
        tally.tick(now)
        progress.show(tally)
    progress.end()

    assert stream.getvalue().count("\r") == 2
    assert stream.getvalue().count("\n") == 1


def test_a_plot_is_drawn_also_of_nothing(tally: Tally, tmp_path: Path) -> None:
    tally.tick(102.0)
    for name, drawn in (("full.png", tally), ("empty.svg", Tally())):
        draw(result(drawn), tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
