"""The rooms of a run, and their commits: each before the commit of the run's session, so that none is lost with it.

A room's commit that is in is remembered by the room, with the event. Should the worker die before the session's, the
event is run again, and what that run assigns in the room is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextvars import Token
from typing import TYPE_CHECKING, Any

from manyhands.errors import DamagedValue, RoomMisused, StoreRefused, Unavailable
from manyhands.rooms import Rooms, current_rooms
from manyhands.store.contract import Store
from manyhands.store.rooms import RoomAnswer, RoomCommit
from manyhands.store.turns import Ending
from manyhands_worker.rooms import RoomOfRun
from manyhands_worker.run import Phase, Run
from manyhands_worker.running import RETRY

if TYPE_CHECKING:
    from manyhands_worker.parts import Parts

log = logging.getLogger("manyhands.rooms")


class RoomsOfRun:
    """The rooms that a run's handler has named."""

    def __init__(self, parts: Parts, run: Run) -> None:
        self._parts, self._run = parts, run
        self._rooms: dict[str, RoomOfRun] = {}
        #: Whether the run has made its last commit.
        self.closed = False

    def room(self, name: str, defaults: Mapping[str, Any] | None) -> RoomOfRun:
        """Give a room, which may still have to be opened. Raises `RoomMisused`."""
        if self.closed:
            raise RoomMisused(f"mh.shared({name!r}) was called by a handler that has ended")
        found = self._rooms.get(name)
        if found is None:
            self._check_order(name)
            found = self._rooms.setdefault(name, RoomOfRun(self._parts, self._run, name, defaults))
        elif defaults:
            found.use_defaults(defaults)
        return found

    def _check_order(self, name: str) -> None:
        later = [one for one in self._rooms if one > name]
        if later:
            raise RoomMisused(
                f"mh.shared({name!r}) was called after mh.shared({later[0]!r}): a handler takes its rooms in the order "
                f"of their names, or two could wait for each other; call mh.shared({name!r}) before"
            )

    @property
    def open(self) -> list[RoomOfRun]:
        """Those that the run may still commit to."""
        return [room for room in list(self._rooms.values()) if room.is_open]

    def has_news(self) -> bool:
        """Tell whether a flush would do anything."""
        return any(room.has_news(self._parts.settings.turn_limit) for room in self.open)

    def interrupt(self) -> None:
        """Let the handler, where it waits for a room, find out that it is cancelled or lost."""
        if self._run.stop_task is not None and any(room.is_waited_for for room in list(self._rooms.values())):
            # Of an async handler the task can't be cancelled while it holds up the event loop. A plain one was told
            # already, and is to be told once.
            self._run.root.cancel()
        self._parts.lines.wake(self._run.token)

    def lose(self) -> None:
        """Stop the handler at its next access to a room: nothing that it assigns will be written."""
        for room in self.open:
            if room.root is not None:
                room.root.give_up()
        self.interrupt()

    def settle(self, ending: Ending) -> bool:
        """Commit to all rooms, and wait for it; False where the run has been given up. Call with its lock held."""
        if self._run.phase not in (Phase.TURN, Phase.DETACHED):
            self._give_up()
            return False
        unanswered = [(room, room.unanswered) for room in self.open if room.unanswered is not None]
        if not self._deliver(unanswered):
            return False
        # One that the run has only just got, since it has waited in line, it keeps: what it reads there it is to write.
        longest = self._parts.settings.turn_limit / 2
        prepared = [(room, commit) for room in self.open if (commit := room.prepare(ending, longest)) is not None]
        self.closed = self.closed or ending in (Ending.FINAL, Ending.RETURN)
        return self._deliver(prepared)

    def prepare_between(self) -> list[tuple[RoomOfRun, RoomCommit]]:
        """Take what a detached run has assigned. Call with its lock held."""
        limit = self._parts.settings.turn_limit
        return [(room, commit) for room in self.open if (commit := room.prepare_between(limit)) is not None]

    def _deliver(self, prepared: Sequence[tuple[RoomOfRun, RoomCommit]]) -> bool:
        while prepared:
            try:
                answers = self._parts.store.rooms.commit_all([commit for _, commit in prepared])
            except StoreRefused as error:
                # It would be refused again and again. The event begins again when its lease has run out.
                log.error("%s | can't be committed to its rooms: %s", self._run.output.source, error)
                break
            except Unavailable as error:
                log.warning("%s | can't commit to its rooms, trying again: %s", self._run.output.source, error)
                if self._parts.running.is_out_of_time:
                    break
                self._parts.running.pause(RETRY)
            else:
                if not _note_answers(self._run, prepared, answers):
                    return False
                prepared = [(room, commit) for room, commit in prepared if room.unanswered is commit]
        else:
            return True
        self._run.lose()
        return False

    def _give_up(self) -> None:
        self.closed = True
        for room in self.open:
            room.give_up()


class rooms_of:  # noqa: N801 - a context manager, and as a class a third as costly as from a generator
    """Let `mh.shared` know, in this context and in tasks that are created in it, which run's handler runs."""

    __slots__ = ("_parts", "_run", "_token")

    def __init__(self, parts: Parts, run: Run) -> None:
        self._parts, self._run = parts, run

    def room(self, name: str, defaults: Mapping[str, Any] | None) -> RoomOfRun:
        """Give a room; the first one makes the run one that has rooms."""
        rooms = self._run.rooms
        if rooms is None:
            rooms = self._run.rooms = RoomsOfRun(self._parts, self._run)
        return rooms.room(name, defaults)

    def __enter__(self) -> None:
        self._token: Token[Rooms | None] = current_rooms.set(self)

    def __exit__(self, *_: object) -> None:
        current_rooms.reset(self._token)


def settle_rooms(run: Run, ending: Ending) -> bool:
    """Commit to the rooms of a run, if it has any; False where it has been given up. Call with its lock held."""
    return run.rooms is None or run.rooms.settle(ending)


def flush_rooms(store: Store, runs: Iterable[Run]) -> None:
    """Commit what detached runs have assigned in rooms. Call with their locks held. Raises `Unavailable`."""
    prepared = [(run, pair) for run in runs for pair in _prepare_between(run)]
    if prepared:
        answers = store.rooms.commit_all([commit for _, (_, commit) in prepared])
        for (run, pair), answer in zip(prepared, answers, strict=True):
            _note_answers(run, [pair], [answer])


def _prepare_between(run: Run) -> list[tuple[RoomOfRun, RoomCommit]]:
    if run.rooms is None or run.phase is not Phase.DETACHED:
        return []
    try:
        return run.rooms.prepare_between()
    except StoreRefused as error:
        # It would be refused again and again, and hold up the updates of all others.
        log.error("%s | can't be committed to its rooms: %s", run.output.source, error)
        run.lose()
        return []


def refresh_rooms(store: Store, runs: Iterable[Run]) -> None:
    """Bring what others have changed into the rooms of detached runs. Raises `Unavailable`."""
    beside = [
        (run, room) for run in runs if run.rooms is not None and run.phase is Phase.DETACHED
        for room in run.rooms.open if not room.is_held
    ]  # fmt: skip
    if beside:
        for (run, room), answer in zip(
            beside, store.refresh_all([(room.id, room.version) for _, room in beside]), strict=True
        ):
            if answer is None:
                continue
            try:
                with run.lock:
                    room.refresh(answer)
            except DamagedValue as error:
                log.error("%s | can't be shown what others changed: %s", run.output.source, error)


def renew_rooms(store: Store, runs: Iterable[Run]) -> None:
    """Renew the leases of the rooms of runs; those that were given up lose their runs. Raises `Unavailable`."""
    leases = [(run, room) for run in runs if run.rooms is not None for room in run.rooms.open]
    if leases:
        held = store.rooms.renew([(room.id, run.token) for run, room in leases])
        for (run, room), still_held in zip(leases, held, strict=True):
            if not still_held:
                _lose_with(run, room)


def _lose_with(run: Run, room: RoomOfRun) -> None:
    run.lose_unless_ended(lambda: room.is_open)


def _note_answers(
    run: Run, prepared: Sequence[tuple[RoomOfRun, RoomCommit]], answers: Sequence[RoomAnswer]
) -> bool:
    went_through = [room.answered(commit, answer) for (room, commit), answer in zip(prepared, answers, strict=True)]
    if not all(went_through):
        log.warning("%s | a room that it had was given up; so is the run", run.output.source)
        run.lose()
    return all(went_through)
