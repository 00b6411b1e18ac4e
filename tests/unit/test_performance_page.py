"""docs/performance.md says what its raw numbers say, and asks for every measurement that there is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE, NUMBERS = ROOT / "docs" / "performance.md", ROOT / "docs" / "performance"
MEASURED = {file.stem: json.loads(file.read_text("utf-8")) for file in NUMBERS.glob("*.json")}

sys.path.insert(0, str(ROOT / "benchmarks"))
import figures  # noqa: E402 - found only now


def test_the_tables_are_those_of_the_raw_numbers() -> None:
    page = PAGE.read_text("utf-8")
    assert figures.fill(page, MEASURED) == page


def test_the_page_has_a_place_for_every_table_and_a_plot_for_every_number() -> None:
    asked_for = {name for _, name, _ in figures.BLOCK.findall(PAGE.read_text("utf-8"))}
    assert asked_for == set(figures.TABLES) >= set(MEASURED)
    assert {file.stem for file in NUMBERS.glob("*.svg")} == set(MEASURED) & set(figures.PLOTS)


def test_what_was_not_measured_stays_as_it_is() -> None:
    page = "before\n<!-- figures: memory -->\nold\n<!-- end -->\nafter"
    assert figures.fill(page, {}) == page


def test_a_table_is_filled_between_its_marks_and_nowhere_else() -> None:
    machine = {"cores": 2, "processor": "P", "python": "3", "redis": "7", "day": "2026-01-01"}
    found = {"command": "python x.py", "machine": machine, "points": [{"events": 1000, "kb_per_session": 1.25}]}
    page = figures.fill("before\n<!-- figures: memory -->\nold\n<!-- end -->\nafter", {"memory": found})
    assert page.startswith("before\n<!-- figures: memory -->\n![")
    assert page.endswith("<!-- end -->\nafter")
    assert "| 1,000 | 1.2 |" in page
    assert "old" not in page
