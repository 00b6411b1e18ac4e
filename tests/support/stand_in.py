"""Stands in for a worker: announces handlers and ends events by hand, for tests of the gateway alone."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from manyhands import codec, fields
from manyhands.keys import Keys
from manyhands.settings import Settings
from manyhands.store.contract import Announcement
from manyhands.store.redis_store import RedisStore
from manyhands.store.turns import Commit, Committed, Ending, Turn
from manyhands.updates import Outcome, encode_outcome, encode_update

DEFAULTS = {"counter": 0, "user": {"name": "Bob", "_password": "x"}, "_secret": 1}


class StandIn:
    """One worker's acts on the store. It ends only when it is told to."""

    def __init__(self, settings: Settings) -> None:
        self.store = RedisStore(settings)

    def announce(
        self,
        handlers: Sequence[str] = ("increment", "decrement"),
        defaults: Mapping[str, Any] = DEFAULTS,
        version: str = "v1",
    ) -> None:
        """Announce an app."""
        named: dict[str, Mapping[str, object]] = {name: {} for name in handlers}
        self.store.announce(Announcement(version, named, f"defaults of {version}"), fields.encode_tree(defaults))

    def begin(self, token: str) -> Turn:
        """Begin the next event of the session that a browser's token names."""
        turn = self.store.begin(session_of(token), uuid.uuid4().hex)
        assert turn is not None, "no event waits, or one is running"
        return turn

    def commit(self, turn: Turn, *, k: int = 1, done: bool = True, **values: Any) -> Committed:
        """Assign top-level keys, and end the event unless `done` is False."""
        outcome = Outcome(ok=True)
        ops = [op for key, value in values.items() for op in fields.encode_assignment((key,), value, over_dict=False)]
        views = [((key,), codec.encode(codec.view(value))) for key, value in values.items()]
        return self.store.commit(
            Commit(
                session=turn.session.id, token=turn.token, k=k, ending=Ending.FINAL if done else Ending.PARTIAL,
                ops=ops, update=encode_update(views, [], turn.client, turn.n, outcome if done else None),
                client=turn.client, n=turn.n, outcome=encode_outcome(turn.n, outcome) if done else b"",
            )
        )  # fmt: skip

    def end(self, token: str, **values: Any) -> Committed:
        """Run the session's next event from begin to end."""
        return self.commit(self.begin(token), **values)

    def lose_updates(self) -> None:
        """From now on, publish where nobody listens, as if pub/sub had lost every update."""

        class Elsewhere(Keys):
            def updates(self, session: str) -> str:
                return f"{super().updates(session)}:elsewhere"

        self.store.keys = Elsewhere(self.store.keys.namespace)

    def close(self) -> None:
        """Close the connections to Redis."""
        self.store.close()


def session_of(token: str | None) -> str:
    """Give the session that a token names: what stands before its signature."""
    assert token is not None
    return token.rpartition(".")[0]
