"""The files of the app that the studio shows and writes, and no others.

A name is taken apart and opened directory by directory, none of them a link, so that nothing outside of the app's
directory can be reached, whatever is put there meanwhile. A file is replaced as a whole: whoever reads it, the reloader
above all, sees the old text or the new one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from manyhands.app_files import FOREIGN
from manyhands.errors import ManyHandsError

#: What the studio edits, by the ends of the files' names.
SUFFIXES = frozenset({".py", ".html", ".css", ".js", ".mjs", ".json", ".md", ".txt", ".toml", ".csv", ".svg"})
#: Bytes of the largest file that is shown.
LARGEST = 2 * 2**20
#: Files that are listed.
MOST_FILES = 1000
#: Characters of a name, and parts of it.
LONGEST_NAME, DEEPEST = 300, 12
#: Bytes of the hash by which a text is known.
HASH_BYTES = 12

#: What Windows takes for devices, in any directory and with any suffix.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FileRefused(ManyHandsError):
    """The studio doesn't read or write that file; `status` is how HTTP says why."""

    def __init__(self, name: str, why: str, status: int = 400) -> None:
        self.name, self.status = name, status
        shown = name if len(name) <= 80 else f"{name[:77]}..."
        super().__init__(f"{shown!r}: {why}")


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds, and the hash by which whoever writes it says what they have seen."""

    data: bytes
    etag: str

    @classmethod
    def of(cls, data: bytes) -> Content:
        """Make one."""
        return cls(data, blake2b(data, digest_size=HASH_BYTES).hexdigest())


class AppFolder:
    """The directory of one app. Its own place may be a link; nothing below it is followed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()

    def names(self) -> list[str]:
        """List the files that can be opened, Python's first."""
        found: list[str] = []
        for parent, directories, files in os.walk(self._directory):
            below = Path(parent).relative_to(self._directory)
            directories[:] = sorted(one for one in directories if not self._is_foreign(Path(parent) / one))
            for name in sorted(files):
                file = Path(parent) / name
                if _is_editable(name) and stat.S_ISREG(file.lstat().st_mode):
                    found.append((below / name).as_posix())
            if len(found) > MOST_FILES:
                break
        return sorted(found[:MOST_FILES], key=lambda name: (not name.endswith(".py"), name.count("/"), name))

    def read(self, name: str) -> Content:
        """Give a file's content. Raises `FileRefused`."""
        with self._parent_of(name) as (parent, last):
            try:
                descriptor = os.open(last, _FILE, dir_fd=parent)
            except OSError as error:
                raise _explain(name, error) from None
            try:
                return Content.of(_read_plain(name, descriptor))
            finally:
                os.close(descriptor)

    def write(self, name: str, data: bytes, seen: str | None) -> Content:
        """Replace a file, or make one where `seen` is None. Raises `FileRefused`.

        `seen`: the hash of what the writer took the file to hold; where it holds something else by now, nothing is
        written.
        """
        if len(data) > LARGEST:
            raise FileRefused(name, f"it would be larger than {LARGEST >> 20} MiB", 413)
        with self._parent_of(name) as (parent, last):
            mode = self._check_seen(name, seen)
            temporary = f".{secrets.token_hex(8)}.studio"
            try:
                _write_new(parent, temporary, data, mode)
                os.rename(temporary, last, src_dir_fd=parent, dst_dir_fd=parent)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=parent)
                raise _explain(name, error) from None
        return Content.of(data)

    def _check_seen(self, name: str, seen: str | None) -> int:
        """Give the mode of the file that is replaced. Raises `FileRefused` unless it holds what was seen."""
        try:
            there = self.read(name)
        except FileRefused as error:
            if error.status != 404:
                raise
            if seen is not None:
                why = "it was deleted meanwhile; save it under a new name to make it again"
                raise FileRefused(name, why, 409) from None
            return 0o644
        if seen is None:
            raise FileRefused(name, "it exists already; open it to change it", 409)
        if there.etag != seen:
            raise FileRefused(name, "it was changed by somebody else meanwhile; reload it and change it again", 409)
        return stat.S_IMODE(self._directory.joinpath(name).lstat().st_mode)

    @contextlib.contextmanager
    def _parent_of(self, name: str) -> Iterator[tuple[int, str]]:
        """Open the directory that a file lies in. Gives its descriptor and the last part of the name."""
        *above, last = _parts_of(name)
        parent = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in above:
                try:
                    below = os.open(part, _DIRECTORY, dir_fd=parent)
                except OSError as error:
                    raise _explain(name, error) from None
                os.close(parent)
                parent = below
                if _has_file(parent, "pyvenv.cfg"):
                    raise FileRefused(name, "it lies in a virtual environment")
            yield parent, last
        finally:
            os.close(parent)

    @staticmethod
    def _is_foreign(directory: Path) -> bool:
        name = directory.name
        return _is_hidden(name) or directory.is_symlink() or (directory / "pyvenv.cfg").is_file()


def _parts_of(name: str) -> list[str]:
    """Take a name apart. Raises `FileRefused` for one that may lead anywhere else than to a file of the app's."""
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or "\\" in name or ":" in name:
        raise FileRefused(name, "that is no name of a file: write it as in static/style.css")
    parts = name.split("/")
    if any(part in ("", ".", "..") or part != part.strip(" ") or part.endswith(".") for part in parts):
        raise FileRefused(name, "a name begins in the app's directory and stays there, as static/style.css does")
    if len(parts) > DEEPEST:
        raise FileRefused(name, f"it lies more than {DEEPEST} directories deep")
    if any(_RESERVED.fullmatch(part) for part in parts):
        raise FileRefused(name, "Windows takes it for a device, so that nobody there could have the app")
    if any(_is_hidden(part) for part in parts):
        raise FileRefused(name, "hidden files, and what was installed, are not shown here")
    if not _is_editable(parts[-1]):
        raise FileRefused(name, f"the studio edits {', '.join(sorted(SUFFIXES))} alone")
    return parts


def _is_hidden(name: str) -> bool:
    # Some file systems take .GIT and Node_Modules for what they resemble.
    return name.startswith(".") or name.casefold() in FOREIGN


def _is_editable(name: str) -> bool:
    return not _is_hidden(name) and Path(name).suffix.casefold() in SUFFIXES


def _has_file(directory: int, name: str) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    return False


def _read_plain(name: str, descriptor: int) -> bytes:
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        raise FileRefused(name, "it is no plain file")
    if about.st_size > LARGEST:
        raise FileRefused(name, f"it is larger than {LARGEST >> 20} MiB", 413)
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        return file.read()


def _write_new(parent: int, name: str, data: bytes, mode: int) -> None:
    with os.fdopen(os.open(name, _NEW, mode, dir_fd=parent), "wb") as file:
        file.write(data)
        os.fchmod(file.fileno(), mode)


def _explain(name: str, error: OSError) -> FileRefused:
    if error.errno == errno.ENOENT:
        return FileRefused(name, "it does not exist", 404)
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
        return FileRefused(name, "it is, or lies behind, a link, which the studio does not follow")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return FileRefused(name, f"it can't be read or written: {error.strerror}", 403)
    return FileRefused(name, str(error.strerror or error))
