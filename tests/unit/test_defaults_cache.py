"""How often a gateway renews the defaults that it shows."""

from __future__ import annotations

import pytest

from manyhands.store.contract import Fields
from manyhands_gateway import defaults
from manyhands_gateway.defaults import DefaultsCache
from manyhands_gateway.housekeeper import SLOW_ROUND, Housekeeper


class Counting:
    """Stands for a store; counts."""

    def __init__(self) -> None:
        self.reads = 0

    def defaults(self, _: str) -> Fields:
        self.reads += 1
        return {}


@pytest.mark.parametrize(("session_ttl", "renew_after"), [(86_400.0, 3600.0), (1600.0, 200.0), (8.0, 1.0)])
def test_defaults_are_renewed_long_before_they_and_their_sessions_expire(
    monkeypatch: pytest.MonkeyPatch, session_ttl: float, renew_after: float
) -> None:
    now = 0.0
    monkeypatch.setattr(defaults, "monotonic", lambda: now)
    store = Counting()
    cache = DefaultsCache(store, session_ttl)  # type: ignore[arg-type]
    cache.get("hash")
    now = renew_after * 0.9
    cache.renew()
    assert store.reads == 1
    now = renew_after * 1.1
    cache.renew()
    assert store.reads == 2


@pytest.mark.parametrize(("due", "pause"), [(3600.0, SLOW_ROUND), (2.0, 2.0)])
def test_the_housekeeper_looks_as_often_as_that_needs(due: float, pause: float) -> None:
    assert Housekeeper(lambda: None, due).pause == pause
