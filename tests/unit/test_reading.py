"""How a worker reads what its sessions hold, where the store does not answer as it should."""

from __future__ import annotations

import pytest

from manyhands.errors import StoreRefused, Unavailable
from manyhands.store.contract import Fields, Session
from manyhands.store.turns import Turn, Wanted
from manyhands_worker.reading import Reading
from manyhands_worker.running import Running
from manyhands_worker.waits import Waits


class Failing:
    """Stands for a store; answers with these errors, then."""

    def __init__(self, *errors: Unavailable) -> None:
        self.errors = list(errors)

    def read(self, _session: str, wanted: Wanted) -> tuple[Fields, bool]:
        """Read fields of a state."""
        if self.errors:
            raise self.errors.pop(0)
        return dict.fromkeys(wanted.fields, b"value"), False


def reading_of(*errors: Unavailable) -> Reading:
    return Reading(Failing(*errors), Running((1, 1), 1), Waits())  # type: ignore[arg-type]


TURN = Turn(Session("s", "", ""), "t", 1, 1, "c", 1, b"", 0, {}, whole=False)


def test_a_handler_that_reads_does_not_learn_that_redis_was_away() -> None:
    assert reading_of(Unavailable("Redis", "away")).of(TURN).get(b"field") == b"value"


def test_a_read_that_redis_refuses_for_good_fails_instead_of_holding_the_state_for_ever() -> None:
    with pytest.raises(StoreRefused):
        reading_of(*[StoreRefused("Redis", "wrong type")] * 3).of(TURN).get(b"field")
