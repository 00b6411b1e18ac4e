"""Processes behind one address tell one another their numbers, over Unix sockets in a directory of theirs.

prometheus_client's own way, files mapped into every process, was not taken: each count would go through a lock and a
file instead of one plain number, its own collectors can't be used there, and files of processes that have died stay
and are read at every scrape.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from manyhands.metrics import Snapshot, pack_snapshot, unpack_snapshot

log = logging.getLogger("manyhands.metrics")

#: Seconds that all siblings together get to answer. One that hangs is missing from that scrape.
ANSWER_WITHIN = 2.0
#: Bytes of one read.
READ = 64 * 1024

_SUFFIX = ".sock"


def make_directory() -> Path:
    """Make a directory for the sockets of one command's processes, which only their owner may enter."""
    return Path(tempfile.mkdtemp(prefix="manyhands-"))


def remove_directory(directory: Path) -> None:
    """Remove it with all that is in it."""
    shutil.rmtree(directory, ignore_errors=True)


def answer_siblings(directory: Path, name: str, snapshot: Callable[[], Snapshot]) -> None:
    """Tell this process's numbers to whoever asks, from now on, on a thread (or greenlet) of its own."""
    path = directory / f"{name}{_SUFFIX}"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # A process that had this name before has died.
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen()
    except OSError as error:
        listener.close()
        log.warning("this process's numbers will be missing from /metrics: can't listen on %s: %s", path, error)
        return
    threading.Thread(target=_answer, args=(listener, snapshot), name="manyhands-siblings", daemon=True).start()


def gather(
    directory: Path, own: str | None = None, snapshot: Callable[[], Snapshot] | None = None
) -> Mapping[str, Snapshot]:
    """Ask every process of the directory; `own` is the caller's name, which is not asked but taken."""
    found: dict[str, Snapshot] = {}
    deadline = time.monotonic() + ANSWER_WITHIN
    for path in sorted(directory.glob(f"*{_SUFFIX}"), key=_order):
        name = path.name.removesuffix(_SUFFIX)
        if name == own and snapshot is not None:
            found[name] = snapshot()
            continue
        try:
            found[name] = unpack_snapshot(b"".join(_ask(path, deadline)))
        except (OSError, ValueError) as error:
            # It has died, and gunicorn or the supervisor starts another in its place.
            log.info("process %s does not tell its numbers: %s", name, error)
    if own is not None and own not in found and snapshot is not None:
        found[own] = snapshot()
    return found


def _order(path: Path) -> tuple[int, str]:
    return len(path.name), path.name


def _answer(listener: socket.socket, snapshot: Callable[[], Snapshot]) -> None:
    while True:
        try:
            asking, _ = listener.accept()
        except OSError:
            # Out of files, say: once there are some again, we go on.
            time.sleep(1)
            continue
        with asking, contextlib.suppress(OSError):
            asking.settimeout(ANSWER_WITHIN)
            asking.sendall(pack_snapshot(snapshot()))


def _ask(path: Path, deadline: float) -> Iterator[bytes]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sibling:
        sibling.settimeout(max(deadline - time.monotonic(), 0.01))
        sibling.connect(os.fspath(path))
        while data := sibling.recv(READ):
            yield data
            sibling.settimeout(max(deadline - time.monotonic(), 0.01))
