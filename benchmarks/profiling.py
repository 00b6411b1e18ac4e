"""Where the time of a running process goes, by function, as py-spy samples it (`pip install py-spy`)."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

#: Samples a second.
RATE = 250
#: Functions in which a thread does nothing but wait, which py-spy can't always tell from work.
WAITING = (
    *("acquire_with_timeout (gevent", "wait (threading.py", "_wait_for_tstate_lock", "select (selectors.py"),
    *("_worker (concurrent/futures", "poll (kombu/utils/eventio.py", "(multiprocessing/"),
)
#: Functions that are shown.
SHOWN = 25


class Profile:
    """Samples one process for some seconds, beside everything else."""

    def __init__(self, name: str, pid: int, seconds: int, directory: Path) -> None:
        self.name, self._file = name, directory / f"{name}.txt"
        command = shutil.which("py-spy") or str(Path(sys.executable).with_name("py-spy"))
        if not Path(command).exists():
            sys.exit("profiles are made by py-spy; run: pip install py-spy")
        arguments = {"-p": pid, "-d": seconds, "-r": RATE, "-f": "raw", "-o": self._file}
        flat = [str(part) for pair in arguments.items() for part in pair]
        quiet = subprocess.DEVNULL
        self._popen = subprocess.Popen([command, "record", *flat], stdout=quiet, stderr=quiet)

    def stop(self) -> None:
        """End it early: what follows is something else."""
        self._popen.send_signal(signal.SIGINT)

    def table(self) -> Iterator[str]:
        """Wait until it is done, and show the functions with the largest shares: their own, and with what they call."""
        self._popen.wait()
        own, whole = count(self._file.read_text("utf-8").splitlines())
        total = own.total() or 1
        yield f"{self.name}: what its functions take by themselves, and with all that they call"
        ours = [function for function, _ in whole.most_common() if "(manyhands" in function]
        for function in ours[:SHOWN]:
            yield f"  {own[function] / total:6.1%} {whole[function] / total:7.1%}  {function}"
        yield "  of all functions, those that take most by themselves:"
        for function, samples in own.most_common(SHOWN):
            yield f"  {samples / total:6.1%}          {function}"


def count(lines: list[str]) -> tuple[Counter[str], Counter[str]]:
    """Count the samples of each function: those in itself, and those in it and whatever it calls."""
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for line in lines:
        stack, _, samples = line.rpartition(" ")
        functions = [re.sub(r":\d+\)$", ")", frame) for frame in stack.split(";")]
        if any(word in functions[-1] for word in WAITING):
            continue
        own[functions[-1]] += int(samples)
        whole.update(dict.fromkeys(functions, int(samples)))
    return own, whole
