"""Events a second through real processes, and the CPU that each kind of them takes for an event.

    python benchmarks/throughput.py [--sessions 200] [--gateways 1] [--workers 2] [--rate R] [--duration 10] [--json -]

Starts a Redis, a gateway, workers and `manyhands load`. CPU is counted from the end of the warm-up to the end of the
load, and divided by the events that ended meanwhile: joining and verifying are left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from deployment import Deployment, cpu_of, tree
from profiling import Profile


def main() -> int:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--gateways", type=int, default=1, help="processes of the gateway (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="worker processes (default: %(default)s)")
    parser.add_argument("--rate", type=float, help="events a second (default: a closed loop)")
    parser.add_argument("--duration", type=int, default=10, help="seconds (default: %(default)s)")
    parser.add_argument("--warmup", type=int, default=2, help="seconds (default: %(default)s)")
    parser.add_argument("--handler", default="increment")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a variable for all processes")
    parser.add_argument("--redis", default="", metavar="ARGS", help="for redis-server, such as '--appendonly yes'")
    parser.add_argument("--profile", type=Path, metavar="DIR", help="sample a gateway and a worker with py-spy")
    parser.add_argument("--json", metavar="FILE", help="write the figures there; -: to stdout instead of the table")
    arguments = parser.parse_args()
    environ = dict(one.split("=", 1) for one in arguments.set)
    with Deployment(
        gateways=arguments.gateways, workers=arguments.workers, redis=arguments.redis.split(), environ=environ
    ) as deployment:
        figures = measure(
            deployment, sessions=arguments.sessions, rate=arguments.rate, duration=arguments.duration,
            warmup=arguments.warmup, handler=arguments.handler, profile_to=arguments.profile,
        )  # fmt: skip
    if arguments.json != "-":
        print("\n".join(table(figures)))
    if arguments.json is not None:
        text = json.dumps(figures, indent=2)
        if arguments.json == "-":
            print(text)
        else:
            Path(arguments.json).write_text(text + "\n", "utf-8")
    return 0 if figures["right"] else 1


def measure(
    deployment: Deployment, *, sessions: int, rate: float | None = None, duration: int = 10, warmup: int = 2,
    handler: str = "increment", profile_to: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Load a deployment, and give what was found: the load test's own figures, and the CPU for each event.

    `profile_to`: a directory for the samples of a gateway and a worker, whose CPU is more then.
    """
    file = deployment.directory / f"load-{time.monotonic_ns()}.json"
    command = [
        *(sys.executable, "-m", "manyhands", "load", deployment.url, "--sessions", str(sessions)),
        *("--duration", str(duration), "--warmup", str(warmup), "--handler", handler, "--json", str(file)),
        *(["--rate", str(rate)] if rate else []),
    ]
    load = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert load.stdout is not None
    assert load.stderr is not None
    samples: list[dict[str, float]] = []
    others: list[str] = []
    profiles: list[Profile] = []
    try:
        for line in load.stderr:  # a line each second, as soon as it has ended
            if "events/s" in line:
                samples.append({**deployment.cpu(), "generator": cpu_of(load.pid), "clock": time.monotonic()})
                if profile_to is not None and len(samples) == max(warmup, 1):
                    profiles = begin_profiles(deployment, profile_to, duration)
                elif len(samples) == warmup + duration - 1:
                    for profile in profiles:
                        profile.stop()
            else:
                others.append(line)
        report = load.stdout.read()
        load.wait()
    finally:
        load.kill()
        load.wait()
    for profile in profiles:
        print("\n".join(profile.table()), end="\n\n")
    if not file.exists():
        raise SystemExit(f"the load failed:\n{''.join(others)}{report}")
    return figures_of(json.loads(file.read_text("utf-8")), samples[: warmup + duration], warmup)


def begin_profiles(deployment: Deployment, directory: Path, seconds: int) -> list[Profile]:
    """Begin to sample one process of each kind of ours."""
    directory.mkdir(parents=True, exist_ok=True)
    # The last process of a gateway is one that serves; the first is gunicorn's arbiter.
    pids = {"gateway": tree(deployment.gateway.pid)[-1], "worker": tree(deployment.workers[0].pid)[-1]}
    return [Profile(name, pid, max(seconds, 1), directory) for name, pid in pids.items()]


def figures_of(found: dict[str, Any], samples: list[dict[str, float]], warmup: int) -> dict[str, Any]:
    """Put the load test's figures beside the CPU: seconds and samples belong together one by one."""
    first, last = max(warmup - 1, 0), len(samples) - 1
    ended, before = 0.0, found["seconds"][first]["at"]
    for second in found["seconds"][first + 1 : last + 1]:
        ended += second["events_per_second"] * (second["at"] - before)
        before = second["at"]
    clock = samples[last]["clock"] - samples[first]["clock"]
    cpu = {kind: samples[last][kind] - samples[first][kind] for kind in samples[0] if kind != "clock"}
    per_event = {kind: round(1e6 * taken / ended, 1) for kind, taken in cpu.items()}
    return {
        **found,
        "cpu_us_per_event": {**per_event, "all": round(sum(per_event.values()), 1)},
        "cores": {kind: round(taken / clock, 3) for kind, taken in cpu.items()},
    }


def table(figures: dict[str, Any]) -> list[str]:
    """Show what was found."""
    latency = figures["latency_ms"]
    lines = [
        f"{figures['events_per_second']:,.0f} events/s of {figures['sessions']:,} sessions, "
        f"p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms" + ("" if figures["right"] else "   WRONG"),
        "",
        "            µs of CPU an event   share of a core",
    ]
    for kind, per_event in figures["cpu_us_per_event"].items():
        share = figures["cores"].get(kind, sum(figures["cores"].values()))
        lines.append(f"{kind:10}  {per_event:18.1f}   {share:15.0%}")
    return lines + figures["details"]


if __name__ == "__main__":
    sys.exit(main())
