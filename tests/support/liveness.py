"""Tell which processes live, for tests of what ends them."""

from __future__ import annotations

from pathlib import Path

from support.waiting import wait_until

#: Seconds within which a process that is to end has ended, on a busy machine.
DEADLINE = 20.0


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and was not collected yet does not."""
    return _stat(pid) not in (None, "Z")


def wait_until_dead(pid: int) -> None:
    """Wait for the end of a process that need not be a child of ours."""
    wait_until(lambda: not is_alive(pid), DEADLINE, f"end of process {pid}")


def descendants(pid: int) -> list[int]:
    """Give the process ids of all children, their children included."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(child), *descendants(int(child))]
    return found


def _stat(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None
