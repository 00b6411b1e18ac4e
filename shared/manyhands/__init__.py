"""manyhands: plain-Python event handlers, run on as many machines as you like. This is what an app imports."""

from manyhands.app import computed, init_handlers, init_state, session_verifier
from manyhands.errors import Cancelled, ManyHandsError
from manyhands.rooms import Session, shared
from manyhands.state import State
from manyhands.types.files import pack_bytes, pack_file
from manyhands.types.pages import table_page
from manyhands.types.registered import register_type

#: The name by which Writer Framework calls it.
property = computed  # noqa: A001

__all__ = [
    "Cancelled",
    "ManyHandsError",
    "Session",
    "State",
    "computed",
    "init_handlers",
    "init_state",
    "pack_bytes",
    "pack_file",
    "property",
    "register_type",
    "session_verifier",
    "shared",
    "table_page",
]
