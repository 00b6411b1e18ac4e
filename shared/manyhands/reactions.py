"""What happens when a run assigns to its state: computed values become outdated, subscribers are called.

`Reactions` is what an app declared, the same for all runs; `Live` is one run's share of it. A run of an app that
declares neither computed values nor subscribers has no `Live`.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from manyhands import codec
from manyhands.branches import MISSING
from manyhands.computed import ComputedValue
from manyhands.errors import ComputedAssigned, ComputedFailed, DamagedValue, MutationLoop, SubscriberFailed
from manyhands.fields import Whole
from manyhands.paths import Path
from manyhands.state_nodes import Node, Shared
from manyhands.state_values import Handle
from manyhands.subscribers import Subscription
from manyhands.wire import Key

if TYPE_CHECKING:
    from manyhands.state import State

#: Subscribers that may be at work within one another, in one event, before it is taken for a loop. Python's own limit
#: comes at about five times as many.
MAX_DEPTH = 32
#: What `context["event"]` is for a subscriber.
MUTATION = "mutation"
#: The number of a computed value that nothing in this event has made outdated.
_SUSPECTED = 0
#: Types of computed values that are compared with what was there: what is the same isn't written again.
_SIMPLE = (type(None), bool, int, float, str, bytes)
_COMPARED = (*_SIMPLE, list, tuple, set, frozenset)


class Reactions:
    """The computed values, each behind those that it depends on, and the subscriptions of an app."""

    def __init__(self, computed: Sequence[ComputedValue] = (), subscriptions: Sequence[Subscription] = ()) -> None:
        self.computed, self.subscriptions = tuple(computed), tuple(subscriptions)
        self.by_path = {one.path: one for one in computed}
        #: The last names of computed values: what else is read need not be looked up.
        self.computed_names = frozenset(one.path[-1] for one in computed)
        #: What begins the paths that anything depends on: most assignments are done with here.
        self._computed_at: dict[str, list[ComputedValue]] = {}
        for value in computed:
            for head in {value.path[0], *(path[0] for path in value.depends_on)}:
                self._computed_at.setdefault(head, []).append(value)
        self._subscribed_at: dict[str, list[Subscription]] = {}
        for one in subscriptions:
            self._subscribed_at.setdefault(one.path[0], []).append(one)

    def __bool__(self) -> bool:
        return bool(self.computed or self.subscriptions)

    def outdated(self, path: Path) -> Iterator[ComputedValue]:
        """Give the computed values that an assignment to a path makes outdated; all of them for the whole state."""
        return (one for one in (self._computed_at.get(path[0], ()) if path else self.computed) if one.depends(path))

    def subscribed(self, path: Path) -> Iterator[Subscription]:
        """Give the subscriptions to a path, and to those below it."""
        return (one for one in self._subscribed_at.get(path[0], ()) if one.path[: len(path)] == path)


@dataclass(slots=True)
class Noticed:
    """An assignment that a subscriber is to be told of."""

    subscription: Subscription
    previous: Any


@dataclass(slots=True)
class Call:
    """An async subscriber that waits until the handler has returned."""

    subscription: Subscription
    awaitable: Any
    chain: tuple[str, ...]


class Live:
    """One run's outdated values and calls of subscribers. May be used from several threads."""

    def __init__(self, reactions: Reactions, shared: Shared, root: Node, state: State) -> None:
        self._reactions, self._shared, self._root, self._state = reactions, shared, root, state
        #: Outdated computed values, each with the number of what made it so. Guarded by the state's lock.
        self.outdated: dict[Path, int] = {}
        self._numbers = itertools.count(1)
        #: Those that failed for a commit: at which number, and how.
        self._failed: dict[Path, tuple[int, ComputedFailed]] = {}
        #: Who computes what at this moment: a function that reads its own value gets the old one.
        self._computing: set[tuple[int, Path]] = set()
        #: The subscribers that are at work, the outermost first.
        self._chain: list[str] = []
        self._waiting: deque[Call] = deque()
        #: What a subscriber gets as `session`.
        self.session: Callable[[], Mapping[str, Any]] = dict

    # --- around an assignment; called by `State` ---

    def check(self, node: Node, name: str) -> None:
        """Raise `ComputedAssigned` for the name of a computed value."""
        if self.is_computed(node, name):
            raise ComputedAssigned((*node.path, name))

    def is_computed(self, node: Node, name: str) -> bool:
        """Tell whether a name is that of a computed value."""
        return name in self._reactions.computed_names and (*node.path, name) in self._reactions.by_path

    def before(self, node: Node, name: str) -> list[Noticed]:
        """Note what an assignment makes outdated, and previous values for subscribers. Call with the lock held."""
        above = node.attached_path()
        if above is None:
            return []
        path = (*above, name)
        self.refreshed(path)
        found = self._reactions.subscribed(path)
        return [Noticed(one, self._value(node, one.path[len(above) :])) for one in found]

    def after(self, noticed: Sequence[Noticed]) -> None:
        """Call the subscribers. Call without the lock."""
        with self._shared.lock:
            # All of them before the first is called, which may assign something else.
            values = [self._value(self._root, one.subscription.path) for one in noticed]
        for one, value in zip(noticed, values, strict=True):
            if value is not MISSING or one.previous is not MISSING:
                self._tell(one.subscription, _or_none(one.previous), _or_none(value))

    def refreshed(self, path: Path) -> None:
        """Note that a path has another value. Call with the lock held."""
        for one in self._reactions.outdated(path):
            self.outdated[one.path] = next(self._numbers)

    def _value(self, node: Node, path: Path) -> Any:
        found: Any = node
        try:
            for name in path:
                found = found.read(name) if isinstance(found, Node) else MISSING
            return found.plain() if isinstance(found, Node) else unwrapped(found)
        except DamagedValue:
            # Assigning something else is how it is mended.
            return None

    # --- subscribers ---

    def _tell(self, subscription: Subscription, previous: Any, value: Any) -> None:
        with self._one_deeper(subscription):
            result = subscription.call(
                {
                    "state": lambda: self._state,
                    "payload": lambda: {"previous_value": previous, "new_value": value},
                    "context": lambda: {
                        Key.EVENT.value: MUTATION, Key.TARGET.value: None, MUTATION: subscription.written,
                    },
                    "session": self.session,
                }
            )  # fmt: skip
        if hasattr(result, "__await__"):
            self._waiting.append(Call(subscription, result, tuple(self._chain)))

    @contextmanager
    def _one_deeper(self, subscription: Subscription) -> Iterator[None]:
        self._chain.append(f"{subscription.name} (on {subscription.written})")
        try:
            if len(self._chain) > MAX_DEPTH:
                raise MutationLoop(self._chain)
            yield
        except (SubscriberFailed, MutationLoop):
            # The innermost one is to be named.
            raise
        except Exception as error:
            raise SubscriberFailed(subscription.name, subscription.written, error) from error
        finally:
            self._chain.pop()

    @property
    def has_waiting(self) -> bool:
        """Whether async subscribers are still to be awaited."""
        return bool(self._waiting)

    async def run_waiting(self) -> None:
        """Await the async subscribers, in the order of the assignments, and those that they call."""
        try:
            while self._waiting:
                call = self._waiting.popleft()
                self._chain = list(call.chain)
                with self._one_deeper(call.subscription):
                    await call.awaitable
        finally:
            self._chain = []
            self.drop_waiting()

    def drop_waiting(self) -> None:
        """Forget async subscribers that will not run."""
        while self._waiting:
            close = getattr(self._waiting.popleft().awaitable, "close", None)
            if close is not None:
                close()

    # --- computed values ---

    def freshen(self, node: Node, name: str) -> None:
        """Compute what is about to be read, where it is outdated or was never computed in this session.

        Raises `ComputedFailed`. Call without the lock.
        """
        if name in self._reactions.computed_names:
            one = self._reactions.by_path.get((*node.path, name))
            if one is not None and (one.path in self.outdated or not self._is_there(node, name)):
                self._compute(one)

    def freshen_all(self) -> None:
        """Compute all that is outdated. Raises `ComputedFailed`. Call without the lock."""
        for one in self._reactions.computed if self.outdated else ():
            if one.path in self.outdated:
                self._compute(one)

    def settle(self) -> list[ComputedFailed]:
        """Compute all that is outdated, before a commit; what fails keeps its value, and is given back."""
        failed: list[ComputedFailed] = []
        for one in self._reactions.computed if self.outdated else ():
            number = self.outdated.get(one.path)
            if number is None:
                continue
            before = self._failed.get(one.path)
            if before is not None and before[0] == number:
                # Nothing that it depends on was assigned since.
                failed.append(before[1])
                continue
            try:
                with self._shared.undisturbed():
                    self._compute(one)
            except ComputedFailed as error:
                self._failed[one.path] = (number, error)
                failed.append(error)
        return failed

    def is_settled(self) -> bool:
        """Tell whether nothing is outdated but what failed. Call with the lock held."""
        failed = ((path, self._failed.get(path)) for path in self.outdated)
        return all(one is not None and one[0] == self.outdated[path] for path, one in failed)

    def _is_there(self, node: Node, name: str) -> bool:
        with self._shared.lock:
            return name in node.data

    def suspect_all(self) -> None:
        """Compute every value with the next commit: the session was begun by another version of the app.

        One that fails stays as it is, and no event fails by it.
        """
        with self._shared.lock:
            self.outdated = dict.fromkeys(self._reactions.by_path, _SUSPECTED)

    def compute_all(self) -> None:
        """Compute every value, of the defaults. Raises `ComputedFailed`."""
        self.outdated = {one.path: next(self._numbers) for one in self._reactions.computed}
        self.freshen_all()

    def _compute(self, one: ComputedValue) -> None:
        me = (threading.get_ident(), one.path)
        if me in self._computing or self._is_upon_what_is_computed(one):
            return
        number = self.outdated.get(one.path)
        self._computing.add(me)
        try:
            base = self._base(one)
            value = base._prepared(one.path[-1], one.function(base)) if base is not None else MISSING
        except Exception as error:
            if number == _SUSPECTED:
                self._done(one, number, None, MISSING)
                return
            # The innermost one is to be named.
            raise error if isinstance(error, ComputedFailed) else ComputedFailed(one.dotted, error) from error
        finally:
            self._computing.discard(me)
        self._done(one, number, base._node if base is not None else None, value)

    def _is_upon_what_is_computed(self, one: ComputedValue) -> bool:
        # Whoever iterates looks at all values: also at those upon the very one that is computed, whose turn comes.
        thread = threading.get_ident()
        return any(one in self._reactions.outdated(path) for of, path in tuple(self._computing) if of == thread)

    def _base(self, one: ComputedValue) -> Any:
        found: Any = self._state
        for name in one.base:
            found = found[name] if isinstance(found, Handle) else None  # type: ignore[index]
        return found if isinstance(found, Handle) else None

    def _done(self, one: ComputedValue, number: int | None, node: Node | None, value: Any) -> None:
        with self._shared.lock:
            # Assigned again meanwhile, it is outdated still, and somebody else computes it.
            if self.outdated.get(one.path) != number:
                return
            self.outdated.pop(one.path, None)
            if node is not None and node.attached_path() is not None and not self._is_same(node, one.path[-1], value):
                node.write(one.path[-1], value)

    def _is_same(self, node: Node, name: str, value: Any) -> bool:
        if not isinstance(value, _COMPARED):
            return False
        try:
            before = unwrapped(node.read(name))
            if type(before) is not type(value):
                return False
            if isinstance(before, _SIMPLE):
                return bool(before == value)
            # What was changed in place and is given again was not written yet.
            return before is not value and codec.encode(before) == codec.encode(value)
        except Exception:  # noqa: BLE001 - values of the app's classes may raise anything while compared
            return False


class Change:
    """An access that assigns or deletes names of one dict; at its end subscribers are called."""

    __slots__ = ("_live", "_names", "_node", "_noticed")

    def __init__(self, live: Live, node: Node, names: Sequence[str]) -> None:
        self._live, self._node, self._names = live, node, names

    def __enter__(self) -> None:
        live, node = self._live, self._node
        for name in self._names:
            live.check(node, name)
        node.shared.__enter__()
        try:
            self._noticed = [one for name in self._names for one in live.before(node, name)]
        except BaseException:
            node.shared.__exit__()
            raise

    def __exit__(self, kind: object, *_: object) -> None:
        self._node.shared.__exit__()
        if kind is None and self._noticed:
            self._live.after(self._noticed)


def unwrapped(value: Any) -> Any:
    """Give the dict that is one value, and anything else as it is."""
    return value.content if type(value) is Whole else value


def _or_none(value: Any) -> Any:
    return None if value is MISSING else value
