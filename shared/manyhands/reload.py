"""Tell when an app's code has changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

#: Milliseconds of quiet that end a burst of changes, since an editor, or git, writes several files as one change; and
#: the longest wait for that quiet, since the embedded Redis may write its own files below the directory all the time.
QUIET = 50
LONGEST_BURST = 400

#: Directories whose Python files are not the app's own. Those with a leading dot are none either.
FOREIGN = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})


def can_watch() -> bool:
    """Tell whether the package that watches files is installed."""
    return find_spec("watchfiles") is not None


def is_code(relative: Path) -> bool:
    """Tell whether a file, named from the app's directory, is code of the app."""
    foreign = any(part.startswith(".") or part in FOREIGN for part in relative.parts)
    return relative.suffix == ".py" and not foreign


async def code_changes(directory: Path) -> AsyncIterator[list[str]]:
    """Give, for each burst of changes below a directory, the names of the Python files that changed."""
    from watchfiles import awatch

    async for changes in awatch(directory, watch_filter=None, step=QUIET, debounce=LONGEST_BURST):
        named = (Path(path).relative_to(directory) for _, path in changes)
        if code := sorted({str(path) for path in named if is_code(path)}):
            yield code
