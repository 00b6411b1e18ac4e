"""manyhands: plain-Python event handlers, run on as many machines as you like. This is what an app imports."""

from manyhands.app import init_handlers, init_state, session_verifier
from manyhands.errors import Cancelled, ManyHandsError
from manyhands.state import State
from manyhands.types.files import pack_bytes, pack_file
from manyhands.types.registered import register_type

__all__ = [
    "Cancelled",
    "ManyHandsError",
    "State",
    "init_handlers",
    "init_state",
    "pack_bytes",
    "pack_file",
    "register_type",
    "session_verifier",
]
