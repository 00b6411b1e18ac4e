"""Attributes of a typed state: `state.counter` for `state["counter"]`, of the names that its class declares."""

from __future__ import annotations

import difflib
from typing import Any

from manyhands.computed import Computed
from manyhands.errors import AppError
from manyhands.schema import NOTHING, declared_names


class Attribute:
    """One declared name of a class; reading, assigning and deleting it does so with the key."""

    __slots__ = ("default", "name")

    def __init__(self, name: str, default: Any) -> None:
        self.name, self.default = name, default

    def __get__(self, state: Any, kind: type) -> Any:
        return self if state is None else state[self.name]

    def __set__(self, state: Any, value: Any) -> None:
        state[self.name] = value

    def __delete__(self, state: Any) -> None:
        del state[self.name]


def declare(kind: type, base: type) -> None:
    """Make attributes of what a class's body annotates. Raises `AppError` for a name that means something else."""
    for name in declared_names(kind):
        if any(name in vars(one) for one in base.__mro__) or name.startswith("__"):
            raise AppError(
                f"{kind.__name__} declares {name}, which every State has; use another name, "
                f'or leave it undeclared and write state["{name}"]'
            )
        default = kind.__dict__.get(name, NOTHING)
        if not isinstance(default, Computed):
            setattr(kind, name, Attribute(name, default))
    # Here and not in the base: there type checkers would believe that every attribute exists.
    for name, function in (("__getattr__", _missing), ("__setattr__", _assign)):
        setattr(kind, name, function)


def default_of(kind: type, name: str) -> Any:
    """Give what a class's body assigns to a declared name; `NOTHING` where it does not."""
    found = getattr(kind, name, None)
    return found.default if isinstance(found, Attribute) else NOTHING


def _missing(state: Any, name: str) -> Any:
    raise AttributeError(_undeclared(type(state), name), name=name, obj=state)


def _assign(state: Any, name: str, value: Any) -> None:
    if not hasattr(type(getattr(type(state), name, None)), "__set__"):
        raise AttributeError(_undeclared(type(state), name), name=name, obj=state)
    object.__setattr__(state, name, value)


def _undeclared(kind: type, name: str) -> str:
    declared = [one for one in dir(kind) if isinstance(getattr(kind, one, None), Attribute)]
    near = next(iter(difflib.get_close_matches(name, declared, 1)), None)
    hint = f"; did you mean {near}?" if near else f", but {', '.join(declared) or 'nothing'}."
    return f'{kind.__name__} declares no {name}{hint} A key that it does not declare is written state["{name}"]'
