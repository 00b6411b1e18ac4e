"""Which files are an app's own: those in its directory, without what is installed or hidden there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

#: Directories whose content nobody wrote for the app.
FOREIGN = frozenset({"__pycache__", "site-packages", "dist-packages", "node_modules"})


def is_own(file: Path, directory: Path) -> bool:
    """Tell whether a file is the app's: below its directory, but in no virtual environment or hidden directory."""
    try:
        between = file.resolve().parent.relative_to(directory.resolve()).parts
    except ValueError:
        return False
    below = directory.resolve()
    for name in between:
        below /= name
        if _is_foreign(below):
            return False
    return True


def own_python_files(directory: Path) -> Iterator[Path]:
    """Give the app's Python files, sorted by their paths."""
    for parent, directories, files in os.walk(directory):
        here = Path(parent)
        directories[:] = sorted(name for name in directories if not _is_foreign(here / name))
        yield from (here / name for name in sorted(files) if name.endswith(".py") and (here / name).is_file())


@lru_cache(1024)
def _is_foreign(directory: Path) -> bool:
    return directory.name in FOREIGN or directory.name.startswith(".") or (directory / "pyvenv.cfg").is_file()
