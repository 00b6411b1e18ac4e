"""One session's events, one after another, while it is this worker's turn."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from manyhands.errors import DamagedValue, TurnLost, Unavailable
from manyhands.known_fields import KnownFields
from manyhands.letters import Body, decode_body
from manyhands.store.turns import NOTHING, Ahead, Commit, Committed, Ending, Refresh, Turn
from manyhands.wire import Failure
from manyhands_worker.batch import Bell
from manyhands_worker.calls import call_async
from manyhands_worker.delivery import deliver, send
from manyhands_worker.making import known_of, make_empty_run, make_run
from manyhands_worker.output import capturing
from manyhands_worker.parts import Parts
from manyhands_worker.room_commits import rooms_of, settle_rooms
from manyhands_worker.run import Ended, Phase, Run
from manyhands_worker.running import RETRY
from manyhands_worker.watcher import Watched

if TYPE_CHECKING:
    from manyhands_worker.player import Player, Table

log = logging.getLogger("manyhands.turns")

#: After so many events, or so many seconds, a session goes behind those that wait.
TURNS_IN_A_ROW = 16
SECONDS_IN_A_ROW = 0.1
#: What tells this process's tokens from those of others. Asking the system for chance at every event costs 2 % of it.
PROCESS = secrets.token_hex(8)
_count = itertools.count()

#: A run, its commit, and what the store said: nothing, where it is unknown whether it was written.
Answered = tuple[Run, Commit, Committed | TurnLost | None]


class Sitting:
    """A session at work. Its player's thread calls it, and where a handler is slow, that of an heir: see `settle`."""

    def __init__(self, parts: Parts, table: Table, bell: Bell, turn: Turn, *, started: bool) -> None:
        """`started`: whether the store knows that the first handler begins."""
        self._parts, self._table, self._bell = parts, table, bell
        self._began = self.asked = time.monotonic()
        self._played = 0
        #: The session's fields as this worker's last commit left them.
        self._known = KnownFields({})
        #: What it may go on to without asking the store.
        self._ahead: deque[Ahead] = deque()
        #: Runs whose final commits were sent and not answered yet.
        self.sent: list[Run] = []
        #: Set once an heir has read the answers to them; None where there is no heir, or nothing was sent.
        self._settled: threading.Event | None = None
        self.started = started
        #: The run that comes next, or is going on.
        self.run: Run | None = self._take_up(turn)

    def _take_up(self, turn: Turn) -> Run:
        if turn.fields is not None:
            self._known = known_of(self._parts, turn)
        self._ahead = deque(turn.ahead)
        return self._prepare(turn)

    def _prepare(self, turn: Turn, *, follows: bool = False) -> Run:
        try:
            body = decode_body(turn.body)
        except DamagedValue as error:
            log.error("session %s, n %d: %s", turn.session.id, turn.n, error, extra={"session": turn.session.id})
            body = Body(handler="")
        handler = self._parts.app.handlers.get(body.handler)
        try:
            run = make_run(self._parts, turn, body, self._parts.defaults.of(turn.session), self._known)
        except DamagedValue as error:
            # Damaged defaults: the event ends with an error, on an empty state of which nothing is written.
            log.error("session %s can't be read: %s", turn.session.id, error, extra={"session": turn.session.id})
            run = make_empty_run(self._parts, turn, body)
            run.damage = str(error)
        run.is_async = handler is not None and handler.is_async
        self._parts.running.add(run, follows=follows)
        return run

    # --- before a handler ---

    @property
    def must_ask(self) -> bool:
        """Whether the commits before the next event have to be answered before it begins."""
        if self.run is None:
            return False
        # Of a large state it reads from the store, where these commits must have been written by then.
        return self.run.is_async or not self._known.whole or self.run.body.handler not in self._parts.app.handlers

    @property
    def has_more(self) -> bool:
        """Whether events follow the next one of which nothing is known yet."""
        return bool(self._ahead)

    def is_for_us(self, run: Run) -> bool:
        """Tell whether to run an event here and now; if not, it is given back."""
        if self._parts.running.stopping and not self.started:
            self._give_back(run, None)
            return False
        self._played += 1
        version = self._better_version(run)
        if version is not None:
            self._give_back(run, version)
            return False
        if run.turn.attempt > 1 and not self._parts.running.is_only_repeat(run):
            # It may have been the other one that took the worker with it. A reaper rings this one again, later.
            self._give_back(run, None, rings=False)
            return False
        return True

    def give_back(self) -> None:
        """Give back the event that comes next: others may have it sooner."""
        if self.run is not None:
            self._give_back(self.run, None)

    def refusal(self, run: Run) -> Ended | None:
        """Give the end of an event whose handler is not to run."""
        turn, settings = run.turn, self._parts.settings
        if turn.attempt > settings.max_attempts:
            text = f"{settings.max_attempts} workers died while they ran the handler {run.body.handler}"
            return Ended(error=(Failure.WORKER_LOST, text))
        if run.damage:
            return Ended(error=(Failure.HANDLER_FAILED, "the session's stored state is damaged; see its worker's log"))
        if turn.cancelled:
            return Ended(error=(Failure.CANCELLED, "cancelled before it began"))
        if run.body.handler not in self._parts.app.handlers:
            text = f"no version of the app that has workers has a handler {run.body.handler!r}"
            return Ended(error=(Failure.HANDLER_FAILED, text))
        return None

    def _better_version(self, run: Run) -> str | None:
        """Find another version of the app that has the handler, if this one has not."""
        if run.body.handler in self._parts.app.handlers or run.turn.attempt > self._parts.settings.max_attempts:
            return None
        while True:
            try:
                return self._parts.versions.knowing(run.body.handler)
            except Unavailable as error:
                log.warning("%s | can't read which versions have workers: %s", run.output.source, error)
                if self._parts.running.is_out_of_time:
                    raise
                self._parts.running.pause(RETRY)

    def _give_back(self, run: Run, version: str | None, *, rings: bool = True) -> None:
        """Give the event back, not counted as an attempt; ring for the workers of a version that knows its handler."""
        with run.lock:
            # Of many sessions, each would wait for a Redis that is silent. Their leases run out instead.
            late = self._parts.running.is_out_of_time
            answer = None if late else send(self._parts, run, partial(run.prepare, Ending.RETURN))
            run.released = True
        self._parts.running.remove(run)
        if answer is not None and answer.ring is not None and rings:
            self._parts.ringing.ring([(run.session, answer.ring)], version, answer.queue)
        self.run = None
        self._bell.release()

    # --- after a handler ---

    def end(self, run: Run, ended: Ended, *, goes_on: bool) -> Commit | None:
        """Make the final commit of a run that held its turn, and take up the next event if its letter is here.

        `goes_on`: the answer may bring the next event, since nobody else waits.
        """
        run.returned = time.monotonic()
        with run.lock:
            commit = None
            if not run.released and run.phase is Phase.TURN and settle_rooms(run, Ending.FINAL):
                run.released = True
                may_go_on = self._may_go_on()
                ahead = len(self._ahead) if may_go_on else 0
                next_token = new_token() if ahead or (may_go_on and goes_on) else None
                near = "" if self._parts.settings.one_task_per_event else self._parts.listener.channel
                wanted = self._parts.reading.wanted_of(run.session) if next_token else NOTHING
                commit = run.finish(ended, next_token, ahead, near, wanted)
        if commit is None:
            # It is being detached this moment, or was taken over.
            self.finish_alone(run, ended)
            return None
        self.sent.append(run)
        self.run = self._follow(run, commit) if commit.ahead else None
        return commit

    def _may_go_on(self) -> bool:
        share_left = self._played < TURNS_IN_A_ROW and time.monotonic() - self._began < SECONDS_IN_A_ROW
        return share_left and not self._parts.running.stopping and not self._parts.settings.one_task_per_event

    def _follow(self, run: Run, commit: Commit) -> Run:
        self._known = self._known.after(commit.ops)
        letter = self._ahead.popleft()
        self.started = True
        turn = replace(
            run.turn,
            token=commit.next_token or "",
            fence=run.turn.fence + 1,
            attempt=1,
            client=letter.client,
            n=letter.n,
            body=letter.body,
            version=commit.version,
            cancelled=False,
        )
        return self._prepare(turn, follows=True)

    def settle(self, answered: Sequence[Answered]) -> bool:
        """Take in what the store says of commits that were sent; tells whether another event is to be played.

        May be called by an heir's thread while this session's slow handler goes on.
        """
        answers = self._recover(answered)
        lost = isinstance(answers[-1], TurnLost)
        for (run, commit, _), answer in zip(answered, answers, strict=True):
            # A later commit of the same turns went through, so this one did, though its answer is forgotten.
            went_through = Committed(0, commit.version) if isinstance(answer, TurnLost) and not lost else answer
            with run.lock:
                run.answered(commit, went_through)
            self._parts.running.remove(run)
            self.sent.remove(run)
            self._count(run, lost=isinstance(went_through, TurnLost))
            if isinstance(answer, Committed):
                self._note_cancelled(commit, answer)
        if self.run is not None:
            # The store knows of it now: it began with the last of these commits.
            self._parts.running.confirm(self.run)
        self.asked = time.monotonic()
        going_on = self._go_on(answered[-1][1], answers[-1])
        if self._settled is not None:
            self._settled.set()
        return going_on

    def _go_on(self, commit: Commit, answer: Committed | TurnLost) -> bool:
        if isinstance(answer, TurnLost):
            self._say_lost(commit.session)
            if self.run is not None and self.run.began is None:
                self._parts.running.remove(self.run)
                self.run = None
        elif answer.ring is not None:
            self._table.ring(commit.session, answer.ring, answer.queue)
        elif answer.turn is not None and not commit.ahead:
            if answer.turn.fields is None:
                self._known = self._known.after(commit.ops)
            self.started = True
            self.run = self._take_up(answer.turn)
            return True
        if self.run is None:
            self._bell.release()
        return False

    def _note_cancelled(self, commit: Commit, answer: Committed) -> None:
        # A commit that had to be sent again is answered with the whole of a turn that has been begun here already.
        run, following = self.run, answer.following or (answer.turn if commit.ahead else None)
        if following is None or not following.cancelled or run is None or run.token != commit.next_token:
            return
        if run.began is None:
            run.turn = replace(run.turn, cancelled=True)
        else:
            run.cancel()

    def take_in(self, refresh: Refresh | None) -> None:
        """Note whether the event that waits here is to be cancelled."""
        self.asked, run = time.monotonic(), self.run
        if refresh is not None and run is not None and (run.turn.client, run.turn.n) in refresh.cancelled:
            run.turn = replace(run.turn, cancelled=True)

    def _recover(self, answered: Sequence[Answered]) -> list[Committed | TurnLost]:
        """Send again what may not have been written, in order; commits know when they were written before."""
        answers = [answer for _, _, answer in answered]
        if all(isinstance(answer, Committed) for answer in answers):
            return [answer for answer in answers if answer is not None]
        return [deliver(self._parts, run, commit) for run, commit, _ in answered]

    def left(self) -> None:
        """Note that an heir will read the answers to what was sent. Called by the watcher, before the heir begins."""
        if self.sent:
            self._settled = threading.Event()

    def finish_alone(self, run: Run, ended: Ended) -> None:
        """Commit the end of a run whose handler was slow; the session's next event waits for a player."""
        if self._settled is not None:
            self._settled.wait()
        self.run = None
        run.returned = time.monotonic()
        with run.lock:
            held_turn, run.released = not run.released, True
            is_ours = settle_rooms(run, Ending.FINAL) and run.phase in (Phase.TURN, Phase.DETACHED)
            finish = partial(run.finish, ended, None, near=self._parts.listener.channel)
            answer = send(self._parts, run, finish) if is_ours else None
        self._parts.running.remove(run)
        self._count(run, lost=answer is None)
        if answer is None:
            self._say_lost(run.output.source)
        elif answer.ring is not None:
            self._table.ring(run.session, answer.ring, answer.queue)
        if held_turn:
            self._bell.release()

    def _count(self, run: Run, *, lost: bool) -> None:
        if lost:
            self._parts.meter.lost()
        else:
            self._parts.meter.ended(run)
            if self._parts.studio is not None:
                self._parts.studio.ended(run)
            if run.uploads:
                self._parts.large.free(run.session, run.uploads)
        self._parts.traces.ended(run, lost=lost)

    @staticmethod
    def _say_lost(source: str) -> None:
        log.warning("%s | taken over by another worker; what it did here is dropped", source)

    def abandon(self) -> None:
        """After a fault of ours: let the leases run out, so that the events are taken over, and free what waits."""
        run = self.run
        log.exception("running an event failed: %s", run.output.source if run else "its session goes on elsewhere")
        for one in (*self.sent, *([run] if run else [])):
            self._parts.watcher.forget(one)
            self._parts.running.remove(one)
            one.released = True
        self.sent.clear()
        self.run = None
        if self._settled is not None:
            self._settled.set()
        self._bell.release()

    # --- async handlers ---

    def spawn(self, run: Run) -> None:
        """Run an async handler on the event loop; its end is committed on a thread of ours."""
        self._parts.watcher.watch(Watched(run, None, partial(self.detach_soon, run, None)))
        self._parts.loop.call(partial(self._spawn, run))

    def _spawn(self, run: Run) -> None:
        # On the loop's thread. The task keeps the context in which it is created, and with it the captured output.
        run.begin()
        with capturing(run.output), rooms_of(self._parts, run), self._parts.traces.running(run):
            context = contextvars.copy_context()
        task = self._parts.loop.loop.create_task(call_async(self._parts, run), context=context)
        run.stop_task = partial(self._parts.loop.call, task.cancel)
        task.add_done_callback(lambda task: self._parts.threads.submit(self._async_ended, run, task))

    def _async_ended(self, run: Run, task: asyncio.Task[Ended]) -> None:
        # Cancelled before its first step, a task has no result.
        ended = Ended(error=(Failure.CANCELLED, "cancelled")) if task.cancelled() else task.result()
        self._parts.watcher.forget(run)
        try:
            self.finish_alone(run, ended)
        except Exception:  # noqa: BLE001 - a fault of ours must not silence the worker; it is logged there
            self.abandon()

    # --- slow handlers ---

    def detach_soon(self, run: Run, player: Player | None) -> None:
        """Have a run detached. Called by the watcher, which must not wait for Redis."""
        self._parts.detaching.submit(self._detach, run, player)

    def _detach(self, run: Run, player: Player | None) -> None:
        """Free the session's turn; the handler runs on."""
        try:
            self._try_detach(run)
        except Exception:
            # What it has assigned can't be sent. The handler's own thread will say so when it ends.
            log.exception("%s | can't be detached", run.output.source)
            self._bell.release()
        if player is not None:
            self._table.came_back(player)

    def _try_detach(self, run: Run) -> None:
        if self._settled is not None:
            self._settled.wait()
        with run.lock:
            if run.released:
                return
            run.released = True
            in_turn = run.phase is Phase.TURN and settle_rooms(run, Ending.DETACH)
            answer = send(self._parts, run, partial(run.prepare, Ending.DETACH)) if in_turn else None
        if answer:
            self._parts.running.detached(run)
            self._parts.meter.detached()
            if answer.ring is not None:
                self._table.ring(run.session, answer.ring, answer.queue)
        self._bell.release()


def new_token() -> str:
    """Make a run's token. It begins with the time, so that tokens sort by it."""
    return f"{time.time_ns():020d}-{PROCESS}-{next(_count)}"
