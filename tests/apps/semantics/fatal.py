"""Handlers that take their worker with them."""

import os
import signal
import time
from pathlib import Path


def kill_worker(payload):
    """Note in a file that it ran, then die."""
    with Path(payload).open("a") as file:
        file.write("began\n")
    os.kill(os.getpid(), signal.SIGKILL)


def kill_worker_after(payload):
    """Note that it ran, hold the turn for a moment, then die."""
    path, seconds = payload
    with Path(path).open("a") as file:
        file.write("began\n")
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)
