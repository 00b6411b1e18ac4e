"""What an app declares while it is imported: its defaults, and the modules whose functions are handlers too.

The declarations go to the current `Application`. The loader puts a new one in place before it imports an app, so
that importing one app never shows in another.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, TypeVar

from manyhands.errors import AppError
from manyhands.fields import encode_tree
from manyhands.state_values import check_keys
from manyhands.verifiers import Verifier, make_verifier

log = logging.getLogger("manyhands.app")

Function = TypeVar("Function", bound=Callable[..., Any])


class Application:
    """What one app has declared."""

    def __init__(self) -> None:
        #: Encoded when they were declared, so that nothing the app does to its dict later can reach a session.
        self.defaults: dict[bytes, bytes] | None = None
        #: In the order of declaration, each once.
        self.modules: list[ModuleType] = []
        #: In the order of declaration, which is that in which they are asked.
        self.verifiers: list[Verifier] = []

    def set_defaults(self, defaults: object) -> None:
        """Encode and keep the defaults. See `init_state`."""
        if not isinstance(defaults, Mapping):
            raise AppError(
                f"init_state expected a dict such as {{'counter': 0}}, got {_describe(defaults)}; "
                "call it once, with all the keys that a new session begins with"
            )
        check_keys(defaults, ())
        encoded = encode_tree(defaults)
        if self.defaults is not None:
            log.warning("init_state was called again; a new session begins with what the last call gave, nothing else")
        self.defaults = encoded

    def add_modules(self, modules: object) -> None:
        """Keep modules. See `init_handlers`."""
        several = modules if isinstance(modules, Iterable) and not isinstance(modules, str) else [modules]
        checked = [_checked_module(one) for one in several]
        self.modules += [module for module in dict.fromkeys(checked) if module not in self.modules]


_current = Application()


def current() -> Application:
    """Give what the app that is being imported has declared so far."""
    return _current


def begin() -> Application:
    """Begin a new app: what is declared from now on is its own. The loader calls it."""
    global _current
    _current = Application()
    return _current


def init_state(defaults: Mapping[str, Any]) -> None:
    """Declare what the state of a new session begins with.

    Called again, the last call counts alone: what two modules would give together depended on the order of imports.
    Raises `AppError` unless it is a dict, `KeyNotString` for a key that is no string, at any depth, and
    `NotSerialisable` for a value that can't be stored.
    """
    _current.set_defaults(defaults)


def init_handlers(modules: ModuleType | Iterable[ModuleType]) -> None:
    """Declare that the public functions of a module, or of several, are handlers: `module.function`.

    May be called several times, and from these modules too. Raises `AppError` for anything but modules.
    """
    _current.add_modules(modules)


def session_verifier(function: Function) -> Function:
    """Declare that a function decides whether a session may begin: it refuses by returning False, or by raising.

    It takes any of `headers` and `cookies`, those of the handshake, by name; plain or async. It runs in a worker,
    once, before anything else of the session. Raises `AppError` for one with other parameters.
    """
    _current.verifiers.append(make_verifier(function))
    return function


def _checked_module(module: object) -> ModuleType:
    if isinstance(module, ModuleType):
        return module
    raise AppError(
        f"init_handlers expected a module or a list of modules, got {_describe(module)}; "
        "import the module that holds the handlers and give it: init_handlers(more_handlers)"
    )


def _describe(value: object) -> str:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    shown = repr(value)
    return f"{shown if len(shown) <= 60 else shown[:57] + '...'} ({name})"
