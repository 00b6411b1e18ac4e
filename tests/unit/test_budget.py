"""The token bucket, with a clock that the test sets."""

from __future__ import annotations

import pytest

from manyhands_gateway import budget
from manyhands_gateway.budget import Budget


def test_a_budget_is_spent_refills_with_time_and_never_beyond_its_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(budget, "monotonic", lambda: now)
    one = Budget(burst=3, rate=2)
    assert [one.spend() for _ in range(4)] == [True, True, True, False]
    now += 0.5
    assert [one.spend() for _ in range(2)] == [True, False]
    now += 1000
    assert [one.spend() for _ in range(4)] == [True, True, True, False]
