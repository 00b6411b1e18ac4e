"""Going down in order: running turns finish, detached handlers get some seconds, the rest is handed over at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from manyhands.errors import TurnLost, Unavailable
from manyhands.store.turns import Ending
from manyhands_worker.parts import Parts
from manyhands_worker.room_commits import settle_rooms
from manyhands_worker.run import Phase, Run
from manyhands_worker.running import GRACE

log = logging.getLogger("manyhands.worker")

#: Seconds that a commit which is just being made may hold up a hand-over.
COMMIT_WAIT = 2.0
#: Seconds that all hand-overs get, and how many sessions' are made at a time.
HAND_OVER, HANDING_OVER = 6.0, 8


def drain(parts: Parts) -> None:
    """Wait for what runs, then give the rest back to its sessions' mailboxes."""
    _finish_or_give_back(parts)
    parts.ringing.flush()


def _finish_or_give_back(parts: Parts) -> None:
    since = min(parts.running.stopping_since, time.monotonic())
    if parts.running.wait_until_idle(max(0.0, GRACE - (time.monotonic() - since))):
        return
    sessions: dict[str, list[Run]] = {}
    # The newest first: each goes to the front of its mailbox, so they begin again in their order.
    for run in sorted(parts.running.runs(), key=lambda run: run.token, reverse=True):
        sessions.setdefault(run.session, []).append(run)
    pool = ThreadPoolExecutor(HANDING_OVER, thread_name_prefix="manyhands-drain")
    given_back = [pool.submit(_give_back_all, parts, runs) for runs in sessions.values()]
    _, late = wait(given_back, HAND_OVER)
    if late:
        # What a commit of theirs needs does not come: a read of the state, a computed value. Their leases run out.
        log.warning("%d sessions can't be handed over in time", len(late))
    pool.shutdown(wait=False, cancel_futures=True)


def _give_back_all(parts: Parts, runs: Sequence[Run]) -> None:
    for run in runs:
        try:
            _give_back(parts, run)
        except Unavailable as error:
            # Its lease runs out instead, and another worker takes it over then.
            log.warning("%s | can't be handed over: %s", run.output.source, error)
        except Exception:
            log.exception("%s | can't be handed over", run.output.source)


def _give_back(parts: Parts, run: Run) -> None:
    # A lock that is held means that its commit is being made this moment.
    if not run.lock.acquire(timeout=COMMIT_WAIT):
        return
    try:
        if run.phase not in (Phase.TURN, Phase.DETACHED):
            return
        if not settle_rooms(run, Ending.RETURN):
            return
        # What was sent and not answered goes first.
        while (commit := run.prepare(Ending.RETURN)) is not None:
            try:
                answer = parts.store.commit(commit)
            except TurnLost as error:
                run.answered(commit, error)
                return
            run.answered(commit, answer)
            if commit.ending is Ending.RETURN:
                break
        else:
            return
    finally:
        run.lock.release()
    log.info("%s | handed over, not finished", run.output.source)
    if answer.ring is not None:
        parts.ringing.ring([(run.session, answer.ring)], queue=answer.queue)
