"""Going down in order: running turns finish, detached handlers get some seconds, the rest is handed over at once."""

from __future__ import annotations

import logging
import time

from manyhands.errors import TurnLost, Unavailable
from manyhands.store.contract import Ending
from manyhands_worker.parts import Parts
from manyhands_worker.run import Phase, Run

log = logging.getLogger("manyhands.worker")

#: Seconds that detached handlers get to finish after SIGTERM. With what follows the process is gone within 25 s.
DETACHED_GRACE = 15.0


def drain(parts: Parts, since: float) -> None:
    """Wait for what runs, then give the rest back to its sessions' mailboxes. `since`: by `time.monotonic`."""
    left = max(0.0, DETACHED_GRACE - (time.monotonic() - since))
    if parts.running.wait_until_idle(left):
        return
    for run in parts.running.runs():
        try:
            _give_back(parts, run)
        except Unavailable as error:
            # Its lease runs out instead, and another worker takes it over then.
            log.warning("%s | can't be handed over: %s", run.output.source, error)


def _give_back(parts: Parts, run: Run) -> None:
    # A lock that is held means that its commit is being made this moment.
    with run.lock:
        if run.phase not in (Phase.TURN, Phase.DETACHED):
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
    log.info("%s | handed over, not finished", run.output.source)
    if answer.ring is not None:
        parts.ringing.ring([(run.session, answer.ring)])
