"""manyhands: plain-Python event handlers, run on as many machines as you like. This is what an app imports."""

from manyhands.app import init_handlers, init_state, session_verifier
from manyhands.errors import Cancelled, ManyHandsError
from manyhands.state import State

__all__ = ["Cancelled", "ManyHandsError", "State", "init_handlers", "init_state", "session_verifier"]
