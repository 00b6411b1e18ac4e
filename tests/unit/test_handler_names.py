"""The cache of handlers' names: whether there is an app at all, and what it says of names that are unknown."""

from __future__ import annotations

import pytest

from manyhands.store.contract import Announcement
from manyhands_gateway.handler_names import MAX_SOUGHT, SOUGHT_A_SECOND, HandlerNames


class Announced:
    """Stands for a store."""

    def __init__(self, *handlers: str, announced: bool = True) -> None:
        self._handlers, self._announced = frozenset(handlers), announced

    def handlers(self) -> frozenset[str]:
        return self._handlers

    def announcement(self) -> Announcement | None:
        return Announcement("v1", {name: {} for name in self._handlers}, "") if self._announced else None


def names_of(store: Announced) -> HandlerNames:
    names = HandlerNames(store)  # type: ignore[arg-type]
    names.all()
    return names


@pytest.mark.parametrize(
    ("store", "announced"), [(Announced("a"), True), (Announced(), True), (Announced(announced=False), False)]
)
def test_an_app_without_handlers_differs_from_no_app(store: Announced, announced: bool) -> None:
    names = names_of(store)
    assert not names.knows("b")
    assert names.announced is announced


def test_while_developing_a_handler_is_known_as_soon_as_it_is_announced() -> None:
    store = Announced("a")
    names = HandlerNames(store, ask_again=0.0)  # type: ignore[arg-type]
    assert not names.knows("b")
    store._handlers = frozenset("b")
    assert names.knows("b")


def test_the_nearest_name_is_sought_a_few_times_a_second() -> None:
    names = names_of(Announced("increment"))
    hints = ["nearest" in names.explain("incremnt") for _ in range(10 * SOUGHT_A_SECOND)]
    assert hints[:SOUGHT_A_SECOND] == [True] * SOUGHT_A_SECOND
    assert sum(hints) < 3 * SOUGHT_A_SECOND


def test_nothing_near_to_a_long_name_is_sought() -> None:
    names = names_of(Announced("x" * MAX_SOUGHT))
    assert "nearest" in names.explain("x" * MAX_SOUGHT)
    assert "nearest" not in names.explain("x" * (MAX_SOUGHT + 1))
