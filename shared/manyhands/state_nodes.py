"""The dicts behind a `State`: reading decodes, writing records, and a node knows whether it still has its place.

A node stands for one dict of the state that an app has looked at. It is *attached* as long as every node above it
still holds it and backs it with the same dict; an assignment over it makes it an orphan, which goes on working as a
plain dict and records nothing. That is found out at each write by walking up, so that nothing needs to be told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from manyhands import codec
from manyhands.branches import MISSING, Branch
from manyhands.errors import Cancelled, DamagedValue, KeyNotString
from manyhands.fields import Stored, Whole
from manyhands.mail import Outgoing
from manyhands.mutations import Mutations
from manyhands.paths import Path
from manyhands.references import Reference, is_reference, read_reference
from manyhands.state_values import Handle, check_keys, copied

if TYPE_CHECKING:
    from manyhands.reactions import Live

#: Gives the content that a reference stands for. Raises `DamagedValue`.
Load = Callable[[Reference], bytes]


class Shared:
    """What all nodes of one run's state share. As a context, it is one access of the app's."""

    __slots__ = (
        "_undisturbed", "cancelled", "given_up", "live", "load", "lock", "mail", "mutations", "orphans", "session",
    )  # fmt: skip

    def __init__(self, session: str | None, load: Load | None = None) -> None:
        #: Fetches what a large leaf refers to.
        self.load = load
        #: Guards the nodes, the dicts behind them and `mutations`: the handler's thread uses them while the worker's
        #: flusher takes mutations and refreshes. Held for one operation at a time, never while a value is encoded.
        self.lock = threading.RLock()
        self.mutations = Mutations()
        #: Dicts that the app has looked at, and then replaced or deleted, since mutations were taken.
        self.orphans: list[dict[str, Any]] = []
        #: What the page is asked for; None where no page listens.
        self.mail: Outgoing | None = None
        self.session = session
        #: The next access raises `Cancelled`; those after it work, so that the handler can clean up.
        self.cancelled = False
        #: Every access raises: whatever the handler still assigned would be refused.
        self.given_up = False
        #: What happens when something is assigned; None where the app declares nothing of the kind.
        self.live: Live | None = None
        #: The thread that computes for a commit: a cancel is not meant for it.
        self._undisturbed: int | None = None

    def __enter__(self) -> None:
        self.lock.acquire()
        if (self.cancelled or self.given_up) and self._undisturbed != threading.get_ident():
            self.cancelled = False
            self.lock.release()
            raise Cancelled("another worker has taken this event over" if self.given_up else "a browser cancelled it")

    def __exit__(self, _kind: object = None, error: object = None, _trace: object = None) -> None:
        self.lock.release()
        if type(error) is DamagedValue and error.session is None:
            # A field that was looked up knows nothing of its session.
            raise DamagedValue(error.reason, error.path, self.session) from error

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Let this thread read and write whatever was cancelled. One commit at a time is made, so one thread does."""
        self._undisturbed = threading.get_ident()
        try:
            yield
        finally:
            self._undisturbed = None

    def decode(self, value: Stored, path: Path) -> Any:
        """Decode a leaf. Raises `DamagedValue`, which names the session and the path."""
        try:
            fetched = self.load(read_reference(value)) if self.load and is_reference(value) else value
            decoded = codec.decode(fetched)
            # Dicts that are no single values are stored as a field per leaf.
            return Whole(decoded) if type(decoded) is dict else decoded
        except DamagedValue as error:
            raise DamagedValue(error.reason, path, self.session) from error


class Node:
    """One dict of the state. Every method but `prepare` expects the lock to be held."""

    __slots__ = ("below", "data", "handle", "name", "ours", "parent", "shared")

    def __init__(self, shared: Shared, data: dict[str, Any], parent: Node | None = None, name: str = "") -> None:
        self.shared, self.data, self.parent, self.name = shared, data, parent, name
        #: The nodes of the dicts in `data` that were looked at. Some may be stale: see `child`.
        self.below: dict[str, Node] = {}
        self.handle: Handle | None = None
        #: `data` is certainly no dict of the app's, so that other events' changes may be written into it.
        self.ours = parent is None or type(data) is Branch

    @property
    def path(self) -> Path:
        """Where it lies, or lay."""
        return (*self.parent.path, self.name) if self.parent else ()

    def read(self, name: str) -> Any:
        """Give a value, decoded and then kept; a `Node` for a dict; `MISSING` where nothing is."""
        value = self.data.get(name, MISSING)
        if type(value) is Stored:
            value = self.data[name] = self.shared.decode(value, (*self.path, name))
        elif isinstance(value, dict):
            return self.child(name, value)
        return value

    def child(self, name: str, data: dict[str, Any]) -> Node:
        """Give the node of a dict in `data`, the same as long as the dict is."""
        node = self.below.get(name)
        # The app may have changed the dict that it assigned, so a node may be stale.
        if node is None or node.data is not data:
            node = self.below[name] = Node(self.shared, data, self, name)
        return node

    def prepare(self, name: str, value: Any) -> Any:
        """Give what is to be written for a value. Called without the lock: a dict may be large, or another session's.

        Raises `KeyNotString`.
        """
        with self.shared.lock:
            if self._holds(name, value):
                return value
        # A plain dict is kept, so that what is changed in it before the commit is taken with it. A State, alone or in
        # a dict, is copied: two paths that shared a dict could not tell whose a mutation is.
        if isinstance(value, Handle) or (isinstance(value, Mapping) and not check_keys(value, (*self.path, name))):
            return copied(value, self.shared)
        return value

    def write(self, name: str, value: Any) -> None:
        """Assign what was prepared, and record it where this node is attached."""
        path = self.attached_path()
        if not self._holds(name, value):
            self.put(name, copied(value, self.shared) if isinstance(value, Handle) else value)
        if path is not None:
            self.shared.mutations.record((*path, name), deleted=False)

    def delete(self, name: str) -> None:
        """Delete, and record it where this node is attached. Raises `KeyError`."""
        del self.data[name]
        self._orphan(name)
        path = self.attached_path()
        if path is not None:
            self.shared.mutations.record((*path, name), deleted=True)

    def put(self, name: str, value: Any) -> None:
        """Place a value without recording it."""
        self.data[name] = value
        node = self.below.get(name)
        if node is not None and node.data is not value:
            self._orphan(name)

    def replace(self, name: str, value: Any) -> None:
        """Place what another event made of a name: a dict of ours, a leaf, or nothing when it is `MISSING`."""
        node = self.below.get(name)
        if value is MISSING:
            self.data.pop(name, None)
        else:
            self.data[name] = value
        if node is not None and isinstance(value, dict):
            node.rebase(value)
        else:
            self.below.pop(name, None)

    def rebase(self, data: dict[str, Any]) -> None:
        """Stand for another dict of ours from now on, and so on below, so that what the app holds stays attached."""
        self.data, self.ours = data, True
        for name, node in list(self.below.items()):
            value = data.get(name)
            if not isinstance(value, dict):
                del self.below[name]
            elif value is not node.data:
                node.rebase(value)

    def make_ours(self) -> Node:
        """Put a copy in place of a dict that may be the app's. The node above must be ours already."""
        if not self.ours and self.parent:
            self.data = self.parent.data[self.name] = dict(self.data)
            self.ours = True
        return self

    def plain(self) -> dict[str, Any]:
        """Give plain dicts all the way down, decoded."""
        return self._plain(self.data, self.path)

    def _plain(self, data: dict[str, Any], path: Path) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for name, value in list(data.items()):
            if type(value) is Stored:
                value = data[name] = self.shared.decode(value, (*path, name))
            elif isinstance(value, dict):
                value = self._plain(value, (*path, name))
            elif isinstance(value, Handle):
                value = value.__manyhands_plain__()
            if type(value) is Whole:
                value = value.content
            plain[name] = value
        return plain

    def attached_path(self) -> Path | None:
        """Give where it lies; None where it no longer does."""
        names: list[str] = []
        node = self
        while (parent := node.parent) is not None:
            if parent.below.get(node.name) is not node or parent.data.get(node.name) is not node.data:
                return None
            names.append(node.name)
            node = parent
        return tuple(reversed(names))

    def _orphan(self, name: str) -> None:
        node = self.below.pop(name, None)
        if node is not None:
            self.shared.orphans.append(node.data)

    def _holds(self, name: str, value: Any) -> bool:
        # `state["a"] = state["a"]` keeps what is there, without decoding or copying it.
        node = value._node if isinstance(value, Handle) else None
        return node is not None and self.below.get(name) is node and self.data.get(name) is node.data


def checked_name(key: object, node: Node) -> str:
    """Give a key as a plain string. Raises `KeyNotString`."""
    if type(key) is str:
        return key
    if not isinstance(key, str):
        raise KeyNotString(key, node.path)
    # Of an Enum of strings its value, by which it would be found in a dict.
    return str.__str__(key)
