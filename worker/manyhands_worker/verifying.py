"""Runs the app's session verifiers, as a handler of ours that the worker runs like any other.

Its result is True, or False where a verifier has refused; one that raises has refused. It never fails itself, so that
an event which ends with an error says that the session could not be verified, and nothing of the verifiers.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from manyhands.errors import Cancelled
from manyhands.handlers import Handler
from manyhands.loaded_app import LoadedApp
from manyhands.verifiers import VERIFY_SESSION, Verifier

log = logging.getLogger("manyhands.verifiers")


def with_verifying(app: LoadedApp) -> LoadedApp:
    """Give the app with the handler that verifies sessions, where it has declared verifiers."""
    if not app.verifiers:
        return app
    is_async = any(one.is_async for one in app.verifiers)
    function = _verify_on_loop(app.verifiers) if is_async else _verify(app.verifiers)
    handler = Handler(
        VERIFY_SESSION, function, ("session",), is_async, doc="", file=__file__, line=1, keywords=("session",)
    )
    return replace(app, handlers={**app.handlers, VERIFY_SESSION: handler})


def _verify(verifiers: Sequence[Verifier]) -> Callable[..., bool]:
    def verify(session: Mapping[str, Any]) -> bool:
        return all(_lets_in(one, session) for one in verifiers)

    return verify


def _verify_on_loop(verifiers: Sequence[Verifier]) -> Callable[..., Any]:
    async def verify(session: Mapping[str, Any]) -> bool:
        for one in verifiers:
            # A plain one may block, which the event loop of all async handlers must not.
            lets_in = _lets_in_async(one, session) if one.is_async else asyncio.to_thread(_lets_in, one, session)
            if not await lets_in:
                return False
        return True

    return verify


def _lets_in(verifier: Verifier, session: Mapping[str, Any]) -> bool:
    try:
        answer = _call(verifier, session)
    except Cancelled:
        raise
    except BaseException:  # noqa: BLE001 - whatever a verifier raises refuses the session, and ends no worker
        return _raised(verifier, session)
    if inspect.isawaitable(answer):
        _close(answer)
        log.error("the session verifier %s gave something to await; define it with `async def`", verifier.name)
        return _refused(verifier, session)
    return not _is_false(answer) or _refused(verifier, session)


async def _lets_in_async(verifier: Verifier, session: Mapping[str, Any]) -> bool:
    try:
        answer = _call(verifier, session)
        # A plain wrapper around an async function may have run it to its end.
        answer = await answer if inspect.isawaitable(answer) else answer
    except (Cancelled, asyncio.CancelledError):
        raise
    except BaseException:  # noqa: BLE001 - see above
        return _raised(verifier, session)
    return not _is_false(answer) or _refused(verifier, session)


def _call(verifier: Verifier, session: Mapping[str, Any]) -> Any:
    # Copies: what one verifier does to its dicts is not seen by the next.
    return verifier.function(**{name: dict(session[name]) for name in verifier.parameters})


def _is_false(answer: object) -> bool:
    # NumPy's comparisons give a False of its own, which an author can't be expected to tell from Python's.
    return type(answer).__name__ in ("bool", "bool_") and not answer


def _raised(verifier: Verifier, session: Mapping[str, Any]) -> bool:
    log.exception("the session verifier %s raised, which refuses session %s", verifier.name, session["id"])
    return False


def _refused(verifier: Verifier, session: Mapping[str, Any]) -> bool:
    log.info("the session verifier %s refused session %s", verifier.name, session["id"])
    return False


def _close(awaitable: Any) -> None:
    if inspect.iscoroutine(awaitable):
        awaitable.close()
