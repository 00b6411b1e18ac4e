"""The one place where tests wait: for a condition, with a deadline, never for a time."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

#: Seconds between two looks at a condition.
LOOK = 0.01


def wait_until(condition: Callable[[], Result], timeout: float, what: str | Callable[[], str]) -> Result:
    """Look at a condition until it is true, and give it. Raises `AssertionError`, which says what was awaited."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout} s still no {what if isinstance(what, str) else what()}")
        time.sleep(LOOK)


def free_port() -> int:
    """Find a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
