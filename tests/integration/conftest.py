"""What tests of gateways may ask for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from manyhands.settings import Settings
from support.stand_in import StandIn


@pytest.fixture
def worker(settings: Settings) -> Iterator[StandIn]:
    """A stand-in that has announced its handlers."""
    with contextlib.closing(StandIn(settings)) as made:
        made.announce()
        yield made
