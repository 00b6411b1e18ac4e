"""The browser client as it is served: its modules joined into one file, without comments and idle space.

A page names it in `<script src>`, and a program imports `connect` from it. Only a module may export, so it is served
in two forms: at `/_mh/client.mjs` always as a module; at `/_mh/client.js` as a script, or as a module to a browser that
says it imports one. Browsers say so over https, and to this machine.

A *part* is what most pages never need: a module that others import by `import("./name.js")`, when they need it. It is
served at `/_mh/name.mjs`, joined with the modules that it alone imports, as a function that is given what it uses of
the client's own: so these are there once, in whichever form the client came. `parts.js` fetches it.

The modules are written so that this is simple: an import has a line of its own, no two modules have a name in common at
their top, text stands in double quotes, and no template stands inside another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path

from flask import Flask, Response, request

MODULES = Path(__file__).parent / "static" / "client"
#: The module that imports all others but parts, and the one that fetches these.
MAIN, PARTS = "main", "parts"

_IMPORT = re.compile(r'^import \{ (.*) \} from "\./(\w+)\.js";\n', re.MULTILINE)
_PART = re.compile(r'\bimport\("\./(\w+)\.js"\)')
_EXPORT = re.compile(r"^export (?:async )?(?:function|const|class) (\w+)", re.MULTILINE)
#: Text, templates and regular expressions, which stay as they are; a division at worst keeps its space, too.
_QUOTED = re.compile(r'("(?:[^"\\\n]|\\.)*"|`[^`]*`|/[^/\n]+/)')
_SPACE = re.compile(r" *([=<>?:,;{}()&|!]+) *")
#: Ends of lines where no statement ends, or one that ends with its brace.
_BREAK = re.compile(r"(?<=[;{},(&|?:=])\n")
_LEFT_OUT = re.compile(r"/\*\*(?:.|\n)*?\*/ ?|(?:^|(?<=[;{},]) +) *// .*$|^export |^[ ]+|^\n", re.MULTILINE)
#: Where a file came from, which a script is told otherwise than a module.
_URL = "import.meta.url"
_SCRIPT = '(() => {{\n"use strict";\n{}}})();\n'
_MODULE = "{}export {{ connect }};\n"
_PART_MODULE = "export default ({{{}}}) => {{\n{}return {{{}}};\n}};\n"


@cache
def client_script(*, module: bool) -> bytes:
    """Give the file in one of its forms."""
    used = sorted({name for part in parts() for name in _used(part)})
    joined = _joined(_core()) + f"Object.assign(CORE,{{{','.join(used)}}});\n"
    if module:
        return _ascii(_MODULE.format(joined))
    return _ascii(_SCRIPT.format(joined.replace(_URL, "document.currentScript.src")))


@cache
def parts() -> tuple[str, ...]:
    """Give the names of all parts."""
    return tuple(sorted(set(_PART.findall(_shorten("\n".join(_read(path.stem) for path in MODULES.glob("*.js")))))))


@cache
def part_script(name: str) -> bytes:
    """Give a part as it is served."""
    joined, made = _joined(part_modules(name)), _EXPORT.findall(_read(name))
    return _ascii(_PART_MODULE.format(",".join(_used(name)), joined, ",".join(made)))


def part_modules(name: str) -> list[str]:
    """Give the names of the modules that a part consists of."""
    return [one for one in _in_order(name, {}) if one not in _core()]


def _used(part: str) -> list[str]:
    """Give the names that a part has from the client's own modules."""
    imports = [found for one in part_modules(part) for found in _IMPORT.findall(_read(one))]
    used = {name for names, module in imports if module in _core() for name in names.split(", ")}
    # One that imports another part has that fetched, too. Comments name types so.
    if any(_PART.search(_shorten(_read(one))) for one in part_modules(part)):
        used.add("part")
    return sorted(used)


@cache
def _core() -> tuple[str, ...]:
    """Give the names of the client's own modules, each behind those that it imports."""
    return tuple(_in_order(MAIN, _in_order(PARTS, {})))


def _joined(names: Iterable[str]) -> str:
    # Comments name types by `import(…)`, too.
    return _PART.sub(r'part("\1")', _shorten("".join(_IMPORT.sub("", _read(name)) for name in names)))


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
    for _, imported in _IMPORT.findall(_read(name)):
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
    for name in parts():
        app.add_url_rule(f"/_mh/{name}.mjs", f"client_{name}", partial(lambda name: serve(part_script(name)), name))


def _is_imported() -> bool:
    return request.headers.get("Sec-Fetch-Mode") == "cors" and request.headers.get("Sec-Fetch-Dest") == "script"
