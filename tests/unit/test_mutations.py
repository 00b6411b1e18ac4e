"""Which paths a run has recorded: the trie, and that it agrees with a plain list of paths."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from manyhands.mutations import Mutations
from manyhands.paths import Path

PATHS = st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map(tuple)


def recorded(*writes: tuple[str, bool]) -> list[tuple[Path, bool]]:
    mutations = Mutations()
    for dotted, deleted in writes:
        mutations.record(tuple(dotted.split(".")), deleted=deleted)
    return mutations.take()


def test_paths_are_taken_in_the_order_in_which_they_were_first_recorded() -> None:
    assert recorded(("b", False), ("a", False), ("b", False)) == [(("b",), False), (("a",), False)]


def test_an_assignment_replaces_what_was_recorded_below_it() -> None:
    assert recorded(("a.b", False), ("a.c.d", True), ("a", False)) == [(("a",), False)]


def test_nothing_is_recorded_below_an_assignment() -> None:
    assert recorded(("a", False), ("a.b", False), ("a.c", True)) == [(("a",), False)]


def test_of_a_deletion_and_an_assignment_of_one_path_the_later_counts() -> None:
    assert recorded(("a", True), ("a", False)) == [(("a",), False)]
    assert recorded(("a", False), ("a", True)) == [(("a",), True)]


def test_siblings_are_recorded_side_by_side() -> None:
    assert recorded(("a.b", False), ("a.c", True)) == [(("a", "b"), False), (("a", "c"), True)]


def test_what_was_taken_is_forgotten() -> None:
    mutations = Mutations()
    assert not mutations
    mutations.record(("a",), deleted=False)
    assert mutations
    mutations.take()
    assert not mutations
    assert mutations.take() == []


def test_a_path_is_covered_by_what_is_recorded_at_it_or_above_it() -> None:
    mutations = Mutations()
    mutations.record(("a", "b"), deleted=False)
    assert mutations.covers(("a", "b"))
    assert mutations.covers(("a", "b", "c"))
    assert not mutations.covers(("a",))
    assert not mutations.covers(("a", "c"))
    assert not mutations.covers(())


def test_what_is_recorded_below_a_path_is_listed_from_there_on() -> None:
    mutations = Mutations()
    mutations.record(("a", "b", "c"), deleted=False)
    mutations.record(("a", "d"), deleted=True)
    mutations.record(("e",), deleted=False)
    assert mutations.below(("a",)) == [(("b", "c"), False), (("d",), True)]
    assert mutations.below(("x", "y")) == []


def test_paths_may_be_deeper_than_python_recurses() -> None:
    mutations = Mutations()
    mutations.record(("a",) * 5000, deleted=False)
    assert mutations.take() == [(("a",) * 5000, False)]


@given(st.lists(st.tuples(PATHS, st.booleans())))
def test_the_trie_agrees_with_a_plain_list(writes: list[tuple[Path, bool]]) -> None:
    mutations, model = Mutations(), dict[Path, bool]()
    for path, deleted in writes:
        mutations.record(path, deleted=deleted)
        if any(path[:length] in model for length in range(1, len(path))):
            continue
        for other in [other for other in model if len(other) > len(path) and other[: len(path)] == path]:
            del model[other]
        model[path] = deleted
    for path, _ in writes:
        assert mutations.covers(path) == any(path[:length] in model for length in range(1, len(path) + 1))
    assert mutations.take() == list(model.items())
