"""What the workers of `manyhands dev` tell the studio: log lines, ended events, and what the app consists of.

It goes through a stream in Redis, bounded and short-lived, so that what is printed before the studio is opened, or
before the gateway has started, is not lost. Nothing is written outside of `manyhands dev`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, cast

import msgpack
import redis

from manyhands.keys import Keys
from manyhands.store.redis_client import connect

#: Entries that are kept; the studio shows no more.
KEPT = 1000
#: Seconds that the entries outlive the last one.
LIFE = 86_400
#: The only field of an entry.
FIELD = b"e"
#: Before the first entry.
START = "0"


class Kind(StrEnum):
    """What an entry tells of."""

    #: A line that was printed or logged.
    LOG = "log"
    #: An event that has ended: with its payload and the times of its stages.
    EVENT = "event"
    #: A worker has imported the app, or has failed to.
    APP = "app"
    #: A gateway has accepted an event.
    ACCEPTED = "accepted"
    #: A gateway has passed an update on.
    UPDATE = "update"


class DevFeed:
    """The stream of one namespace. Raises what redis-py raises."""

    def __init__(self, url: str, namespace: str) -> None:
        self._redis: redis.Redis = connect(url, attempts=1)
        self._keys = Keys(namespace)

    def publish(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Add entries; what an app consists of is kept apart as well, where no lines push it out."""
        key = self._keys.dev_feed()
        pipeline = self._redis.pipeline(transaction=False)
        for entry in entries:
            packed = cast("bytes", msgpack.packb(entry))
            if entry["kind"] == Kind.APP and not entry["error"]:
                pipeline.set(self._keys.dev_app(), packed, ex=LIFE)
            pipeline.xadd(key, {FIELD: packed}, maxlen=KEPT, approximate=True)
        pipeline.expire(key, LIFE)
        pipeline.execute()

    def read(self, since: str, wait: float) -> list[tuple[str, dict[str, Any]]]:
        """Give the entries after an id, oldest first, each with its id; waits so many seconds for the first."""
        answer: Any = self._redis.xread({self._keys.dev_feed(): since}, block=max(1, round(1000 * wait)))
        return [(number.decode(), _unpack(fields[FIELD])) for _, entries in answer or () for number, fields in entries]

    def app(self) -> dict[str, Any] | None:
        """Give what the last worker that could import the app has told of it."""
        packed = cast("bytes | None", self._redis.get(self._keys.dev_app()))
        return None if packed is None else _unpack(packed)


def _unpack(packed: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = msgpack.unpackb(packed, strict_map_key=False)
    return entry
