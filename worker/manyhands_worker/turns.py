"""The bells of a worker process, and who answers them: one thread plays events while another waits for bells.

Python runs one thread at a time, so one player is enough, and the quickest; but a handler may wait or compute for long.
Then its thread is left alone with it, and another goes on with what waits.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from manyhands_worker.batch import Batch, Bell
from manyhands_worker.parts import Parts
from manyhands_worker.player import Player

log = logging.getLogger("manyhands.turns")

#: Sessions whose turns are taken with one round trip.
BATCH = 64
#: Bells waiting here from which on sessions are rung through Celery, so that other workers may take them.
MANY = 256


class Turns:
    """The bells that wait, and their players. Any thread may call its methods."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        # Guards everything below; held for a moment.
        self._lock = threading.Lock()
        self._waiting: deque[Bell] = deque()
        #: Whether a thread goes through what waits.
        self._playing = False
        #: Players whose handler is slow and not detached yet: each takes a slot.
        self._away: set[Player] = set()
        #: Whether the player waits until fewer handlers run.
        self._waits_for_room = False
        #: Sessions to be begun at once, fewer where handlers have been slow lately: they would not all find a slot.
        self._at_once = BATCH
        #: Where sessions are rung whose queue is not known. Whoever takes them there passes them on.
        self._queue = "" if "" in parts.queues else parts.queues[0]
        parts.running.lag = self._lag
        #: Called with the player that a slow handler keeps, from the watcher's thread.
        self.on_leave: Callable[[Player], None] = _nothing

    def take(self, bells: Sequence[tuple[str, int]]) -> None:
        """Take the turns of the sessions that Celery names; returns when all are over or detached."""
        if self._parts.burning.declines():
            self._parts.ringing.ring(bells, queue=self._queue)
            return
        batch = Batch(bells)
        with self._parts.running.slot():
            self.put(batch.bells)
            batch.wait()

    def put(self, bells: Iterable[Bell]) -> None:
        """Have sessions played soon, on a thread of ours."""
        if self._add(bells):
            self._parts.threads.submit(self._play)

    def play(self, bells: Sequence[Bell]) -> None:
        """Play sessions of which the caller has heard directly, on its thread, unless a player is at work, who will."""
        if self._is_behind:
            self._ring(bells)
        elif self._add(bells):
            self._play()

    def ring(self, session: str, ring: int, queue: str) -> None:
        """See to it that a session which has more mail is played, here if this process serves its queue."""
        parts = self._parts
        ours = queue in parts.queues and not parts.settings.one_task_per_event
        if ours and not self._is_behind:
            self.put([Bell(session)])
        else:
            parts.ringing.ring([(session, ring)], queue=queue)

    def is_full(self) -> bool:
        """Tell whether as many handlers are slow as may hold their turns; fewer sessions are then begun at once."""
        full = len(self._away) >= self._parts.concurrency
        if full:
            self._at_once = max(1, self._at_once // 2)
        return full

    def handed_off(self, slow: Player, heir: Player) -> None:
        """Let another thread go on with what a player leaves to its heir. Called by the watcher."""
        with self._lock:
            self._away.add(slow)
        self.on_leave(slow)
        self._parts.threads.submit(self._go_on, heir)

    def came_back(self, slow: Player) -> None:
        """Note that a slow handler has returned or was detached: its slot is free."""
        with self._lock:
            self._away.discard(slow)
            start = bool(self._waiting) and self._may_play()
        if start:
            self._parts.threads.submit(self._play)

    def _add(self, bells: Iterable[Bell]) -> bool:
        with self._lock:
            self._waiting.extend(bells)
            return self._may_play()

    def _may_play(self) -> bool:
        if self._playing or len(self._away) >= self._parts.concurrency:
            return False
        self._playing = True
        return True

    def _play(self) -> None:
        while bells := self._take():
            player = Player(self._parts, self)
            if not self._is_done(player, lambda player=player, bells=bells: player.play(bells)):  # type: ignore[misc]
                return
            self._at_once = min(BATCH, 2 * self._at_once)

    def _go_on(self, heir: Player) -> None:
        if self._is_done(heir, heir.go_on):
            self._play()

    @staticmethod
    def _is_done(player: Player, play: Callable[[], bool]) -> bool:
        """Play; tells whether the thread is free for what waits, which also a fault of ours must not keep it from."""
        try:
            return play()
        except Exception:
            log.exception("playing failed")
            return not player.give_up()

    def _take(self) -> list[Bell]:
        """Take the bells that are played next; none where the thread is free."""
        parts = self._parts
        if not parts.running.has_room:
            self._wait_for_room()
        heard = parts.listener.heard()
        with self._lock:
            self._waiting.extend(heard)
            if parts.running.stopping:
                # Others take them.
                taken, self._waiting = list(self._waiting), deque()
                self._playing = False
            elif not self._waiting or len(self._away) >= parts.concurrency:
                taken = self._take_direct()
                self._playing = False
            else:
                count = 1 if parts.settings.one_task_per_event else min(self._at_once, parts.running.room())
                return [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
        self._ring(taken)
        return []

    def _take_direct(self) -> list[Bell]:
        """Take out what Celery has not brought: other workers may have it sooner. Call with the lock held."""
        direct = [bell for bell in self._waiting if bell.batch is None]
        self._waiting = deque(bell for bell in self._waiting if bell.batch is not None)
        return direct

    def _wait_for_room(self) -> None:
        with self._lock:
            self._waits_for_room = True
            direct = self._take_direct()
        self._ring(direct)
        # Whoever waits here hears nothing.
        self._parts.listener.replace(threading.current_thread())
        self._parts.running.wait_for_room()
        self._waits_for_room = False

    @property
    def _is_behind(self) -> bool:
        """Whether other workers may be quicker than this one with what it has not begun."""
        full = len(self._away) >= self._parts.concurrency
        return full or self._waits_for_room or len(self._waiting) >= MANY or self._parts.running.stopping

    def _lag(self) -> float:
        """Give the seconds for which the next bell has waited."""
        with self._lock:
            return time.monotonic() - self._waiting[0].since if self._waiting else 0.0

    def _ring(self, bells: Sequence[Bell]) -> None:
        """Have sessions rung through Celery instead."""
        self._parts.ringing.ring([(bell.session, bell.ring) for bell in bells], queue=self._queue)
        for bell in bells:
            bell.release()


def _nothing(_: Player) -> None:
    pass
