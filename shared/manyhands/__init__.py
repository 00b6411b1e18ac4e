"""manyhands: plain-Python event handlers, run on as many machines as you like. This is what an app imports."""

from manyhands.errors import Cancelled, ManyHandsError

__all__ = ["Cancelled", "ManyHandsError"]
