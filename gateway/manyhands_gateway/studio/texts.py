"""Files as an editor in a page has them: text with the line ends of the web, and back to those of the file."""

from __future__ import annotations

from typing import Any

from manyhands_gateway.studio.app_folder import AppFolder, Content, FileRefused
from manyhands_gateway.studio.line_ends import as_before, for_the_web
from manyhands_gateway.studio.python_code import append_function, find_syntax_error

#: What some editors put before UTF-8. It is the file's, and nobody sees it.
BOM = "\ufeff"


def read_text(folder: AppFolder, name: str) -> dict[str, Any]:
    """Give a file's text. Raises `FileRefused`."""
    content = folder.read(name)
    _, text = _decode(name, content)
    return {"name": name, "etag": content.etag, "text": for_the_web(text), "syntax": _check(name, text)}


def write_text(folder: AppFolder, name: str, text: str, seen: str | None) -> dict[str, Any]:
    """Write what was edited, with the mark and the line ends that the file had. Raises `FileRefused`."""
    mark = ""
    if seen is not None:
        mark, before = _decode(name, folder.read(name))
        text = as_before(text, before)
    content = folder.write(name, _encode(name, mark + text), seen)
    return {"name": name, "etag": content.etag, "syntax": _check(name, text)}


def append_stub(folder: AppFolder, name: str, code: str, function: str) -> dict[str, Any]:
    """Append a function to a module; gives its name, and the line that it begins in. Raises `FileRefused`."""
    content = folder.read(name)
    mark, text = _decode(name, content)
    longer, named = append_function(text, code, function)
    folder.write(name, _encode(name, mark + longer), content.etag)
    line = longer.rindex(f"def {named}(")
    return {"name": named, "file": name, "line": for_the_web(longer[:line]).count("\n") + 1}


def _check(name: str, text: str) -> dict[str, Any] | None:
    return find_syntax_error(text) if name.endswith(".py") else None


def _decode(name: str, content: Content) -> tuple[str, str]:
    """Give the mark that a file begins with, or nothing, and its text."""
    try:
        text = content.data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileRefused(name, f"it is no text in UTF-8: its byte {error.start} is none of it") from None
    return (BOM, text[1:]) if text.startswith(BOM) else ("", text)


def _encode(name: str, text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise FileRefused(name, "it holds half a character, which can't be saved") from None
