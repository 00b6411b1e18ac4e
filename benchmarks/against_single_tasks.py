"""Throughput beside that of the same code when it sends a Celery task for every event, as other systems do.

    python benchmarks/against_single_tasks.py [--sessions 200] [--rounds 3] [--duration 8]

Both deployments stand side by side and are loaded in turn, so that a machine whose speed drifts harms both alike.
"""

from __future__ import annotations

import argparse
import statistics

from deployment import Deployment
from throughput import measure

KINDS = {"batches and direct bells": "0", "a Celery task for every event": "1"}


def main() -> None:
    """Start both, measure in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", type=int, default=8, help="seconds of each measurement (default: %(default)s)")
    arguments = parser.parse_args()
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    variable = "MANYHANDS_ONE_TASK_PER_EVENT"
    with Deployment(environ={variable: "0"}) as ours, Deployment(environ={variable: "1"}) as single:
        for _ in range(arguments.rounds):
            for kind, deployment in zip(KINDS, (ours, single), strict=True):
                figures = measure(deployment, sessions=arguments.sessions, duration=arguments.duration)
                assert figures["right"], "an event was lost, doubled or wrong"
                found[kind].append(figures["events_per_second"])
    for kind, rates in found.items():
        print(f"{kind:32} {statistics.median(rates):8,.0f} events/s   ({', '.join(f'{one:,.0f}' for one in rates)})")
    ours_median, single_median = (statistics.median(rates) for rates in found.values())
    print(f"ratio of the medians             {ours_median / single_median:8.1f}")


if __name__ == "__main__":
    main()
