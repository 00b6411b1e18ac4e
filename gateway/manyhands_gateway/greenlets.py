"""The greenlets that a gateway can't do without: one that fails says so in the log and is run again."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent

log = logging.getLogger(__name__)

#: Seconds before a loop that failed is run again, so that a lasting fault does not fill the log.
PAUSE = 1.0


def spawn_forever(loop: Callable[[], object]) -> gevent.Greenlet:
    """Run a loop that never returns, until the greenlet is killed."""
    return gevent.spawn(_run_again, loop)


def _run_again(loop: Callable[[], object]) -> None:
    while True:
        try:
            loop()
        except Exception:
            # Without this loop the process would go on, deaf or dumb, and nobody would know.
            log.exception("%s failed; it is run again in %g s", getattr(loop, "__qualname__", loop), PAUSE)
        gevent.sleep(PAUSE)
