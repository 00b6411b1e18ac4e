"""Coroutines in tests: Playwright's synchronous API leaves an event loop running on the thread that tests run on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end, on an event loop of its own, and give what it gives."""
    return apart(asyncio.run, coroutine)


def apart(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in this context, on a thread of its own, where no event loop runs."""
    with ThreadPoolExecutor(1, thread_name_prefix="test-event-loop") as thread:
        return thread.submit(copy_context().run, function, *arguments).result()
