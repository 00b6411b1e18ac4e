"""The browser client as it is served: its modules joined into one file, without comments and idle space.

A page names it in `<script src>`, and a program imports `connect` from it. Only a module may export, so it is served
in two forms: at `/_mh/client.mjs` always as a module; at `/_mh/client.js` as a script, or as a module to a browser that
says it imports one. Browsers say so over https, and to this machine. What handlers ask of the page is done by a file of
its own, `/_mh/page.mjs`, which the client fetches when something is asked for.

The modules are written so that this is simple: an import has a line of its own, no two modules have a name in common at
their top, text stands in double quotes, and no template stands inside another one.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from flask import Flask, Response, request

MODULES = Path(__file__).parent / "static" / "client"
#: The module that imports all others, and the one for what handlers ask of the page, which is served apart.
MAIN, PAGE = "main", "page"

_IMPORT = re.compile(r'^import \{.*\} from "\./(\w+)\.js";\n', re.MULTILINE)
#: Text, templates and regular expressions, which stay as they are; a division at worst keeps its space, too.
_QUOTED = re.compile(r'("(?:[^"\\\n]|\\.)*"|`[^`]*`|/[^/\n]+/)')
_SPACE = re.compile(r" *([=<>?:,;{}()&|!]+) *")
#: Ends of lines where no statement ends, or one that ends with its brace.
_BREAK = re.compile(r"(?<=[;{},(&|?:=])\n")
_LEFT_OUT = re.compile(r"/\*\*(?:.|\n)*?\*/ ?|(?:^|(?<=[;{},]) +) *// .*$|^export |^[ ]+|^\n", re.MULTILINE)
#: Where a file came from, which a script is told otherwise than a module.
_URL = "import.meta.url"
_SCRIPT = '(() => {{\n"use strict";\n{}}})();\n'
_MODULE = "{}export {{ {} }};\n"


@cache
def client_script(*, module: bool) -> bytes:
    """Give the file in one of its forms."""
    joined = _joined(MAIN)
    if module:
        return _ascii(_MODULE.format(joined, "connect"))
    return _ascii(_SCRIPT.format(joined.replace(_URL, "document.currentScript.src")))


@cache
def page_script() -> bytes:
    """Give what does what handlers ask of the page, a module."""
    return _ascii(_MODULE.format(_joined(PAGE), "act"))


def _joined(main: str) -> str:
    return _shorten("".join(_IMPORT.sub("", _read(name)) for name in _in_order(main, {})))


def _ascii(text: str) -> bytes:
    # A page that does not say how it is encoded may have its scripts misread.
    return text.encode("ascii", "backslashreplace")


def _shorten(text: str) -> str:
    # What stands at the beginning of a line shows only once what stood before it is gone.
    while (shorter := _LEFT_OUT.sub("", text)) != text:
        text = shorter
    parts = _QUOTED.split(text)
    parts[::2] = [_BREAK.sub("", _SPACE.sub(r"\1", part)) for part in parts[::2]]
    return "".join(parts)


def _in_order(name: str, found: dict[str, None]) -> dict[str, None]:
    """Give a module's name behind those of all that it imports."""
    for imported in _IMPORT.findall(_read(name)):
        if imported not in found:
            _in_order(imported, found)
    found[name] = None
    return found


def _read(name: str) -> str:
    return (MODULES / f"{name}.js").read_text("utf-8")


def add_client(app: Flask) -> None:
    """Add the client to an application."""

    def serve(script: bytes) -> Response:
        answer = Response(script, mimetype="text/javascript")
        answer.headers["Cache-Control"] = "no-cache"
        answer.vary.update(("Sec-Fetch-Mode", "Sec-Fetch-Dest"))
        answer.add_etag()
        answer.make_conditional(request)
        return answer

    app.add_url_rule("/_mh/client.js", "client", lambda: serve(client_script(module=_is_imported())))
    app.add_url_rule("/_mh/client.mjs", "client_module", lambda: serve(client_script(module=True)))
    app.add_url_rule("/_mh/page.mjs", "client_page", lambda: serve(page_script()))


def _is_imported() -> bool:
    return request.headers.get("Sec-Fetch-Mode") == "cors" and request.headers.get("Sec-Fetch-Dest") == "script"
