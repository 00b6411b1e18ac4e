"""Calls a handler: with what it asks for, its output captured, and whatever it raises as the end of its event."""

from __future__ import annotations

import asyncio
import inspect
import logging
from functools import partial
from typing import Any

from manyhands.errors import Cancelled, ReactionFailed, UploadMissing, show_error
from manyhands.handlers import bind
from manyhands.wire import Failure
from manyhands_worker.contexts import context_of, is_in_room
from manyhands_worker.output import capturing
from manyhands_worker.parts import Parts
from manyhands_worker.room_commits import rooms_of
from manyhands_worker.run import Ended, Phase, Run, session_of

log = logging.getLogger("manyhands.turns")


def call(parts: Parts, run: Run) -> Ended:
    """Run a plain handler to its end, on this thread."""
    run.begin()
    with capturing(run.output), rooms_of(parts, run), parts.traces.running(run):
        try:
            result = _invoke(parts, run, payload_of(parts, run), _context_of(parts, run))
            if (live := run.root.live) is not None and live.has_waiting:
                asyncio.run_coroutine_threadsafe(live.run_waiting(), parts.loop.loop).result()
            return Ended(result)
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises ends its event, not the worker
            return failed(parts, run, error)
        finally:
            run.output.finish()


async def call_async(parts: Parts, run: Run) -> Ended:
    """Run an async handler to its end."""
    try:
        # The loop has others' handlers to run meanwhile.
        in_thread = partial(asyncio.get_running_loop().run_in_executor, parts.threads)
        payload = await in_thread(payload_of, parts, run) if run.names_uploads else run.body.payload
        is_far = any(map(is_in_room, run.body.context.repeaters))
        context = await in_thread(_context_of, parts, run) if is_far else _context_of(parts, run)
        result = _invoke(parts, run, payload, context)
        # A plain wrapper around an async function may have run it to its end.
        result = await result if inspect.isawaitable(result) else result
        if (live := run.root.live) is not None and live.has_waiting:
            await live.run_waiting()
        return Ended(result)
    except BaseException as error:  # noqa: BLE001 - whatever a handler raises ends its event, not the worker
        return failed(parts, run, error)
    finally:
        run.output.finish()


def payload_of(parts: Parts, run: Run) -> Any:
    """Give an event's payload, uploads in their places. Raises `UploadMissing`."""
    if not run.names_uploads:
        return run.body.payload
    payload, run.uploads = parts.large.fill_in(run.session, run.body.payload)
    return payload


def _context_of(parts: Parts, run: Run) -> dict[str, Any] | None:
    # What a handler does not ask for is not made.
    return context_of(parts, run) if "context" in parts.app.handlers[run.body.handler].parameters else None


def _invoke(parts: Parts, run: Run, payload: Any, context: dict[str, Any] | None) -> Any:
    handler = parts.app.handlers[run.body.handler]
    session = session_of(run) if "session" in handler.parameters else None
    positional, named = bind(handler, run.root.state, payload, context, session)
    return handler.function(*positional, **named)


def failed(parts: Parts, run: Run, error: BaseException) -> Ended:
    """Tell what an exception of a handler's means, and log it."""
    if run.root.live is not None:
        run.root.live.drop_waiting()
    if run.phase is Phase.LOST:
        return Ended()
    if isinstance(error, (Cancelled, asyncio.CancelledError)) and run.cancel_asked:
        return Ended(error=(Failure.CANCELLED, "cancelled while it ran"))
    if isinstance(error, UploadMissing):
        return Ended(error=(Failure.HANDLER_FAILED, str(error)))
    log.error("%s | handler failed", run.output.source, exc_info=error)
    if parts.settings.dev:
        return Ended(error=(Failure.HANDLER_FAILED, describe(error)))
    who = error.who if isinstance(error, ReactionFailed) else f"the handler {run.body.handler}"
    return Ended(error=(Failure.HANDLER_FAILED, f"{who} failed; see its worker's log"))


def describe(error: BaseException) -> str:
    """Name an exception, also one that can't say what it is."""
    return f"{type(error).__name__}: {show_error(error)}"
