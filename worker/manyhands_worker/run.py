"""One run: one attempt at one event, from the moment its turn was taken to its final commit."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from manyhands import codec
from manyhands.branches import Defaults
from manyhands.declared import PLAIN, Declared
from manyhands.errors import ComputedFailed, LargeMissing, NotSerialisable, TurnLost, Unavailable
from manyhands.known_fields import KnownFields
from manyhands.letters import Body
from manyhands.logs import Subject
from manyhands.mutations import Mutation
from manyhands.paths import is_public
from manyhands.references import Content
from manyhands.rooms import Session
from manyhands.state_root import StateRoot
from manyhands.store.turns import NOTHING, Commit, Committed, Ending, Refresh, Turn, Wanted
from manyhands.tracing import Span
from manyhands.types.arrow_views import shown_as_arrow
from manyhands.types.files import kept_apart
from manyhands.updates import MAX_RESULT, Outcome, encode_outcome
from manyhands.wire import Failure
from manyhands_worker.changes import Changes, encode_changes, show_size
from manyhands_worker.growth import Texts
from manyhands_worker.large_values import UPLOAD_MARK, SessionValues
from manyhands_worker.meter import OK
from manyhands_worker.output import Output, capturing
from manyhands_worker.untold import Untold

if TYPE_CHECKING:
    from manyhands_worker.room_commits import RoomsOfRun

log = logging.getLogger("manyhands.turns")

class Phase(Enum):
    """Where a run stands."""

    #: It holds its session's turn.
    TURN = auto()
    #: It runs on while the session goes on.
    DETACHED = auto()
    #: Its final commit is in, or it was given back.
    ENDED = auto()
    #: Another worker has taken it over; whatever it still does is refused.
    LOST = auto()


@dataclass(frozen=True, slots=True)
class Ended:
    """What a handler came to."""

    result: Any = None
    error: tuple[Failure, str] | None = None


class Run:
    """A run. Its handler's thread, the watcher and the flusher use it, each commit under its lock."""

    def __init__(
        self, turn: Turn, body: Body, defaults: Defaults, known: KnownFields, *,
        dev: bool, values: SessionValues, max_value: int, declared: Declared = PLAIN,
    ) -> None:  # fmt: skip
        self.turn, self.body = turn, body
        self.session, self.token = turn.session.id, turn.token
        self.root = StateRoot.over(known, defaults, self.session, declared, values.load)
        self.root.allow_mail(max_value)
        if self.root.live is not None:
            self.root.live.session = lambda: session_of(self)
            if turn.session.defaults != declared.defaults_hash:
                self.root.live.suspect_all()
        self.output = Output(Subject.of(self.session, turn.client, turn.n, body.handler))
        self.phase = Phase.TURN
        #: When its turn was taken, and when its handler had returned, by `time.monotonic`.
        self.taken = time.monotonic()
        self.returned = self.taken
        #: How its event ended, as metrics call it.
        self.outcome = OK
        #: Its handler's span, where traces are sent.
        self.span: Span | None = None
        #: When its handler began, by `time.monotonic`; None before.
        self.began: float | None = None
        #: The system's number of the thread that its handler began on.
        self.thread = 0
        #: Whether the event loop runs it.
        self.is_async = False
        #: Why its session's state can't be read, where that is so.
        self.damage = ""
        #: Stops the task of an async handler; None for a plain one.
        self.stop_task: Callable[[], object] | None = None
        #: Whether its batch no longer waits for it.
        self.released = False
        #: Whether a browser asked to cancel it.
        self.cancel_asked = False
        #: The version of the session's fields that the handler sees.
        self.version = turn.version
        #: Held while a commit is made and sent, one round trip. Guards everything below and `phase`.
        self.lock = threading.Lock()
        self._defaults, self._dev = defaults.fields, dev
        self._values, self._max_value = values, max_value
        #: What was assigned and encoded, and is in no commit yet.
        self._encoded = Changes()
        #: What the commit that is not answered yet refers to.
        self._contents: Sequence[Content] = ()
        #: The uploads that its handler was given.
        self.uploads: Sequence[bytes] = ()
        self._k, self._texts = 0, Texts(known.peek)
        self._errors: list[NotSerialisable] = []
        #: Computed values that failed before the latest commit.
        self._outdated: list[ComputedFailed] = []
        #: The rooms that the handler has named, once it has.
        self.rooms: RoomsOfRun | None = None
        #: Rooms that the session is to join, with True, and to leave; filled by the handler, taken by each commit.
        self.joined: dict[str, bool] = {}
        self.untold = Untold(dev=dev)
        #: A commit that has not been answered yet: sent again, as it was, before any other.
        self.unanswered: Commit | None = None
        #: Versions that this run's own commits made.
        self._own_versions: set[int] = set()

    @property
    def handler(self) -> str:
        """The handler's name."""
        return self.body.handler

    @property
    def posted(self) -> float | None:
        """When its event reached its gateway, by that machine's `time.time`."""
        return self.body.posted

    @property
    def traceparent(self) -> str | None:
        """To which trace its event belongs."""
        return self.body.traceparent

    @property
    def names(self) -> Mapping[str, str | int]:
        """What traces say of it."""
        turn = self.turn
        return {
            "handler": self.handler, "session": self.session, "client": turn.client, "n": turn.n,
            "attempt": turn.attempt,
        }  # fmt: skip

    @property
    def names_uploads(self) -> bool:
        """Whether its payload may name uploads."""
        return UPLOAD_MARK in self.turn.body

    def begin(self) -> None:
        """Note that the handler begins now, on this thread."""
        self.thread = threading.get_native_id()
        self.began = time.monotonic()

    def prepare(self, ending: Ending) -> Commit | None:
        """Take what was assigned as a commit; None where a partial one would say nothing. Call with the lock held."""
        if self.unanswered is not None:
            return self.unanswered
        changes = self._take(goes_on=ending in (Ending.PARTIAL, Ending.DETACH))
        if ending is Ending.PARTIAL and not changes.ops and not changes.mail and not self.joined:
            return None
        self.unanswered = self._commit(ending, changes, None, None)
        return self.unanswered

    @property
    def must_compute(self) -> bool:
        """Whether functions of the app's are called for the next commit."""
        return self.root.live is not None and self.began is not None and bool(self.root.live.outdated)

    def has_news(self) -> bool:
        """Tell whether a partial commit would say anything."""
        own = self.root.pending() or self.unanswered is not None or bool(self.joined)
        return own or (self.rooms is not None and self.rooms.has_news())

    def note_errors(self, errors: Sequence[NotSerialisable]) -> None:
        """Note assignments that were dropped; the event ends with an error."""
        self._errors += errors

    def answered(self, commit: Commit, answer: Committed | TurnLost) -> None:
        """Note the answer to a prepared commit. Call with the lock held."""
        self.unanswered, self._contents = None, ()
        if isinstance(answer, TurnLost):
            self.lose()
            return
        if commit.ops:
            self._own_versions.add(answer.version)
        # If not, others have written meanwhile, which it is still to be told.
        if answer.version == commit.version:
            self.version = max(self.version, answer.version)
        if commit.ending is Ending.DETACH:
            self.phase = Phase.DETACHED
        elif commit.ending is not Ending.PARTIAL:
            self.phase = Phase.ENDED

    def finish(
        self, ended: Ended, next_token: str | None, ahead: int = 0, near: str = "", wanted: Wanted = NOTHING
    ) -> Commit:
        """Make the final commit. Call with the lock held, and with nothing unanswered.

        `ahead`, `near` and `wanted`: see `Commit`.
        """
        changes = self._take()
        outcome = self._outcome(ended, changes.mail)
        if self.phase is Phase.DETACHED:
            next_token = None
        commit = self._commit(Ending.FINAL, changes, outcome, next_token, ahead, near, wanted)
        self.unanswered = commit
        return commit

    def lose(self) -> None:
        """Note that another worker has taken over; the handler is stopped at its next access to `state`."""
        self.phase = Phase.LOST
        self.root.give_up()
        if self.rooms is not None:
            self.rooms.lose()
        if self.stop_task:
            self.stop_task()

    def lose_unless_ended(self, counts: Callable[[], bool] = lambda: True) -> None:
        """Note that a lease was found to be another's, unless the run has ended since, or that lease does not count.

        Whoever holds the lock is committing, and will be told the same: the heart must not wait for that.
        """
        if self.lock.acquire(blocking=False):
            try:
                if self.phase in (Phase.TURN, Phase.DETACHED) and counts():
                    self.lose()
            finally:
                self.lock.release()

    def cancel(self) -> None:
        """Stop the handler, since a browser asked for it."""
        if not self.cancel_asked:
            self.cancel_asked = True
            # An async handler is stopped where it awaits, a plain one where it looks at its state.
            (self.stop_task or self.root.cancel)()
            if self.rooms is not None:
                self.rooms.interrupt()

    def refresh(self, refresh: Refresh) -> None:
        """Bring in what others have changed; what this run has assigned and not yet committed stays."""
        with self.lock:
            if self.phase is not Phase.DETACHED:
                return
            since, self.version = self.version, max(self.version, refresh.version)
            mine, self._own_versions = self._own_versions, set()
        touched = refresh.touched
        changed = (
            None
            if touched is None
            else [field for field, version in touched.items() if version > since and version not in mine]
        )
        self.root.update(refresh.fields, changed, whole=refresh.whole)

    def stow(self) -> None:
        """Encode what was assigned, and write what is large of it, while others may take over what waits behind.

        Called by the handler's thread, once the handler has returned.
        """
        with self.lock:
            if self.phase in (Phase.TURN, Phase.DETACHED) and self.unanswered is None:
                self._encode()

    def _encode(self, *, goes_on: bool = False) -> None:
        mail = self.root.take_mail()
        if self.must_compute:
            with capturing(self.output):
                mutations, self._outdated = self.root.take_settled(goes_on=goes_on)
        else:
            mutations = self.root.take(goes_on=goes_on)
        try:
            self._encoded.mail += self.root.encode_mail(mail, self._values.publish)
            if mutations:
                self._encode_mutations(mutations)
        except Unavailable:
            self.root.put_back(mutations)
            raise

    def _encode_mutations(self, mutations: Sequence[Mutation]) -> None:
        with self.showing(), kept_apart():
            changes = encode_changes(
                mutations, self._defaults,
                any_defaults=self._dev, refer=self._values.refer, max_value=self._max_value,
            )  # fmt: skip
        self._values.hold(changes.contents)
        self._encoded.add(changes)
        self.untold.note((one.path, None) for one in mutations if not is_public(one.path))

    def _take(self, *, goes_on: bool = False) -> Changes:
        self._encode(goes_on=goes_on)
        changes, self._encoded = self._encoded, Changes()
        self._errors += changes.errors
        self._contents = changes.contents
        return changes

    def hold_again(self, missing: LargeMissing) -> bool:
        """Write once more what the store has lost of the last commit; False where it is not at hand."""
        return self._values.hold_again(self._contents, missing)

    def showing(self) -> AbstractContextManager[None]:
        """Show, meanwhile, what is encoded as the browsers of its session want it."""
        return shown_as_arrow() if self.turn.arrow else nullcontext()

    def _commit(
        self,
        ending: Ending,
        changes: Changes,
        outcome: Outcome | None,
        next_token: str | None,
        ahead: int = 0,
        near: str = "",
        wanted: Wanted = NOTHING,
    ) -> Commit:
        self._k += 1
        client, n = self.turn.client, self.turn.n
        # Taken one by one, since the handler may go on and note more.
        joined = [(name, joins) for name in list(self.joined) if (joins := self.joined.pop(name, None)) is not None]
        sends = outcome is not None or changes.is_visible or bool(joined)
        update, grown = self._texts.encode_update(changes, client, n, outcome, joined) if sends else (None, None)
        self._texts.committed(changes.ops)
        return Commit(
            session=self.session,
            token=self.token,
            k=self._k,
            ending=ending,
            ops=changes.ops,
            update=update,
            grown=grown,
            client=client,
            n=n,
            outcome=encode_outcome(n, outcome) if outcome else b"",
            next_token=next_token,
            ahead=ahead,
            version=self.version + bool(changes.ops),
            about=self.turn.session,
            near=near,
            queue=self.turn.queue,
            wanted=wanted,
            joined=joined,
        )

    def _outcome(self, ended: Ended, mail: Sequence[bytes]) -> Outcome:
        error = ended.error
        result = b"\xc0"
        try:
            codec.check_value(ended.result, ("result",))
            with self.showing():
                result = codec.encode(codec.view(ended.result), ("result",))
            if len(result) > MAX_RESULT:
                kind = f"a {type(ended.result).__name__} of {show_size(len(result))}"
                raise NotSerialisable(("result",), kind, f"at most {show_size(MAX_RESULT)}; assign it to the state")
        except NotSerialisable as problem:
            text = f"what the handler returned holds {problem.kind}, which can't be sent: {problem.cure}"
            error = error or (Failure.NOT_SERIALISABLE, text)
        except Exception as problem:  # noqa: BLE001 - values of the app's classes may raise anything while encoded
            text = f"what the handler returned can't be sent: {type(problem).__name__}: {problem}"
            error = error or (Failure.NOT_SERIALISABLE, text)
        if error is None and self._errors:
            error = (Failure.NOT_SERIALISABLE, "; ".join(str(one) for one in self._errors[:5]))
        if error is None and self._outdated:
            error = self._say_outdated()
        if error:
            # What an app says may hold a lone surrogate, which can't be sent.
            error = (error[0], error[1].encode("utf-8", "backslashreplace").decode())
            self.outcome = error[0].value
        return Outcome(error is None, result if error is None else b"\xc0", error, mail)

    def _say_outdated(self) -> tuple[Failure, str]:
        for failed in self._outdated:
            log.error("%s | %s", self.output.source, failed, exc_info=failed)
        first = self._outdated[0]
        return (Failure.HANDLER_FAILED, str(first) if self._dev else f"{first.who} failed; see its worker's log")


def session_of(run: Run) -> Session:
    """Build the `session` that a handler gets."""
    session = run.turn.session
    about = {"id": session.id, "headers": dict(session.headers), "cookies": dict(session.cookies)}
    return Session(about, run.joined)
