"""Files as an editor in a page has them: text with the line ends of the web, and back to those of the file."""

from __future__ import annotations

from typing import Any

from manyhands_gateway.studio.app_folder import AppFolder, Content, FileRefused
from manyhands_gateway.studio.python_code import append_function, find_syntax_error

CRLF = "\r\n"


def read_text(folder: AppFolder, name: str) -> dict[str, Any]:
    """Give a file's text. Raises `FileRefused`."""
    content = folder.read(name)
    text = _decode(name, content)
    return {"name": name, "etag": content.etag, "text": text.replace(CRLF, "\n"), "syntax": _check(name, text)}


def write_text(folder: AppFolder, name: str, text: str, seen: str | None) -> dict[str, Any]:
    """Write what was edited, with the line ends that the file had. Raises `FileRefused`."""
    if seen is not None and _has_crlf(_decode(name, folder.read(name))):
        text = text.replace("\n", CRLF)
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        raise FileRefused(name, "it holds half a character, which can't be saved") from None
    content = folder.write(name, data, seen)
    return {"name": name, "etag": content.etag, "syntax": _check(name, text)}


def append_stub(folder: AppFolder, name: str, code: str, function: str) -> dict[str, Any]:
    """Append a function to a module; gives its name, and the line that it begins in. Raises `FileRefused`."""
    content = folder.read(name)
    text = _decode(name, content)
    longer, named = append_function(text, code, function)
    folder.write(name, longer.encode("utf-8"), content.etag)
    line = longer.rindex(f"def {named}(")
    return {"name": named, "file": name, "line": longer.count("\n", 0, line) + 1}


def _check(name: str, text: str) -> dict[str, Any] | None:
    return find_syntax_error(text) if name.endswith(".py") else None


def _has_crlf(text: str) -> bool:
    return CRLF in text and text.count(CRLF) == text.count("\n")


def _decode(name: str, content: Content) -> str:
    try:
        return content.data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileRefused(name, f"it is no text in UTF-8: its byte {error.start} is none of it") from None
