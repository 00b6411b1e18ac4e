"""One session's events, one after another, while it is this worker's turn: begin, run the handler, commit, next."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import itertools
import logging
import secrets
import time
from collections.abc import Callable
from functools import partial

from manyhands.errors import Cancelled, DamagedValue, StoreRefused, TurnLost, Unavailable
from manyhands.fields import apply
from manyhands.handlers import bind
from manyhands.letters import Body, decode_body
from manyhands.store.contract import Commit, Committed, Ending, Turn
from manyhands.wire import Failure
from manyhands_worker.batch import Batch
from manyhands_worker.output import capturing
from manyhands_worker.parts import Parts
from manyhands_worker.run import Ended, Phase, Run, context_of, session_of
from manyhands_worker.watcher import Watched

log = logging.getLogger("manyhands.turns")

#: After so many events, or so many seconds, a session goes to the back of the queue.
TURNS_IN_A_ROW = 16
SECONDS_IN_A_ROW = 0.1
#: Seconds between two tries of a commit while Redis is away.
COMMIT_RETRY = 0.25
#: What tells this process's tokens from those of others. Asking the system for chance at every event costs 2 % of it.
PROCESS = secrets.token_hex(8)
_count = itertools.count()


class Sitting:
    """A session at work. One thread at a time, except for `_detach`."""

    def __init__(self, parts: Parts, batch: Batch, hand_off: Callable[[Batch], None]) -> None:
        """`hand_off` gives the rest of a batch to another thread."""
        self.parts, self.batch = parts, batch
        self._hand_off_batch = hand_off
        self._began = time.monotonic()
        self._played = 0
        #: The session's fields as this worker's last commit left them.
        self._fields: dict[bytes, bytes] = {}

    def play(self, turn: Turn | None) -> None:
        """Run events until none is left, the session has had its share, or one goes on elsewhere."""
        run: Run | None = None
        try:
            while turn is not None:
                run = None
                run = self._prepare(turn)
                if not self._is_for_us(run):
                    break
                ended = self._run(run)
                if ended is None:
                    return
                held_turn, turn = self._finish(run, ended)
                if not held_turn:
                    return
        except Exception:  # noqa: BLE001 - a fault of ours must not silence the worker; it is logged there
            self._abandon(run)
            return
        self.batch.release()

    def _abandon(self, run: Run | None) -> None:
        """After a fault of ours: let the lease run out, so that the event is taken over, and free what waits for it."""
        log.exception("running an event failed: %s", run.output.source if run else "it could not be read")
        if run is None:
            self.batch.release()
            return
        self.parts.watcher.forget(run)
        self.parts.running.remove(run)
        if not run.released:
            run.released = True
            self.batch.release()

    def _is_for_us(self, run: Run) -> bool:
        """Tell whether to run an event here and now; if not, it is given back."""
        self._played += 1
        version = self._better_version(run)
        if version is not None:
            self._give_back(run, version)
            return False
        if run.turn.attempt > 1 and not self.parts.running.is_only_repeat(run):
            # It may have been the other one that took the worker with it. A reaper rings this one again, later.
            self._give_back(run, None)
            return False
        return True

    def _prepare(self, turn: Turn) -> Run:
        if turn.fields is not None:
            self._fields = dict(turn.fields)
        try:
            body = decode_body(turn.body)
        except DamagedValue as error:
            log.error("session %s, n %d: %s", turn.session.id, turn.n, error, extra={"session": turn.session.id})
            body = Body(handler="")
        handler = self.parts.app.handlers.get(body.handler)
        try:
            run = Run(turn, body, self.parts.defaults.of(turn.session), self._fields, dev=self.parts.settings.dev)
        except DamagedValue as error:
            # A damaged path: the event ends with an error, on an empty state of which nothing is written.
            log.error("session %s can't be read: %s", turn.session.id, error, extra={"session": turn.session.id})
            run = Run(turn, body, {}, {}, dev=True)
            run.damage = str(error)
        run.is_async = handler is not None and handler.is_async
        self.parts.running.add(run)
        return run

    def _run(self, run: Run) -> Ended | None:
        """Run the handler; None where the event loop does, and another thread will go on."""
        refused = self._refusal(run)
        if refused:
            return refused
        if run.turn.attempt > 1:
            self.parts.meter.taken_over()
        self.parts.watcher.watch(Watched(run, self._hand_off, partial(self._detach_soon, run)))
        if self.parts.app.handlers[run.body.handler].is_async:
            self.parts.loop.call(partial(self._spawn, run))
            return None
        ended = self._call(run)
        self.parts.watcher.forget(run)
        return ended

    def _refusal(self, run: Run) -> Ended | None:
        turn, settings = run.turn, self.parts.settings
        if turn.attempt > settings.max_attempts:
            text = f"{settings.max_attempts} workers died while they ran the handler {run.body.handler}"
            return Ended(error=(Failure.WORKER_LOST, text))
        if run.damage:
            return Ended(error=(Failure.HANDLER_FAILED, "the session's stored state is damaged; see its worker's log"))
        if turn.cancelled:
            return Ended(error=(Failure.CANCELLED, "cancelled before it began"))
        if run.body.handler not in self.parts.app.handlers:
            text = f"no version of the app that has workers has a handler {run.body.handler!r}"
            return Ended(error=(Failure.HANDLER_FAILED, text))
        return None

    def _better_version(self, run: Run) -> str | None:
        """Find another version of the app that has the handler, if this one has not."""
        if run.body.handler in self.parts.app.handlers or run.turn.attempt > self.parts.settings.max_attempts:
            return None
        while True:
            try:
                return self.parts.versions.knowing(run.body.handler)
            except Unavailable as error:
                log.warning("%s | can't read which versions have workers: %s", run.output.source, error)
                if self.parts.running.is_out_of_time:
                    raise
                self.parts.running.pause(COMMIT_RETRY)

    def _give_back(self, run: Run, version: str | None) -> None:
        """Give the event back, not counted as an attempt; ring for the workers of a version that knows its handler."""
        with run.lock:
            answer = self._send(run, partial(run.prepare, Ending.RETURN))
        self.parts.running.remove(run)
        if version is not None and answer and answer.ring is not None:
            self.parts.ringing.ring([(run.session, answer.ring)], version)

    def _call(self, run: Run) -> Ended:
        handler = self.parts.app.handlers[run.body.handler]
        run.begin()
        with capturing(run.output), self.parts.traces.running(run):
            try:
                arguments = bind(handler, run.root.state, run.body.payload, context_of(run), session_of(run.turn))
                return Ended(handler.function(*arguments[0], **arguments[1]))
            except BaseException as error:  # noqa: BLE001 - whatever a handler raises ends its event, not the worker
                return self._failed(run, error)
            finally:
                run.output.finish()

    def _spawn(self, run: Run) -> None:
        # On the loop's thread. The task keeps the context in which it is created, and with it the captured output.
        run.begin()
        with capturing(run.output), self.parts.traces.running(run):
            context = contextvars.copy_context()
        task = self.parts.loop.loop.create_task(self._call_async(run), context=context)
        run.stop_task = partial(self.parts.loop.call, task.cancel)
        task.add_done_callback(lambda task: self.parts.threads.submit(self._async_ended, run, task))

    async def _call_async(self, run: Run) -> Ended:
        handler = self.parts.app.handlers[run.body.handler]
        try:
            arguments = bind(handler, run.root.state, run.body.payload, context_of(run), session_of(run.turn))
            result = handler.function(*arguments[0], **arguments[1])
            # A plain wrapper around an async function may have run it to its end.
            return Ended(await result if inspect.isawaitable(result) else result)
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises ends its event, not the worker
            return self._failed(run, error)
        finally:
            run.output.finish()

    def _async_ended(self, run: Run, task: asyncio.Task[Ended]) -> None:
        # Cancelled before its first step, a task has no result.
        ended = Ended(error=(Failure.CANCELLED, "cancelled")) if task.cancelled() else task.result()
        self.parts.watcher.forget(run)
        try:
            held_turn, turn = self._finish(run, ended)
        except Exception:  # noqa: BLE001 - a fault of ours must not silence the worker; it is logged there
            self._abandon(run)
            return
        if held_turn:
            self.play(turn)

    def _failed(self, run: Run, error: BaseException) -> Ended:
        if run.phase is Phase.LOST:
            return Ended()
        if isinstance(error, (Cancelled, asyncio.CancelledError)) and run.cancel_asked:
            return Ended(error=(Failure.CANCELLED, "cancelled while it ran"))
        log.error("%s | handler failed", run.output.source, exc_info=error)
        if self.parts.settings.dev:
            return Ended(error=(Failure.HANDLER_FAILED, describe(error)))
        return Ended(error=(Failure.HANDLER_FAILED, f"the handler {run.body.handler} failed; see its worker's log"))

    def _hand_off(self) -> None:
        # Called by the watcher: this session's handler is slow, so the batch's others get a thread of their own.
        if self.batch.has_more:
            self._hand_off_batch(self.batch)

    def _detach_soon(self, run: Run) -> None:
        # Called by the watcher, which must not wait for Redis.
        self.parts.detaching.submit(self._detach, run)

    def _detach(self, run: Run) -> None:
        """Free the session's turn, and the batch of it; the handler runs on."""
        try:
            self._try_detach(run)
        except Exception:
            # What it has assigned can't be sent. The handler's own thread will say so when it ends.
            log.exception("%s | can't be detached", run.output.source)
            self.batch.release()

    def _try_detach(self, run: Run) -> None:
        with run.lock:
            if run.released:
                return
            run.released = True
            answer = self._send(run, partial(run.prepare, Ending.DETACH)) if run.phase is Phase.TURN else None
        if answer:
            self.parts.running.detached(run)
            self.parts.meter.detached()
            self._ring(run, answer)
        self.batch.release()

    def _finish(self, run: Run, ended: Ended) -> tuple[bool, Turn | None]:
        """Commit the end of a run. Tells whether it still held the turn, and gives the next event, begun."""
        run.returned = time.monotonic()
        share_left = self._played < TURNS_IN_A_ROW and time.monotonic() - self._began < SECONDS_IN_A_ROW
        with run.lock:
            held_turn, run.released = not run.released, True
            next_token = new_token() if held_turn and share_left and not self.parts.running.stopping else None
            is_ours = run.phase in (Phase.TURN, Phase.DETACHED)
            answer = self._send(run, partial(run.finish, ended, next_token)) if is_ours else None
        self.parts.running.remove(run)
        if answer is None:
            log.warning("%s | taken over by another worker; what it did here is dropped", run.output.source)
            self.parts.meter.lost()
            self.parts.traces.ended(run, lost=True)
            return held_turn, None
        self.parts.meter.ended(run)
        self.parts.traces.ended(run)
        self._ring(run, answer)
        if answer.turn is not None and answer.turn.fields is None:
            apply(self._fields, run.last_ops)
        return held_turn, answer.turn

    def _ring(self, run: Run, answer: Committed) -> None:
        if answer.ring is not None:
            self.parts.ringing.ring([(run.session, answer.ring)])

    def _send(self, run: Run, make: Callable[[], Commit | None]) -> Committed | None:
        """Send a commit until it is answered; what was unanswered goes first. None: the run was given up."""
        while run.unanswered is not None:
            if self._deliver(run, run.unanswered) is None:
                return None
        commit = make()
        return self._deliver(run, commit) if commit else None

    def _deliver(self, run: Run, commit: Commit) -> Committed | None:
        while True:
            try:
                answer = self.parts.store.commit(commit)
            except TurnLost as error:
                run.answered(commit, error)
                return None
            except StoreRefused as error:
                # It would be refused again and again. The event begins again when the lease has run out.
                log.error("%s | can't be committed: %s", run.output.source, error)
                run.answered(commit, TurnLost(str(error)))
                return None
            except Unavailable as error:
                log.warning("%s | can't commit, trying again: %s", run.output.source, error)
                if self.parts.running.is_out_of_time:
                    # Going down without Redis: another worker will take the event over.
                    run.answered(commit, TurnLost(str(error)))
                    return None
                self.parts.running.pause(COMMIT_RETRY)
            else:
                run.answered(commit, answer)
                return answer


def describe(error: BaseException) -> str:
    """Name an exception, also one that can't say what it is."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception of the app's may raise anything when it is shown
        text = "(an exception that can't be shown)"
    return f"{type(error).__name__}: {text[:2000]}"


def new_token() -> str:
    """Make a run's token. It begins with the time, so that tokens sort by it."""
    return f"{time.time_ns():020d}-{PROCESS}-{next(_count)}"
