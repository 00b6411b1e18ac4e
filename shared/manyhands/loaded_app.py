"""An app that was imported: what the loader gives to the worker and to the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from manyhands.declared import PLAIN, Declared
from manyhands.handlers import Handler, NotExposed
from manyhands.verifiers import Verifier


@dataclass(frozen=True, slots=True)
class LoadedApp:
    """What an app consists of."""

    handlers: Mapping[str, Handler]
    not_exposed: Sequence[NotExposed]
    #: What `init_state` declared, as fields; empty if it wasn't called.
    defaults: Mapping[bytes, bytes]
    defaults_hash: str
    #: A hash of the app's code.
    version: str
    #: What decides whether a session may begin, in the order in which it is asked.
    verifiers: Sequence[Verifier] = ()
    #: The class of its state, computed values and subscribers.
    declared: Declared = PLAIN
