"""The state of one run as its worker sees it: what it is made of, what was assigned, what other events changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

from manyhands.branches import MISSING, Branch, Defaults, look_up_below
from manyhands.declared import PLAIN, Declared
from manyhands.errors import ComputedFailed, DamagedValue, Unavailable
from manyhands.fields import Tree, Whole
from manyhands.known_fields import KnownFields
from manyhands.mail import Outgoing, Piece
from manyhands.mutations import Mutation
from manyhands.paths import Path, decode_path
from manyhands.reactions import Live
from manyhands.state_nodes import Load, Node, Shared
from manyhands.types.files import File

#: How often outdated values are computed again, for one commit, that a running handler has made outdated meanwhile. One
#: that never pauses gets its partial updates nonetheless, with computed values that lag behind by one of them.
SETTLING_ATTEMPTS = 10
#: A mutation below a path: from there on, whether it is a deletion, its value.
Below = tuple[Path, bool, Any]


class StateRoot:
    """Owns a run's state. Its methods may be called from any thread, and go on working after a cancel."""

    def __init__(
        self, tree: Tree, session: str | None = None, declared: Declared = PLAIN, load: Load | None = None
    ) -> None:  # fmt: skip
        """Take a tree over, whose leaves may be `Stored`. `load` fetches large ones."""
        self._shared = Shared(session, load)
        self._node = Node(self._shared, tree)
        #: What the handler gets.
        self.state = declared.kind(self._node)
        self._node.handle = self.state
        self._source: tuple[KnownFields, Defaults] | None = None
        #: What follows from assignments; None where the app declares nothing of the kind.
        self.live = Live(declared.reactions, self._shared, self._node, self.state) if declared.reactions else None
        self._shared.live = self.live

    @classmethod
    def over(
        cls, known: KnownFields, defaults: Defaults, session: str | None = None, declared: Declared = PLAIN,
        load: Load | None = None,
    ) -> Self:  # fmt: skip
        """Make a state of fields that are looked up when they are read. Its lock guards what is `known` from now on."""
        root = cls(Branch(known, defaults.tree), session, declared, load)
        root._source = known, defaults
        return root

    def allow_mail(self, most: int) -> None:
        """Let the handler ask things of the page. `most`: bytes of files between two commits."""
        self._shared.mail = Outgoing(most)

    def take_mail(self) -> list[Piece]:
        """Take what the page was asked for since the last time.

        Called before `take`: so what was assigned before it was asked for goes along at the latest.
        """
        mail = self._shared.mail
        if not mail:
            return []
        with self._shared.lock:
            return mail.take()

    def encode_mail(self, taken: list[Piece], url_of: Callable[[File], str]) -> list[bytes]:
        """Encode what was taken. `url_of` publishes a file; where it raises `Unavailable`, all is as if not taken."""
        try:
            return [piece.encode(url_of) for piece in taken]
        except Unavailable:
            with self._shared.lock:
                if self._shared.mail is not None:
                    self._shared.mail.put_back(taken)
            raise

    def pending(self) -> bool:
        """Tell whether there is something to commit; waits for no access that goes on."""
        return bool(self._shared.mutations or self._shared.mail)

    def take(self, *, goes_on: bool = False) -> list[Mutation]:
        """Take what was assigned since the last time, each path once, in the order of first assignment.

        `goes_on`: the handler may still read, once this is written, what it has replaced or deleted.
        """
        with self._shared.lock:
            orphans, self._shared.orphans = self._shared.orphans, []
            for orphan in orphans if goes_on else ():
                # What can't be read any more is nowhere.
                with suppress(DamagedValue, Unavailable):
                    look_up_below(orphan)
            recorded = self._shared.mutations.below(())
            taken = [self._mutation(path, deleted) for path, deleted in recorded if not deleted or _storable(path)]
            for one in taken:
                # Encoded without the lock, it must not be looked up then. What is damaged, encoding says.
                with suppress(DamagedValue):
                    if isinstance(one.value, dict):
                        look_up_below(one.value)
            self._shared.mutations.forget()
            return taken

    def put_back(self, taken: Iterable[Mutation]) -> None:
        """Take back what could not be written: it is as if it had not been taken."""
        with self._shared.lock:
            for one in taken:
                if not self._shared.mutations.covers(one.path):
                    # Whether it is there still is seen when it is taken.
                    self._shared.mutations.record(one.path, deleted=False)

    def take_settled(self, *, goes_on: bool = False) -> tuple[list[Mutation], list[ComputedFailed]]:
        """Compute what is outdated, and take what was assigned; gives also what failed, whose old values stay.

        A handler that runs on may assign meanwhile: then what that makes outdated is computed, too.
        """
        failed: list[ComputedFailed] = []
        if self.live is not None:
            for _ in range(SETTLING_ATTEMPTS):
                failed = self.live.settle()
                with self._shared.lock:
                    if self.live.is_settled():
                        return self.take(goes_on=goes_on), failed
        return self.take(goes_on=goes_on), failed

    def refresh(self, path: Path, subtree: Any, present: bool) -> None:
        """Show what other events made of a path: a tree, which is taken over, a `Stored`, or nothing.

        What this run has assigned and not yet committed stays: at the path or above it, everything; below it, over
        what is new. Dicts that the app holds stay in their places where there still is a dict.
        """
        with self._shared.lock:
            mutations = self._shared.mutations
            if mutations.covers(path):
                return
            if self.live is not None:
                self.live.refreshed(path)
            own = [(below, deleted, self._find((*path, *below))) for below, deleted in mutations.below(path)]
            subtree = _overlay(subtree if present else MISSING, own)
            if path:
                self._place(path, subtree)
            else:
                self._node.rebase({} if subtree is MISSING else subtree)

    def update(self, fields: Mapping[bytes, bytes], paths: Sequence[bytes] | None, *, whole: bool) -> None:
        """Show what other events have changed: at these encoded paths, or anywhere where they are None.

        `fields`: what lies there and above, or, if it is `whole`, all that the session has.
        """
        with self._shared.lock:
            assert self._source is not None, "a state of plain dicts has no fields that could change"
            known, defaults = self._source
            if paths is None:
                if whole:
                    known.replace(fields, whole=True)
                else:
                    known.ask_again()
                self.refresh((), Branch(known, defaults.tree), True)
                return
            known.update(fields, paths, whole=whole)
            fresh = Branch(known, defaults.tree)
            for path in map(decode_path, paths):
                value: Any = fresh
                for name in path:
                    value = value.get(name, MISSING) if isinstance(value, dict) else MISSING
                self.refresh(path, value, value is not MISSING)

    def look(self) -> None:
        """Raise `Cancelled` where an access of the app's would."""
        with self._shared:
            pass

    def cancel(self) -> None:
        """Let the app's next access raise `Cancelled`. Whoever calls it waits for no access that goes on."""
        self._shared.cancelled = True

    def give_up(self) -> None:
        """Let every access of the app's raise `Cancelled` from now on, since nothing it assigns will be written.

        Whoever calls it waits for no access that goes on: the heart has other leases to renew.
        """
        self._shared.given_up = True

    def snapshot_value(self, path: Path) -> Any:
        """Look a value up, also in lists by index; None where nothing is. Dicts come as plain ones."""
        with self._shared.lock:
            found: Any = self._node
            for name in path:
                found = _item(found, name)
            return found.plain() if isinstance(found, Node) else found

    def _mutation(self, path: Path, deleted: bool) -> Mutation:
        value = MISSING if deleted else self._find(path)
        # The app may have emptied, in place, a dict that it had assigned: then nothing is there any more.
        return Mutation(path, True) if value is MISSING else Mutation(path, False, value)

    def _find(self, path: Path) -> Any:
        value: Any = self._node.data
        for name in path:
            value = value.get(name, MISSING) if isinstance(value, dict) else MISSING
        return value

    def _place(self, path: Path, subtree: Any) -> None:
        node = self._node
        for name in path[:-1]:
            value = node.data.get(name)
            if not isinstance(value, dict):
                if subtree is MISSING:
                    return
                value = {}
                node.put(name, value)
            node = node.child(name, value).make_ours()
        node.replace(path[-1], subtree)


def _overlay(subtree: Any, own: Iterable[Below]) -> Any:
    for path, deleted, value in own:
        if deleted or value is MISSING:
            _remove(subtree, path)
            continue
        if not isinstance(subtree, dict):
            subtree = {}
        node = subtree
        for name in path[:-1]:
            below = node.get(name)
            if not isinstance(below, dict):
                below = node[name] = {}
            node = below
        node[path[-1]] = value
    return subtree


def _remove(subtree: Any, path: Path) -> None:
    for name in path[:-1]:
        subtree = subtree.get(name) if isinstance(subtree, dict) else None
    if isinstance(subtree, dict):
        subtree.pop(path[-1], None)


def _item(found: Any, name: str) -> Any:
    if isinstance(found, Node):
        found = found.read(name)
    elif isinstance(found, dict):
        found = found.get(name)
    elif isinstance(found, (list, tuple)) and name.isdecimal():
        found = found[int(name)] if int(name) < len(found) else None
    else:
        found = None
    if type(found) is Whole:
        return found.content
    return None if found is MISSING else found


def _storable(path: Path) -> bool:
    # A key with a lone surrogate was never stored, so there is nothing to delete.
    try:
        "".join(path).encode()
    except UnicodeEncodeError:
        return False
    return True
