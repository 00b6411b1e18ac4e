"""What an app declares while it is imported: its defaults, and the modules whose functions are handlers too.

The declarations go to the current `Application`. The loader puts a new one in place before it imports an app, so
that importing one app never shows in another.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeVar

from manyhands.computed import Computed, make_computed, place, taken_by_default
from manyhands.declared import Declared
from manyhands.errors import AppError
from manyhands.fields import apply, build_tree, encode_assignment, encode_tree
from manyhands.paths import encode_path
from manyhands.reactions import Reactions
from manyhands.state import State
from manyhands.state_root import StateRoot
from manyhands.state_values import check_keys
from manyhands.subscribers import InitialState, Subscription
from manyhands.verifiers import Verifier, make_verifier

log = logging.getLogger("manyhands.app")

Result = TypeVar("Result")
Function = TypeVar("Function", bound=Callable[..., Any])


class Application:
    """What one app has declared."""

    def __init__(self) -> None:
        #: Encoded when they were declared, so that nothing the app does to its dict later can reach a session.
        self.defaults: dict[bytes, bytes] | None = None
        #: In the order of declaration; methods of schemas among them.
        self.computed: list[Computed[Any]] = []
        self.subscriptions: list[Subscription] = []
        #: What handlers get as `state` is one of these.
        self.kind: type[State] = State
        #: In the order of declaration, each once.
        self.modules: list[ModuleType] = []
        #: In the order of declaration, which is that in which they are asked.
        self.verifiers: list[Verifier] = []

    def set_defaults(self, defaults: object, schema: object = None) -> None:
        """Encode and keep the defaults. See `init_state`."""
        if schema is not None and not (isinstance(schema, type) and issubclass(schema, State)):
            raise AppError(
                f"init_state expected as schema a class such as `class AppState(mh.State): counter: int`, "
                f"got {_describe(schema)}"
            )
        if defaults is None and schema is not None:
            defaults = {}
        if not isinstance(defaults, Mapping):
            raise AppError(
                f"init_state expected a dict such as {{'counter': 0}}, got {_describe(defaults)}; "
                "call it once, with all the keys that a new session begins with"
            )
        check_keys(defaults, ())
        if schema is not None:
            declared = schema._resolve()
            defaults = declared.checked_dict(declared.with_defaults(defaults), ())
        encoded = encode_tree(defaults)
        if self.defaults is not None:
            log.warning("init_state was called again; a new session begins with what the last call gave, nothing else")
        self.defaults = encoded
        self.kind = schema or State

    def finish(self) -> Declared:
        """Take stock once the app is imported: compute the computed values of a new session, which join the defaults.

        Raises `AppError` for computed values that can't be, `ComputedFailed` for one that raises.
        """
        computed = place(self.computed, self.kind._schema)
        reactions = Reactions(computed, self.subscriptions)
        for one in self.subscriptions:
            if one.path in reactions.by_path:
                raise AppError(
                    f"{one.name} subscribes to {one.written}, which is a computed value; "
                    "subscribe to what it is computed from"
                )
        declared = Declared(self.kind, reactions)
        if computed:
            self.defaults = _with_computed(self.defaults or {}, declared)
        return declared

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


def init_state(defaults: Mapping[str, Any] | None = None, schema: type[State] | None = None) -> InitialState:
    """Declare what the state of a new session begins with.

    `schema`: a class derived from `State` whose annotations say what the state holds. What its body assigns need not
    be given again. Every assignment to a declared name is checked.

    What it gives takes subscribers. Called again, the last call counts alone: what two modules would give together
    depended on the order of imports. Raises `AppError` unless it is a dict, `SchemaViolation` for a value that the
    schema forbids, `KeyNotString` for a key that is no string, at any depth, and `NotSerialisable` for a value that
    can't be stored.
    """
    _current.set_defaults(defaults, schema)
    return InitialState(_current.subscriptions)


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


def computed(*paths: str | Sequence[str]) -> Callable[[Callable[[Any], Result]], Computed[Result]]:
    """Declare a value that a function makes of other values of the state, kept in the state under its name.

    It is computed again when one of the paths, dotted and each an argument or in a list, has been assigned: when it is
    read, and at the latest in the commit of that assignment. As a method of a class derived from `State` it belongs
    to that class, and the paths begin there. Raises `AppError` for a path that is none, or a function that takes
    anything but the state.
    """
    decorate = make_computed(paths)

    def declare(function: Callable[[Any], Result]) -> Computed[Result]:
        made = decorate(function)
        _current.computed.append(made)
        return made

    return declare


def _with_computed(defaults: Mapping[bytes, bytes], declared: Declared) -> dict[bytes, bytes]:
    for one in declared.reactions.computed:
        if encode_path(one.path) in defaults:
            raise taken_by_default(one.path)
    # Without subscribers: nothing happens in a session yet.
    root = StateRoot(build_tree(defaults, {}), None, Declared(declared.kind, Reactions(declared.reactions.computed)))
    if root.live is not None:
        root.live.compute_all()
    fields = dict(defaults)
    for mutation in root.take():
        apply(fields, encode_assignment(mutation.path, mutation.value, over_dict=True))
    return fields


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
