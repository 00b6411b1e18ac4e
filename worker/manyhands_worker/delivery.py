"""Commits that are waited for: sent again until the store has answered, or the process has no more time."""

from __future__ import annotations

import logging
from collections.abc import Callable

from manyhands.errors import LargeMissing, StoreRefused, TurnLost, Unavailable
from manyhands.store.turns import Commit, Committed
from manyhands_worker.parts import Parts
from manyhands_worker.run import Run
from manyhands_worker.running import RETRY

log = logging.getLogger("manyhands.turns")



def send(parts: Parts, run: Run, make: Callable[[], Commit | None]) -> Committed | None:
    """Send a commit until it is answered; what was unanswered goes first. None: the run was given up.

    Call with the run's lock held.
    """
    while run.unanswered is not None:
        if isinstance(_deliver_of(parts, run, run.unanswered), TurnLost):
            return None
    commit = make()
    if commit is None:
        return None
    answer = _deliver_of(parts, run, commit)
    return None if isinstance(answer, TurnLost) else answer


def _deliver_of(parts: Parts, run: Run, commit: Commit) -> Committed | TurnLost:
    answer = deliver(parts, run, commit)
    run.answered(commit, answer)
    return answer


def deliver(parts: Parts, run: Run, commit: Commit) -> Committed | TurnLost:
    """Send a commit until it is answered."""
    while True:
        try:
            return parts.store.commit(commit)
        except TurnLost as error:
            return error
        except LargeMissing as error:
            if run.hold_again(error):
                continue
            # It was replaced while a handler passed it on unread. The event begins again, and sees what is there now.
            log.error("%s | can't be committed: %s", run.output.source, error)
            return TurnLost(str(error))
        except StoreRefused as error:
            # It would be refused again and again. The event begins again when the lease has run out.
            log.error("%s | can't be committed: %s", run.output.source, error)
            return TurnLost(str(error))
        except Unavailable as error:
            log.warning("%s | can't commit, trying again: %s", run.output.source, error)
            if parts.running.is_out_of_time:
                # Going down without Redis: another worker will take the event over.
                return TurnLost(str(error))
            parts.running.pause(RETRY)
