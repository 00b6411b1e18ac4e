"""What an idle session takes in Redis: one that never assigned anything, and one of 20 small keys.

    python benchmarks/resting.py

Updates and outcomes are kept for half an hour after the last event, for browsers that reconnect; then the session is at
rest. The benchmark does not wait for that: it asks Redis when these keys will be gone, and counts the others.
"""

from __future__ import annotations

from typing import Any

from deployment import Deployment

from manyhands.keys import Keys
from support.browser import MSGPACK, Tab

#: What a browser says when it connects.
HEADERS = {
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Accept-Language": "en-US,en;q=0.9,de;q=0.8", "Accept-Encoding": "gzip, deflate, br, zstd",
    "Cache-Control": "no-cache", "Pragma": "no-cache",
    "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
}  # fmt: skip
#: Seconds after which a session is at rest.
REST = 1800


def main() -> None:
    """Start everything, measure, print."""
    with Deployment(workers=1) as deployment:
        for point in measure(deployment):
            print(f"{point['session']}: {point['bytes']} bytes")


def measure(deployment: Deployment) -> list[dict[str, Any]]:
    """Count the bytes of a session's keys."""
    with Tab(deployment.url, subprotocol=MSGPACK, headers=HEADERS) as tab:
        points = [{"session": "new", "bytes": bytes_of(deployment, tab)}]
        for n in range(20):
            assert tab.call("assign", [[[f"key{n}"], n]])["ok"]
        points.append({"session": "20 small keys, one event each", "bytes": bytes_of(deployment, tab)})
        points.append({"session": "the same at rest", "bytes": bytes_of(deployment, tab, at_rest=True)})
    return points


def bytes_of(deployment: Deployment, tab: Tab, *, at_rest: bool = False) -> int:
    """Add up what Redis says of the memory of each key of the one session that there is."""
    keys, found = Keys(deployment.namespace), 0
    with deployment.redis.client() as client:
        (meta,) = client.scan_iter(f"{deployment.namespace}:*:meta", count=10_000)
        for key in keys.of_session(meta.decode().split(":")[-2]):
            rests = 0 <= client.ttl(key) <= REST
            if client.exists(key) and not (at_rest and rests):
                found += client.memory_usage(key, samples=0)
    return found


if __name__ == "__main__":
    main()
