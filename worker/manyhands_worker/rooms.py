"""One room of one run: how the run gets it, what the handler sees of it, what of it is committed."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from manyhands import keys
from manyhands.branches import Defaults
from manyhands.errors import LargeMissing, NotSerialisable, RoomMisused, StoreRefused, Unavailable
from manyhands.references import Content
from manyhands.state_nodes import Node
from manyhands.state_root import StateRoot
from manyhands.store.rooms import RoomAnswer, RoomCommit, RoomCommitted, RoomHeld, RoomTake, RoomTaken, event_of
from manyhands.store.turns import Ending, Refresh
from manyhands.types.files import kept_apart
from manyhands.updates import encode_room_update
from manyhands_worker.changes import Changes, encode_changes
from manyhands_worker.running import RETRY

if TYPE_CHECKING:
    from manyhands_worker.parts import Parts
    from manyhands_worker.run import Run

log = logging.getLogger("manyhands.rooms")

NO_DEFAULTS = Defaults.of({})


class RoomOfRun:
    """A room that a run's handler has named. Everything that commits is called with the run's lock held."""

    def __init__(self, parts: Parts, run: Run, name: str, defaults: Mapping[str, Any] | None) -> None:
        self._parts, self._run, self.name = parts, run, name
        self.id = keys.room(name)
        event = event_of(run.session, run.turn.client, run.turn.n)
        self._take = RoomTake(self.id, run.token, event, wanted=parts.reading.wanted_of(self.id))
        #: What is to be assigned where the room has nothing.
        self._defaults = dict(defaults or {})
        #: None until the run has the room.
        self.root: StateRoot | None = None
        #: Whether its lease is the run's, and since when it was, by `time.monotonic`.
        self.is_held, self.since = False, 0.0
        #: Whether the run will commit to it no more.
        self.has_ended = False
        #: The version of the room's fields that the handler sees.
        self.version = 0
        # Held by the one thread of the handler's that takes the room, as long as that lasts.
        self._taking_it = threading.Lock()
        # Held while the store is asked once, and while the room is given up: of several tasks of a handler that want
        # the room one gets it for all, and none gives up what another one gets.
        self._asking = threading.Lock()
        self._is_repeat = False
        self._k = 0
        #: Whether this run has written to it.
        self._wrote = False
        #: A commit that has not been answered yet: sent again, as it was, before any other.
        self.unanswered: RoomCommit | None = None
        self._values = parts.large.of(self.id)
        #: The large values that the unanswered commit refers to.
        self._contents: Sequence[Content] = ()
        #: Versions that this run's own commits made.
        self._own_versions: set[int] = set()

    @property
    def is_open(self) -> bool:
        """Whether the handler has it, and has not ended."""
        return self.root is not None and not self.has_ended

    @property
    def is_waited_for(self) -> bool:
        """Whether a thread waits until the run has it."""
        return self._taking_it.locked()

    # --- for the handler ---

    def node(self) -> Node:
        """Give the top of its state; waits until the run has the room, where it has not. Raises `Cancelled`."""
        self._run.root.look()
        if self.root is None:
            self._wait()
        assert self.root is not None
        self._assign_defaults(self.root)
        return self.root.state._node

    async def open(self) -> None:
        """Wait until the run has the room, without holding up others on the event loop."""
        if self.root is not None:
            self._assign_defaults(self.root)
            return
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        steps = self._steps(lambda: None)
        step: asyncio.Future[float | None] | None = None
        with self._parts.lines.waiting(self._run.token, lambda: loop.call_soon_threadsafe(woken.set)):
            try:
                while True:
                    woken.clear()
                    step = loop.run_in_executor(self._parts.threads, next, steps, None)
                    # The thread goes on whatever becomes of this task, and may get the room.
                    seconds = await asyncio.shield(step)
                    if seconds is None:
                        return
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(woken.wait(), seconds)
            except BaseException:
                if step is not None:
                    step.add_done_callback(lambda _: self._parts.threads.submit(self.leave))
                raise

    def use_defaults(self, defaults: Mapping[str, Any] | None) -> None:
        """Assign, once the run has the room, what it has nothing of."""
        self._defaults = {**self._defaults, **(defaults or {})}

    def _assign_defaults(self, root: StateRoot) -> None:
        if self._defaults:
            defaults, self._defaults = self._defaults, {}
            for name, value in defaults.items():
                if name not in root.state:
                    # The app's own is to stay as it is, whatever becomes of the room.
                    root.state[name] = copy.deepcopy(value)

    def _wait(self) -> None:
        woken = threading.Event()
        with self._taking_it, self._parts.lines.waiting(self._run.token, woken.set):
            try:
                for seconds in self._steps(woken.clear):
                    woken.wait(seconds)
            except BaseException:
                self.leave()
                raise

    def _steps(self, about_to_ask: Callable[[], None]) -> Iterator[float]:
        """Ask for the room until the run has it; gives after each try for how long to wait for a word."""
        lines, running = self._parts.lines, self._parts.running
        while self.root is None:
            about_to_ask()
            self._run.root.look()
            try:
                held = self._ask()
            except StoreRefused:
                raise
            except Unavailable as error:
                log.warning("%s | waiting for the room %s: %s", self._run.output.source, self.name, error)
                if running.is_out_of_time:
                    raise
                with self._parts.waits.waiting():
                    running.pause(RETRY)
                continue
            if held is None:
                return
            if lines.channel:
                yield held.seconds
                continue
            lines.listen()
            if not lines.channel:
                yield min(held.seconds, RETRY)

    def _ask(self) -> RoomHeld | None:
        """Ask for the room once; None where the run has it."""
        with self._asking:
            if self.root is not None:
                return None
            # The channel that it stands in line by stays the same, also while nobody hears it: it is part of the entry.
            self._take = replace(self._take, channel=self._parts.lines.channel or self._take.channel)
            # Only what Redis itself takes: a room that others have is waited for in the handler's own time.
            with self._parts.waits.waiting():
                answer = self._parts.store.rooms.take(self._take)
            if isinstance(answer, RoomHeld):
                return answer
            self._begin(answer)
            return None

    def _begin(self, taken: RoomTaken) -> None:
        known = self._parts.reading.of_room(self.id, taken.fields, whole=taken.whole, wanted=self._take.wanted)
        # Over no defaults: a room has those that handlers give.
        root = StateRoot.over(known, NO_DEFAULTS, self.id, load=self._values.load)
        # Before the watcher sees the room, which may give it up at any time: others may then have written there.
        self._assign_defaults(root)
        self.version, self._is_repeat = taken.version, taken.is_repeat
        self.is_held, self.since = True, time.monotonic()
        self.root = root
        if self._run.rooms is None or self._run.rooms.closed:
            # The run's last commit may have been made without it.
            self.root = None
            raise RoomMisused(f"the room {self.name!r} was asked for by a handler that has ended")

    def leave(self) -> None:
        """Stand in line no more; where the run has got the room already, its commit gives it up."""
        with self._asking:
            if self.root is None:
                self.give_up()
        # Another task of the handler's may want it still, and stood in line by the same entry.
        self._parts.lines.wake(self._run.token)

    def give_up(self) -> None:
        """Let others have the room, without a commit."""
        try:
            self._parts.store.rooms.leave(self._take)
        except Unavailable as error:
            log.warning("%s | the room %s is free when its lease ends: %s", self._run.output.source, self.name, error)

    # --- for commits ---

    def has_news(self, longest: float) -> bool:
        """Tell whether there is something to commit, or it was held for so many seconds."""
        if self.root is None or self.has_ended:
            return False
        return self.root.pending() or self.unanswered is not None or self._is_overdue(longest)

    def prepare(self, ending: Ending, longest: float = 0.0) -> RoomCommit | None:
        """Take what was assigned as a commit; None where it would say nothing.

        `longest`: seconds for which a room is not given up that the run has not had for so long, unless the run ends.
        """
        if self.unanswered is not None:
            return self.unanswered
        if ending is Ending.DETACH and not (self.is_held and self._is_overdue(longest)):
            ending = Ending.PARTIAL
        changes = self._changes(goes_on=ending in (Ending.PARTIAL, Ending.DETACH))
        if ending is Ending.PARTIAL and not changes.ops:
            return None
        self._k += 1
        self._wrote = self._wrote or bool(changes.ops)
        self.unanswered = RoomCommit(
            room=self.id,
            token=self._run.token,
            k=self._k,
            ending=ending,
            event=self._take.event if self._wrote else "",
            ops=changes.ops,
            update=encode_room_update(self.name, changes.set_views, changes.unset) if changes.is_visible else None,
        )
        return self.unanswered

    def prepare_between(self, longest: float) -> RoomCommit | None:
        """Take what a detached run has assigned. One that got the room after it was detached keeps it for a while."""
        if self.unanswered is None and self.is_held and not self._is_overdue(longest):
            return None
        return self.prepare(Ending.DETACH)

    def answered(self, commit: RoomCommit, answer: RoomAnswer) -> bool:
        """Note the answer to a prepared commit; False where the room was given up, and so is the run."""
        if isinstance(answer, LargeMissing) and self._values.hold_again(self._contents, answer):
            # It is sent again, as it was.
            return True
        self.unanswered, self._contents = None, ()
        if not isinstance(answer, RoomCommitted):
            self.has_ended = True
            return False
        if commit.ops:
            self._own_versions.add(answer.version)
        # If not, others have written beside it, which it is still to be told.
        if answer.version == self.version + bool(commit.ops):
            self.version = answer.version
        if commit.ending is Ending.DETACH:
            self.is_held = False
        elif commit.ending is not Ending.PARTIAL:
            self.is_held, self.has_ended = False, True
        return True

    def refresh(self, refresh: Refresh) -> None:
        """Bring in what others have changed; what this run has assigned and not yet committed stays."""
        if self.root is None:
            return
        since, self.version = self.version, max(self.version, refresh.version)
        mine, self._own_versions = self._own_versions, set()
        changed = None
        if refresh.touched is not None:
            changed = [field for field, version in refresh.touched.items() if version > since and version not in mine]
        self.root.update(refresh.fields, changed, whole=refresh.whole)

    def _is_overdue(self, longest: float) -> bool:
        return self.is_held and time.monotonic() - self.since >= longest

    def _changes(self, *, goes_on: bool) -> Changes:
        assert self.root is not None
        taken = self.root.take(goes_on=goes_on)
        with self._run.showing(), kept_apart():
            changes = encode_changes(
                taken, {}, any_defaults=False,
                refer=self._values.refer, max_value=self._parts.settings.max_value,
            )  # fmt: skip
        if not self._is_repeat:
            try:
                self._values.hold(changes.contents)
            except Unavailable:
                self.root.put_back(taken)
                raise
        self._run.note_errors(
            [NotSerialisable((f"@{self.name}", *one.path), one.kind, one.cure) for one in changes.errors]
        )
        if self._is_repeat:
            # Another run of the same event has written already what this one writes again.
            return Changes()
        self._contents = changes.contents
        views = dict(changes.set_views)
        self._run.untold.note(((f"@{self.name}", *one.path), views.get(one.path)) for one in taken)
        return changes
