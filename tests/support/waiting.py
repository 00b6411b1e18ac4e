"""The one place where tests wait: for a condition, with a deadline, never for a time."""

from __future__ import annotations

import random
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


def free_port(in_a_row: int = 1) -> int:
    """Find a port that is free, and those after it if several are wanted in a row.

    Below the range from which the system takes the ports of outgoing connections: one of those may be taken between
    the look and the use.
    """
    while True:
        first = random.randrange(10_000, 32_000)
        if all(_is_free(port) for port in range(first, first + in_a_row)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
