"""Celery's part of a worker process: it takes doorbells from the queue and gives each to `Turns.take`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import celery.worker.state
from celery import bootsteps
from celery.concurrency.thread import TaskPool
from celery.worker.request import Request
from kombu.asynchronous import get_event_loop

from manyhands.broker import TAKE_TURNS, is_redis, make_celery
from manyhands_worker.parts import Parts
from manyhands_worker.turns import Turns

log = logging.getLogger("manyhands.worker")

#: Seconds after which a turn is detached while the process goes down, so that Celery's part of it ends in time.
TURN_LIMIT_AT_STOP = 5.0


class UnacknowledgedRequest(Request):  # type: ignore[misc]
    """A task that is never acknowledged: a doorbell may be lost, and Redis no longer has a message that was taken,
    but kombu would still send a transaction for each acknowledgement."""

    def acknowledge(self) -> None:
        """Mark it; nothing is sent."""
        self.acknowledged = True


class WakingPool(TaskPool):  # type: ignore[misc]
    """Celery's pool of threads, which wakes Celery's loop when a slot becomes free.

    With prefetching disabled the loop stops asking for messages while all slots are taken, and would look again only
    when something else wakes it, up to a second later.
    """

    def on_apply(self, *arguments: Any, **named: Any) -> Any:
        """Run a task on a thread."""
        applied = super().on_apply(*arguments, **named)
        applied.f.add_done_callback(_wake_loop)
        return applied


def _wake_loop(_: object = None) -> None:
    loop: Any = get_event_loop()
    if loop is not None:
        loop.call_soon(_nothing)


def _nothing() -> None:
    pass


def make_consumer(parts: Parts, concurrency: int) -> Any:
    """Make Celery's worker; its `start` returns after `stop_consuming`."""
    app: Any = make_celery(parts.settings, parts.app.version, parts.queues)
    request = UnacknowledgedRequest if is_redis(parts.settings) else Request
    turns = Turns(parts)
    turns.on_leave = lambda player: parts.listener.replace(player.thread)
    if not parts.settings.one_task_per_event:
        parts.listener.start(turns.play)

    @app.task(name=TAKE_TURNS, Request=request, ignore_result=True)  # type: ignore[untyped-decorator]
    def take_turns(bells: list[tuple[str, int]]) -> None:
        turns.take([(session, ring) for session, ring in bells])

    app.steps["consumer"].add(_make_step(parts))
    parts.burning.on_calm = _wake_loop
    # A broker that goes away while Celery's workers greet one another (mingle) would end this one for good.
    quiet = dict.fromkeys(("without_heartbeat", "without_mingle", "without_gossip"), True)
    return app.WorkController(pool=WakingPool, concurrency=concurrency, loglevel="WARNING", **quiet)


def _make_step(parts: Parts) -> type[Any]:
    class Consuming(bootsteps.StartStopStep):  # type: ignore[misc]
        """Notes from when to when doorbells are taken, since without a broker an idle worker says nothing of lost ones;
        and takes none while this process computes and others have time."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: Any) -> None:
            parts.running.consuming(True)
            if is_redis(parts.settings):
                leave_to_others(parent.task_consumer.channel, lambda: parts.burning.holds)

        def stop(self, parent: Any) -> None:
            parts.running.consuming(False)

    return Consuming


def leave_to_others(channel: Any, holds: Callable[[], bool]) -> None:
    """Let a channel of kombu's ask a Redis for no messages while `holds` says so.

    The answer to what it has asked for before is read all the same. Redis hands a doorbell to whoever has asked first,
    and left unread it would be nobody's until a reaper rings again.
    """
    may_consume = channel.qos.can_consume
    # As Celery does for `worker_disable_prefetch`. Kombu looks before it asks, and again before it reads the answer;
    # `_in_poll` is true between the two.
    channel.qos.can_consume = lambda: may_consume() and (bool(channel._in_poll) or not holds())


def stop_consuming(parts: Parts) -> None:
    """Take no more doorbells; those at hand are finished. Called by the signal handler."""
    parts.running.stop()
    parts.listener.pause()
    parts.watcher.hurry(TURN_LIMIT_AT_STOP)
    log.info("going down: no new turns, running handlers may finish")
    # What Celery's own handler of SIGTERM sets: finish the tasks at hand, then let `start` return.
    celery.worker.state.should_stop = 0
