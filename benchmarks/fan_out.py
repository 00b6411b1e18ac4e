"""Fan-out: what an update costs a gateway that passes it on to 1,000 connections of one session.

    python benchmarks/fan_out.py [--connections 1000] [--rates 1 5 20] [--seconds 10] [--json FILE]

For each subprotocol, each rate: updates a second, and the gateway's CPU for each frame that reached a connection. All
that the gateway does meanwhile is counted in. That one update is encoded once, and one frame shared by all of its
connections, tests/unit/test_delivery.py holds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crowd import Member, allow_files, gather
from deployment import Deployment

from manyhands.wire import SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK

#: Kinds of crowds, and the share of their connections that speaks JSON.
CROWDS = {"msgpack": 0.0, "json": 1.0, "half and half": 0.5}


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--rates", type=float, nargs="+", default=[1, 5, 20], help="updates a second")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement (default: %(default)g)")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    allow_files(arguments.connections + 200)
    with Deployment(workers=1) as deployment:
        found = asyncio.run(measure(deployment, arguments.connections, arguments.rates, arguments.seconds))
    print("\n".join(table(found)))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n", "utf-8")


async def measure(deployment: Deployment, connections: int, rates: list[float], seconds: float) -> list[dict[str, Any]]:
    """Measure each kind of crowd at each rate."""
    found = []
    for name, share in CROWDS.items():
        (first,) = await gather(deployment.url, 1)
        in_json = round(share * connections)
        members = [
            *await gather(deployment.url, in_json, SUBPROTOCOL_JSON, first.token),
            *await gather(deployment.url, connections - in_json, SUBPROTOCOL_MSGPACK, first.token),
        ]
        n = 0
        for rate in rates:
            count = max(round(rate * seconds), 1)
            found.append({"crowd": name, **await play(deployment, first, members, rate, range(n + 1, n + 1 + count))})
            n += count
        for member in (first, *members):
            member.close()
    return found


async def play(
    deployment: Deployment, first: Member, members: list[Member], rate: float, numbers: range
) -> dict[str, Any]:
    """Fire at a rate, wait until every update has reached everybody, and divide."""
    loop = asyncio.get_running_loop()
    before = sum(member.envelopes for member in members)
    expected = len(members) * len(numbers)
    cpu, began = deployment.cpu()["gateways"], loop.time()
    for index, n in enumerate(numbers):
        await asyncio.sleep(began + index / rate - loop.time())
        first.send({"type": "event", "n": n, "handler": "increment"})
    deadline = loop.time() + 30
    while sum(member.envelopes for member in members) - before < expected:
        if loop.time() > deadline:
            sys.exit("updates have not arrived")
        await asyncio.sleep(0.05)
    taken, lasted = deployment.cpu()["gateways"] - cpu, loop.time() - began
    return {
        "rate": rate, "connections": len(members), "updates": len(numbers), "frames": expected,
        "gateway_us_per_frame": round(1e6 * taken / expected, 2), "gateway_cores": round(taken / lasted, 3),
    }  # fmt: skip


def table(found: list[dict[str, Any]]) -> Iterator[str]:
    """Show what was found."""
    yield "connections   updates/s    frames   gateway µs a frame   of a core"
    for one in found:
        yield (
            f"{one['connections']:6,} {one['crowd']:13} {one['rate']:4g} {one['frames']:9,} "
            f"{one['gateway_us_per_frame']:20.2f} {one['gateway_cores']:11.1%}"
        )


if __name__ == "__main__":
    main()
