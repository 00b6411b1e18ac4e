"""Computed values: what a function makes of other values of the state, kept as a value of the state under its name.

`@computed("a", "b.c")` stands before a function of the app's, which then gets the whole state, or in the body of a
class derived from `State`, before a method: then the paths begin at the dict of that class, wherever it lies.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Generic, TypeVar, overload

from manyhands.errors import AppError, show_path
from manyhands.paths import Path, overlap, parse_path
from manyhands.schema import Schema
from manyhands.state_values import Handle

Result = TypeVar("Result")


class Computed(Generic[Result]):
    """A declared function. In a class it reads as the value that it stands for; assigning to it is an error."""

    def __init__(self, function: Callable[[Any], Result], depends_on: tuple[Path, ...]) -> None:
        self.function, self.depends_on = function, depends_on
        self.name: str = function.__name__
        self.__doc__ = function.__doc__
        #: The class in whose body it stands.
        self.owner: type | None = None

    def __set_name__(self, owner: type, name: str) -> None:
        if issubclass(owner, Handle):
            self.owner, self.name = owner, name

    @overload
    def __get__(self, state: None, kind: type) -> Computed[Result]: ...
    @overload
    def __get__(self, state: Handle, kind: type) -> Result: ...
    def __get__(self, state: Any, kind: type) -> Any:
        return self if state is None else state[self.name]

    def __set__(self, state: Any, value: Any) -> None:
        # The state says that it can't be assigned.
        state[self.name] = value

    def __call__(self, state: Any) -> Result:
        """Compute the value afresh, of any dict."""
        return self.function(state)


@dataclass(frozen=True, slots=True)
class ComputedValue:
    """A computed value at its place in the state."""

    path: Path
    #: What it is computed from, in the end: where that is computed too, also what that depends on.
    depends_on: tuple[Path, ...]
    function: Callable[[Any], Any]

    #: It stands in a class, so its function gets the dict of that class.
    is_method: bool = False

    @property
    def base(self) -> Path:
        """Where the dict lies that its function gets."""
        return self.path[:-1] if self.is_method else ()

    @property
    def dotted(self) -> str:
        """Its path as an author writes it."""
        return ".".join(self.path)

    def depends(self, path: Path) -> bool:
        """Tell whether an assignment to a path changes it, or takes it away."""
        return any(overlap(one, path) for one in self.depends_on) or self.path[: len(path)] == path


def make_computed(paths: tuple[Any, ...]) -> Callable[[Callable[[Any], Result]], Computed[Result]]:
    """Make the decorator. Raises `AppError` for paths that are none, or none at all."""
    if not paths or callable(paths[0]):
        raise AppError(
            'computed expected the paths that the value depends on, such as @mh.computed("price", "user.discount")'
        )
    flat = [one for group in paths for one in ([group] if isinstance(group, str) else _listed(group))]
    depends_on = tuple(parse_path(one, "computed") for one in flat)

    def decorate(function: Callable[[Any], Result]) -> Computed[Result]:
        _check(function)
        return Computed(function, depends_on)

    return decorate


def place(declared: Iterable[Computed[Any]], schema: Schema | None) -> list[ComputedValue]:
    """Give the computed values of an app where they lie, each behind those that it depends on.

    Raises `AppError` for two at one place, and for those that depend on one another.
    """
    values = [*_methods(schema, ()), *_functions(declared)]
    by_path = {one.path: one for one in values}
    for one in values:
        if by_path[one.path] is not one:
            raise AppError(f"two computed values are called {one.dotted}; rename one of them")
    behind = {
        one.path: [other for path in one.depends_on for other in by_path if overlap(other, path)] for one in values
    }
    try:
        order = list(TopologicalSorter(behind).static_order())
    except CycleError as error:
        names = " → ".join(".".join(path) for path in reversed(error.args[1]))
        raise AppError(
            f"computed values depend on one another: {names} (each on the next); let one of them depend on values alone"
        ) from None
    placed: dict[Path, ComputedValue] = {}
    for path in order:
        one = by_path[path]
        further = [deeper for other in behind[path] for deeper in placed[other].depends_on]
        placed[path] = ComputedValue(path, (*one.depends_on, *further), one.function, one.is_method)
    return list(placed.values())


def _functions(declared: Iterable[Computed[Any]]) -> Iterator[ComputedValue]:
    for one in declared:
        if one.owner is None:
            yield ComputedValue((one.name,), one.depends_on, one.function)


def _methods(schema: Schema | None, base: Path, above: tuple[Schema, ...] = ()) -> Iterator[ComputedValue]:
    if schema is None:
        return
    for name, one in inspect.getmembers_static(schema.kind):
        if isinstance(one, Computed):
            yield ComputedValue((*base, name), tuple((*base, *path) for path in one.depends_on), one.function, True)
    for field in schema.fields.values():
        if field.below is not None and field.below not in (*above, schema):
            yield from _methods(field.below, (*base, field.name), (*above, schema))


def _listed(group: object) -> list[Any]:
    return list(group) if isinstance(group, (list, tuple)) else [group]


def _check(function: Any) -> None:
    if not inspect.isfunction(function):
        raise AppError(f"computed expected a function such as `def total(state): …`, got {function!r}")
    where = f"{function.__qualname__} ({function.__code__.co_filename}, line {function.__code__.co_firstlineno})"
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise AppError(f"the computed value {where} is async or a generator; write it with a plain def and return")
    parameters = list(inspect.signature(function).parameters.values())
    required = [one for one in parameters if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
    if len(required) != 1 or required[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise AppError(f"the computed value {where} takes one parameter, the state that it is computed from")


def taken_by_default(path: Path) -> AppError:
    """Make the error of a default that a computed value takes the place of."""
    return AppError(f"{show_path(path)} is a computed value, so it can't have a default; leave it out of init_state")
