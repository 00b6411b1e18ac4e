"""What handlers ask of the page: the methods that a session's state has beside those of a dict.

A call is checked at once and travels with the event's next commit, so it reaches the page once, together with what was
assigned before it. The names, and the order of the parameters, are those of Writer Framework.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from manyhands.errors import AppError
from manyhands.mail import make_piece
from manyhands.schema import describe
from manyhands.state_values import Handle
from manyhands.types.files import File, pack_bytes
from manyhands.wire import Key, Mail

Kind = Literal["info", "success", "warning", "error"]

#: What a URL may begin with that a browser opens, and one whose content becomes part of the page. Others run scripts,
#: or read what is on the user's machine.
_OPENED, _FETCHED = ("http", "https", "mailto", "tel"), ("http", "https")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
#: Browsers drop some of these, so that what stands around them could become another scheme.
_BLANK = re.compile(r"[\x00-\x20\x7f\\]")
_NOT_IN_A_FILE_NAME = re.compile(r"[\x00-\x1f\x7f/\\]")
#: Characters of a file's name that every file system takes.
_LONGEST_NAME = 200


class PageActions(Handle):
    """The methods. Each raises `AppError` for what no page could do.

    `everyone`: to all tabs of the session, and not only to the one that fired the event.
    """

    __slots__ = ()

    def add_notification(self, type: Kind, title: str, message: str = "", *, everyone: bool = False) -> None:  # noqa: A002
        """Show a notification."""
        if type not in get_args(Kind):
            raise _wrong("add_notification", "type", f"one of {', '.join(get_args(Kind))}", type)
        said = {Key.TITLE: title, Key.MESSAGE: message}
        for name, text in said.items():
            if not isinstance(text, str):
                raise _wrong("add_notification", name, "text", text)
        self._post(Mail.ADD_NOTIFICATION, {Key.KIND: type, **said}, everyone)

    def file_download(self, data: bytes | File, file_name: str, *, everyone: bool = False) -> None:
        """Let the user save bytes, or what `pack_bytes` or `pack_file` made, under a name."""
        if not isinstance(data, (bytes, bytearray, memoryview, File)):
            raise _wrong("file_download", "data", "bytes, such as `text.encode()`, or what pack_file gives", data)
        _check_text("file_download", "file_name", file_name)
        if _NOT_IN_A_FILE_NAME.search(file_name) or file_name in (".", "..") or len(file_name) > _LONGEST_NAME:
            raise _wrong("file_download", "file_name", "a name without a path, such as 'report.csv'", file_name)
        file = data if isinstance(data, File) else pack_bytes(data)
        self._post(Mail.FILE_DOWNLOAD, {Key.NAME: file_name}, everyone, file)

    def open_url(self, url: str, *, everyone: bool = False) -> None:
        """Open a URL in a new tab."""
        self._post(Mail.OPEN_URL, {Key.URL: _checked_url("open_url", "url", url, _OPENED)}, everyone)

    def set_page(self, active_page_key: str, *, everyone: bool = False) -> None:
        """Put a page's key into the address, before the route variables that are there."""
        _check_text("set_page", "active_page_key", active_page_key)
        if "/" in active_page_key:
            raise _wrong("set_page", "active_page_key", "a key without `/`, such as 'results'", active_page_key)
        self._post(Mail.SET_PAGE, {Key.PAGE: active_page_key}, everyone)

    def set_route_vars(self, route_vars: Mapping[str, str | int | float | None], *, everyone: bool = False) -> None:
        """Put variables into the address, beside others that are there; None takes one out."""
        if not isinstance(route_vars, Mapping):
            raise _wrong("set_route_vars", "route_vars", "a dict such as {'id': '7'}", route_vars)
        for name, value in route_vars.items():
            _check_text("set_route_vars", "a variable's name", name)
            if value is not None and not isinstance(value, (str, int, float)):
                raise _wrong("set_route_vars", name, "text, a number or None", value)
        texts = {name: value if value is None else str(value) for name, value in route_vars.items()}
        self._post(Mail.SET_ROUTE_VARS, {Key.VARS: texts}, everyone)

    def import_stylesheet(self, stylesheet_key: str, path: str, *, everyone: bool = False) -> None:
        """Add a stylesheet to the page, in the place of the one that had this key."""
        self._import(Mail.IMPORT_STYLESHEET, "stylesheet_key", stylesheet_key, "path", path, everyone)

    def import_script(self, script_key: str, path: str, *, everyone: bool = False) -> None:
        """Add a script to the page, in the place of the one that had this key."""
        self._import(Mail.IMPORT_SCRIPT, "script_key", script_key, "path", path, everyone)

    def import_frontend_module(self, module_key: str, specifier: str, *, everyone: bool = False) -> None:
        """Import a module of the app's, whose functions can be called by this key."""
        self._import(Mail.IMPORT_FRONTEND_MODULE, "module_key", module_key, "specifier", specifier, everyone)

    def call_frontend_function(
        self, module_key: str, function_name: str, args: Sequence[Any] = (), *, everyone: bool = False
    ) -> None:
        """Call a function that a module exports: by the key that it was imported under, or by its path."""
        if not isinstance(args, (list, tuple)):
            raise _wrong("call_frontend_function", "args", "a list", args)
        if not isinstance(function_name, str) or not function_name.isidentifier():
            raise _wrong("call_frontend_function", "function_name", "the name that the module exports", function_name)
        _checked_url("call_frontend_function", "module_key", module_key, _FETCHED)
        said = {Key.MODULE: module_key, Key.NAME: function_name, Key.ARGS: list(args)}
        self._post(Mail.CALL_FRONTEND_FUNCTION, said, everyone)

    def _import(self, type_: Mail, key_name: str, key: str, path_name: str, path: str, everyone: bool) -> None:
        _check_text(type_, key_name, key)
        self._post(type_, {Key.NAME: key, Key.PATH: _checked_url(type_, path_name, path, _FETCHED)}, everyone)

    def _post(self, type_: Mail, said: Mapping[Key, Any], everyone: bool, file: File | None = None) -> None:
        node = self._node
        if node.parent is not None or node.shared.mail is None:
            raise AppError(
                f"{type_} was called on a part of the state, on a room, or outside of a handler; "
                f"call it on what the handler gets as `state`"
            )
        piece = make_piece(type_, said, everyone, file)
        with node.shared:
            node.shared.mail.add(piece)


def _checked_url(method: str, name: str, url: str, schemes: Sequence[str]) -> str:
    _check_text(method, name, url)
    expected = f"a path such as '/static/more', or a URL that begins with {', '.join(f'{one}:' for one in schemes)}"
    scheme = _SCHEME.match(url)
    if _BLANK.search(url) or (scheme and scheme[1].lower() not in schemes):
        raise _wrong(method, name, f"{expected}, without blanks", url)
    return url


def _check_text(method: str, name: str, text: object) -> None:
    if not isinstance(text, str) or not text:
        raise _wrong(method, name, "text", text)


def _wrong(method: str, name: str, expected: str, got: object) -> AppError:
    return AppError(f"state.{method} expected as {name} {expected}, got {describe(got)}")
