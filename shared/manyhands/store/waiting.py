"""How much mail waits in Redis, over all sessions: counted on demand, so that no event costs anything for it.

Of a partition with many sessions at work only some are looked at, and the others are taken to be like them; and a few
partitions are looked at in one call. So a count holds Redis up for a few milliseconds at a time, however much waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgpack

from manyhands.keys import Keys
from manyhands.store import limits
from manyhands.store.contract import Waiting
from manyhands.store.scripts_loader import Script, load_script

#: Runs a script: with its keys and arguments.
Call = Callable[[Script, Sequence[str], Sequence[Any]], Any]

#: Partitions that one call looks at.
PARTITIONS_AT_ONCE = 64


def encode(count: Waiting) -> bytes:
    """Encode a count for all to read."""
    packed: Any = msgpack.packb((count.events, count.oldest, count.at))
    return bytes(packed)


def decode(encoded: bytes) -> Waiting:
    """Read what `encode` wrote."""
    return Waiting(*msgpack.unpackb(encoded))


def count(call: Call, keys: Keys, partitions: Sequence[str]) -> Waiting:
    """Count what waits. `partitions`: the bells and leases of each in turn."""
    events, rings, now = 0.0, set[int](), 0
    for first in range(0, len(partitions), 2 * PARTITIONS_AT_ONCE):
        some = partitions[first : first + 2 * PARTITIONS_AT_ONCE]
        now, oldest, *found = call(load_script("at_work"), some, (limits.SAMPLED_SESSIONS,))
        rings |= {int(oldest)} if oldest else set()
        weighted = [one for at_work in found for one in _weigh(*at_work)]
        mailboxes = [keys.mailbox(session) for session, _ in weighted]
        lengths = call(load_script("lengths"), mailboxes, ()) if mailboxes else []
        events += sum(weight * length for (_, weight), length in zip(weighted, lengths, strict=True))
    return Waiting(round(events), max(0, now - min(rings, default=now)), now)


def _weigh(
    rung: int, ringing: Sequence[bytes], held: int, sampled: int, running: Sequence[bytes]
) -> Iterator[tuple[str, float]]:
    """Give each session of a partition that is looked at, and for how many it stands."""
    yield from ((session.decode(), rung / len(ringing)) for session in ringing)
    yield from ((session.decode(), held / sampled) for session in running)
