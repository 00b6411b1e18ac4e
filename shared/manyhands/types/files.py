"""Files for the browser, made by the app: what an `<img src>` or the `href` of a download takes."""

from __future__ import annotations

import base64
import mimetypes
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from manyhands.errors import AppError, DamagedValue
from manyhands.extension_types import Extension
from manyhands.types import REGISTERED, Code
from manyhands.wire import MOST_INLINE

#: What is said of bytes of which nothing is known: browsers save such a file.
_UNKNOWN = "application/octet-stream"
#: Whether the files that this thread encodes are kept apart.
_APART = ContextVar("files_apart", default=False)
_MIME_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?:; ?[\w-]+=[\w.+-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class File:
    """Bytes and what they are. Browsers get a URL of it, a `data:` URL if it is small."""

    data: bytes
    mime_type: str


def pack_bytes(data: bytes | bytearray | memoryview, mime_type: str = _UNKNOWN) -> File:
    """Make a file for the browser. Raises `AppError` for what is no bytes, and no type."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise AppError(f"pack_bytes got a {type(data).__name__}; expected bytes, such as `text.encode()`")
    if not isinstance(mime_type, str) or not _MIME_TYPE.fullmatch(mime_type):
        raise AppError(f"pack_bytes got the type {mime_type!r}; expected one such as 'image/png'")
    return File(bytes(data), mime_type)


def pack_file(file: str | os.PathLike[str] | BinaryIO, mime_type: str | None = None) -> File:
    """Read a file, by its path or one that is open for reading bytes, and make a file for the browser.

    Without `mime_type` its name tells the type. Raises `OSError` for one that can't be read.
    """
    if isinstance(file, (str, os.PathLike)):
        data, name = Path(file).read_bytes(), os.fspath(file)
    else:
        data, name = file.read(), str(getattr(file, "name", ""))
    return pack_bytes(data, mime_type or mimetypes.guess_type(name)[0] or _UNKNOWN)


@contextmanager
def kept_apart() -> Iterator[None]:
    """Let `codec.encode_with_view` make no views of large files meanwhile: they are served over HTTP as they are."""
    token = _APART.set(True)
    try:
        yield
    finally:
        _APART.reset(token)


def is_apart(value: object) -> bool:
    """Tell whether a value is a file that has no view, since it is kept apart from the state."""
    return type(value) is File and len(value.data) > MOST_INLINE and _APART.get()


def _unpack(packed: Any) -> File:
    data, mime_type = packed
    if not isinstance(data, bytes) or not isinstance(mime_type, str) or not _MIME_TYPE.fullmatch(mime_type):
        raise DamagedValue("a file without bytes or without a type")
    return File(data, mime_type)


def _view(file: File) -> str:
    return f"data:{file.mime_type};base64,{base64.b64encode(file.data).decode()}"


FILE = Extension(Code.FILE, lambda file: [file.data, file.mime_type], _unpack, _view)
BY_CODE = {FILE.code: FILE}
REGISTERED[File] = FILE
