"""Every Redis key and channel of ours, spelled here alone.

A session's keys carry the hash tag of its partition, so that all of an atomic act lies on one node of a cluster.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from manyhands.setting_parsers import COMMON_QUEUE

#: How many partitions sessions are spread over. A reaper looks into each once a second; stored for ever.
PARTITIONS = 256


def room(name: str) -> str:
    """Give the id of a room: it has the keys of a session that is called so, and no session is."""
    return f"room:{name}"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one namespace."""

    namespace: str

    def partition(self, session: str) -> str:
        """Give the tagged prefix that a session's keys share with its whole partition."""
        return self.of_partition(zlib.crc32(session.encode()) % PARTITIONS)

    def of_partition(self, partition: int) -> str:
        """Give a partition's tagged prefix."""
        return f"{self.namespace}:{{{partition}}}:"

    def bells(self, prefix: str) -> str:
        """Sorted set: `session` or `session queue`, rung and not yet served, by the time of the ring."""
        return f"{prefix}bells"

    def leases(self, prefix: str) -> str:
        """Sorted set: `session token` of every run, by the time its lease ends."""
        return f"{prefix}leases"

    def meta(self, session: str) -> str:
        """Hash: what is known of a session besides its state; `accept.lua` and its kin say which fields."""
        return f"{self.partition(session)}{session}:meta"

    def state(self, session: str) -> str:
        """Hash: encoded path to stored value."""
        return f"{self.partition(session)}{session}:state"

    def mailbox(self, session: str) -> str:
        """List: the session's accepted events; the first may be running."""
        return f"{self.partition(session)}{session}:mailbox"

    def log(self, session: str) -> str:
        """List: the last updates, for browsers that reconnect."""
        return f"{self.partition(session)}{session}:log"

    def ended(self, session: str) -> str:
        """List: outcomes of recent events."""
        return f"{self.partition(session)}{session}:ended"

    def detached(self, session: str) -> str:
        """Hash: token of a detached run to its letter."""
        return f"{self.partition(session)}{session}:detached"

    def touched(self, session: str) -> str:
        """Sorted set, while runs are detached: paths that changed, by version."""
        return f"{self.partition(session)}{session}:touched"

    def cancels(self, session: str) -> str:
        """Set: running events that someone wants to cancel."""
        return f"{self.partition(session)}{session}:cancels"

    def answers(self, session: str) -> str:
        """Hash that expires in a minute: answers to commits of detached runs."""
        return f"{self.partition(session)}{session}:answers"

    def index(self, session: str) -> str:
        """Sorted set, while the state has many fields: all of them, in the order of their bytes."""
        return f"{self.partition(session)}{session}:index"

    def large(self, session: str) -> str:
        """Hash: the chunks of fields that are too large for the state's hash."""
        return f"{self.partition(session)}{session}:large"

    def held(self, session: str) -> str:
        """Hash: how many fields refer to each of the large ones."""
        return f"{self.partition(session)}{session}:held"

    def info(self, session: str) -> str:
        """String: what the handshake said that began the session."""
        return f"{self.partition(session)}{session}:info"

    def of_session(self, session: str) -> list[str]:
        """Give every key that a session can have, in the order in which its scripts are given them."""
        kinds = (self.meta, self.state, self.mailbox, self.log, self.ended, self.detached)
        more = (self.touched, self.cancels, self.answers, self.index, self.large, self.held, self.info)
        return [kind(session) for kind in (*kinds, *more)]

    def updates(self, session: str) -> str:
        """Channel: the session's updates."""
        return f"{self.partition(session)}{session}:updates"

    def gateways(self) -> str:
        """Channel that every gateway listens to from its start."""
        return f"{self.namespace}:gateways"

    def versions(self) -> str:
        """Sorted set: announced versions of the app, by the latest start of a worker."""
        return f"{self.namespace}:{{app}}:versions"

    def announcement(self, version: str) -> str:
        """String: what the workers of one version announce."""
        return f"{self.namespace}:{{app}}:version:{version}"

    def defaults(self, content_hash: str) -> str:
        """String: an app's defaults, encoded."""
        return f"{self.namespace}:{{app}}:defaults:{content_hash}"

    def seen(self) -> str:
        """Sorted set: announced versions of the app, by their last announcement."""
        return f"{self.namespace}:{{app}}:seen"

    def reaper(self, queues: str = "", *, idle: bool = False) -> str:
        """String that expires: who looks for overdue runs this second, of those who serve these queues."""
        return f"{self.namespace}:{{app}}:reaper:{queues}{':idle' if idle else ''}"

    def counter(self, interval: int) -> str:
        """String that expires after so many ms: who counts what waits in them."""
        return f"{self.namespace}:{{app}}:counter:{interval}"

    def waiting(self) -> str:
        """String that expires: the last count of what waits."""
        return f"{self.namespace}:{{app}}:waiting"

    def dev_feed(self) -> str:
        """Stream, while developing: what workers tell the studio."""
        return f"{self.namespace}:{{app}}:studio"

    def dev_app(self) -> str:
        """String, while developing: what the app consists of, as the last worker found it."""
        return f"{self.namespace}:{{app}}:studio:app"

    def worker(self, process: str, queues: Sequence[str] = ("",)) -> str:
        """Channel on which a worker process that serves these queues hears of sessions whose last turn it had.

        With `*` for the process, the pattern of the channels of all that serve the same.
        """
        served = "+".join(sorted(queue or COMMON_QUEUE for queue in queues))
        return f"{self.namespace}:worker:{served}:{process}"

    def lines(self, process: str) -> str:
        """Channel on which a worker process hears that a room is that of one of its runs which stood in line."""
        return f"{self.namespace}:lines:{process}"

    def queue(self, version: str | None = None, name: str = "") -> str:
        """Celery's queue of doorbells, the common one unless it is named; with a version, the one that only workers of
        this version take from."""
        queue = f"{self.namespace}.{name}" if name else f"{self.namespace}.turns"
        return queue if version is None else f"{queue}.{version}"
