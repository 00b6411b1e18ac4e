"""Idle connections: the memory and the CPU that each of them costs one gateway process, and Redis.

    python benchmarks/connections.py [--connections 10000] [--seconds 30] [--json FILE]

Each connection has a session of its own. Memory is what the gateway's process holds with them, less what it held with
the first 100, divided; CPU is that of the seconds in which nothing happens but pings and looks at the sessions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from crowd import allow_files, gather
from deployment import Deployment, rss_of, tree

#: Connections that are there before the memory is looked at: what the first ones load is no cost of a connection.
FIRST = 100


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=30, help="of idleness (default: %(default)g)")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    allow_files(arguments.connections + 400)
    with Deployment(workers=1) as deployment:
        found = asyncio.run(measure(deployment, arguments.connections, arguments.seconds))
    print(
        f"{found['connections']:,} idle connections: {found['kb_per_connection']:.1f} KB each in the gateway, "
        f"{found['redis_kb_per_session']:.1f} KB of each session in Redis; CPU while idle: "
        f"gateway {found['idle_cores']['gateways']:.1%}, Redis {found['idle_cores']['redis']:.1%} of a core"
    )
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n", "utf-8")


async def measure(deployment: Deployment, connections: int, seconds: float) -> dict[str, Any]:
    """Open the connections, look at the memory, wait, look at the CPU."""
    process = tree(deployment.gateway.pid)[-1]
    members = await gather(deployment.url, FIRST)
    before, stored = rss_of(process), memory_of(deployment)
    members += await gather(deployment.url, connections - FIRST, progress=_show)
    after, stored_after = rss_of(process), memory_of(deployment)
    cpu = deployment.cpu()
    await asyncio.sleep(seconds)
    idle = {kind: round((taken - cpu[kind]) / seconds, 4) for kind, taken in deployment.cpu().items()}
    for member in members:
        member.close()
    more = connections - FIRST
    return {
        "connections": connections,
        "kb_per_connection": round((after - before) / more / 1000, 2),
        "redis_kb_per_session": round((stored_after - stored) / more / 1000, 2),
        "idle_cores": idle,
    }


def memory_of(deployment: Deployment) -> int:
    """Give the bytes that all our keys take in Redis, its own bookkeeping of them included."""
    client = deployment.redis.client()
    try:
        keys = list(client.scan_iter(f"{deployment.namespace}:*", count=1000))
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.memory_usage(key, samples=0)
        return sum(taken or 0 for taken in pipeline.execute())
    finally:
        client.close()


def _show(count: int) -> None:
    if count % 1000 == 0:
        print(f"{count:,} connections", file=sys.stderr)


if __name__ == "__main__":
    main()
