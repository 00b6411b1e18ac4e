"""What a load test has found: for people, and as JSON with the keys that docs/load.md lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from manyhands.load.runner import Result
from manyhands.load.tally import Second

#: The share of a core, and the seconds of lag, from which on the generator distorts what it measures.
BUSY, LATE = 0.9, 0.05


def is_right(result: Result) -> bool:
    """Tell whether every promise was kept, and every event ended well."""
    return not result.tally.problems and not result.tally.errors


def per_second(result: Result) -> float:
    """Give the events that ended in each second of the measured time."""
    return result.tally.measured / result.measured if result.measured else 0.0


def as_json(result: Result) -> dict[str, Any]:
    """Give what `--json` writes."""
    plan, tally = result.plan, result.tally
    return {
        "url": plan.address.url,
        "handler": plan.handler,
        "key": ".".join(plan.key) if plan.key else None,
        "mode": "closed" if plan.rate is None else "open",
        "sessions": plan.sessions,
        "rate": plan.rate,
        "warmup_s": plan.warmup,
        "duration_s": round(result.measured, 3),
        "right": is_right(result),
        "events": {"fired": tally.events_fired, "ended": tally.events_ended, "measured": tally.measured},
        "events_per_second": round(per_second(result), 1),
        "latency_ms": tally.latencies(),
        "errors": dict(tally.errors),
        "rejections": dict(tally.rejections),
        "problems": dict(tally.problems),
        "details": tally.details,
        "connections": {
            "reconnects": tally.reconnects,
            "failed": tally.failed_connects,
            "closes": {str(code): count for code, count in tally.closes.items()},
        },
        "generator": {"cpu": round(result.cpu, 3), "lag_ms": round(result.lag * 1000, 2)},
        "seconds": [_second_as_json(one) for one in tally.seconds],
    }


def _second_as_json(second: Second) -> dict[str, float | None]:
    return {
        "at": round(second.at, 2),
        "events_per_second": round(second.per_second, 1),
        "p50_ms": second.p50,
        "p99_ms": second.p99,
    }


def as_text(result: Result) -> Iterator[str]:
    """Write the lines for people."""
    plan, tally = result.plan, result.tally
    pace = "closed loop" if plan.rate is None else f"{plan.rate:g} events/s"
    yield f"{plan.handler} at {plan.address.url}: {plan.sessions:,} sessions, {pace}, {result.measured:.1f} s measured"
    yield f"  throughput  {per_second(result):,.1f} events/s"
    yield f"  events      {tally.events_fired:,} fired in all, {tally.events_ended:,} ended"
    latencies = tally.latencies()
    if latencies is not None:
        yield "  latency ms  " + "  ".join(f"{name} {value:.2f}" for name, value in latencies.items())
    for title, counter in (("errors", tally.errors), ("rejections", tally.rejections), ("closes", tally.closes)):
        if counter:
            yield f"  {title:<10}  " + ", ".join(f"{code}: {count:,}" for code, count in counter.items())
    if tally.reconnects or tally.failed_connects:
        yield f"  reconnects  {tally.reconnects:,}, and {tally.failed_connects:,} attempts failed"
    yield f"  generator   {result.cpu:.0%} of a core, late by {result.lag * 1000:.1f} ms at worst"
    yield from _warnings(result)
    yield from _verdict(result)


def _warnings(result: Result) -> Iterator[str]:
    if result.cpu > BUSY or result.lag > LATE:
        yield "  The load generator was short of CPU: the deployment is quicker than these figures. Share the load out."
    if result.tally.rejections:
        yield "  What was rejected was sent again later, and its latency counts from when it was due."


def _verdict(result: Result) -> Iterator[str]:
    tally = result.tally
    if tally.problems:
        yield "  WRONG       " + ", ".join(f"{kind}: {count:,}" for kind, count in tally.problems.items())
        yield from (f"              {text}" for text in tally.details)
    elif tally.errors:
        yield "  WRONG       every event ended once, but some with an error"
    elif result.plan.key is None:
        yield "  right       every event ended once, no update is missing"
    else:
        key = ".".join(result.plan.key)
        yield f"  right       every event ended once, no update is missing, every `{key}` is exact"
