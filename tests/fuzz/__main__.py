"""`python -m fuzz --minutes 10`: feed the decoders until the time is over, print what breaks them, and exit 1 then.

A failing input is made as small as it gets before it is printed; it belongs into `tests/fuzz/findings.py`.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from fuzz.targets import TARGETS, check

#: Inputs of one round of one target.
ROUND = 200
#: Bytes of addresses that the process may have: an input that makes a decoder ask for more is found by a MemoryError.
MEMORY = 4 * 2**30


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=…", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="decides all inputs")
    parser.add_argument("--only", choices=TARGETS, action="append", help="a target; all unless named")
    options = parser.parse_args()
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # A decoder that ends the whole process leaves its input there.
    last = Path(tempfile.mkdtemp(prefix="fuzz-")) / "last-input"
    print(f"seed {options.seed}; the input under test is in {last}", flush=True)
    tried = dict.fromkeys(options.only or TARGETS, 0)
    broken: set[str] = set()
    deadline, number = time.monotonic() + options.minutes * 60, options.seed
    while time.monotonic() < deadline and tried.keys() - broken:
        number += 1
        for name in [one for one in tried if one not in broken]:
            if time.monotonic() > deadline:
                break
            if not survives(name, number, last):
                broken.add(name)
            tried[name] += ROUND
    for name, count in tried.items():
        verdict = "BROKEN" if name in broken else "ok" if count else "not tried"
        print(f"{name:14} {count:9,} inputs  {verdict}")
    return 1 if broken else 0


def survives(name: str, number: int, last: Path) -> bool:
    """Run one round of a target; print what broke it."""

    @seed(number)
    @settings(
        max_examples=ROUND, deadline=None, database=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(TARGETS[name].inputs)
    def every_input(data: Any) -> None:
        last.write_text(f"{name}\n{data!r}\n")
        check(name, data)

    try:
        every_input()
    except Exception:  # noqa: BLE001 - whatever it is, it is the finding
        print(f"\n{name}, seed {number}:\n{traceback.format_exc()}", flush=True)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
