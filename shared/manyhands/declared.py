"""What an app declared of its state: of which class it is, what is computed, who subscribes."""

from __future__ import annotations

from dataclasses import dataclass, field

from manyhands.reactions import Reactions
from manyhands.state import State


@dataclass(frozen=True, slots=True)
class Declared:
    """The same for every run of an app."""

    #: What handlers get as `state` is one of these.
    kind: type[State] = State
    reactions: Reactions = field(default_factory=Reactions)
    #: What the defaults are known by that hold its computed values.
    defaults_hash: str = ""


#: Of an app that declares nothing but defaults.
PLAIN = Declared()
