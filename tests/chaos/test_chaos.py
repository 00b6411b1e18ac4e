"""A minute in which everything dies: nothing that was accepted is lost or applied twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.campaign import Plan, run, table

SEED = 20260


@pytest.mark.timeout(240)
def test_nothing_accepted_is_lost_or_applied_twice_whatever_dies(tmp_path: Path) -> None:
    report = run(Plan(SEED, seconds=60, sessions=12, rate=40), tmp_path)
    print(table(report))
    assert not report.findings.violations, table(report)
