"""Handlers that take their worker with them."""

import os
import signal
from pathlib import Path


def kill_worker(payload):
    """Note in a file that it ran, then die."""
    with Path(payload).open("a") as file:
        file.write("began\n")
    os.kill(os.getpid(), signal.SIGKILL)
