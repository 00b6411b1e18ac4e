"""`python -m chaos --minutes 20 --seed 1`: torment a fleet, print what it survived, exit 1 on any violation."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from chaos.campaign import Plan, run, table


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="make chaos ARGS=…", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="decides faults and load")
    parser.add_argument("--sessions", type=int, default=16, help="(default: %(default)s)")
    parser.add_argument("--rate", type=float, default=50.0, help="events a second in all (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--own-broker", action="store_true", help="Celery's broker is a Redis of its own")
    options = parser.parse_args()
    plan = Plan(options.seed, options.minutes * 60, options.sessions, options.rate, options.workers, options.own_broker)
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    print(f"seed {plan.seed}, logs in {directory}", flush=True)
    report = run(plan, directory, lambda text: print(text, flush=True))
    print(f"\n{table(report)}")
    if report.findings.violations:
        print(f"\nlogs are kept in {directory}")
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
