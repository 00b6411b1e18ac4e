"""The directory `.manyhands` beside an app, where `manyhands dev` keeps what shall survive its restarts."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from manyhands.errors import ManyHandsError

NAME = ".manyhands"

#: Seconds to wait for the lock: the children of a `dev` that was killed hold it until the kernel has ended them.
LOCK_TIMEOUT = 1.0


class DevFolderError(ManyHandsError):
    """The directory can't be used: it can't be written, or another `manyhands dev` uses it."""


class DevFolder:
    """The directory, locked while one `manyhands dev` uses it, so that two never write the same data."""

    def __init__(self, app_directory: Path) -> None:
        self.path = app_directory.resolve() / NAME
        #: The descriptor that holds the lock. Whoever inherits it holds the lock too, until it ends.
        self.lock = -1

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
            (self.path / ".gitignore").write_text("*\n")
            self.lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DevFolderError(
                f"`manyhands dev` can't write {error.filename}: {error.strerror}; "
                "it keeps its data beside the app, so make that directory writable"
            ) from error
        self._take_lock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self.lock)

    def secret(self) -> str:
        """Give the key that signs this app's session tokens, the same one each time."""
        file = self.path / "secret"
        if not file.exists() or len(file.read_text().strip()) < 16:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
                opened.write(secrets.token_urlsafe(32) + "\n")
        return file.read_text().strip()

    def _take_lock(self) -> None:
        deadline = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise self._already_used() from None
                time.sleep(0.02)
            else:
                os.ftruncate(self.lock, 0)
                os.pwrite(self.lock, str(os.getpid()).encode(), 0)
                return

    def _already_used(self) -> DevFolderError:
        owner = os.pread(self.lock, 20, 0).decode(errors="replace") or "unknown"
        os.close(self.lock)
        return DevFolderError(
            f"another `manyhands dev` (process {owner}) runs the app in {self.path.parent}; "
            "use that one, or stop it first"
        )
