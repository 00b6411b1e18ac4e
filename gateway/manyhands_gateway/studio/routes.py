"""The studio over HTTP: its page, its files, and what they ask for, as JSON below `/_mh/studio`."""

from __future__ import annotations

import keyword
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, abort, g, jsonify, request

from manyhands.app_location import AppLocation
from manyhands.settings import Settings
from manyhands.stubs import STUBS
from manyhands.verifiers import EDIT_STATE, RESET_STATE
from manyhands_gateway.client_files import MODULES
from manyhands_gateway.frames import encode_json
from manyhands_gateway.gateway import Gateway
from manyhands_gateway.http_sessions import HttpSessions
from manyhands_gateway.studio.access import find_fault
from manyhands_gateway.studio.app_folder import AppFolder, FileRefused
from manyhands_gateway.studio.feed import StudioFeed
from manyhands_gateway.studio.marked_page import mark
from manyhands_gateway.studio.page_tags import PAGE, describe_page, set_attribute
from manyhands_gateway.studio.python_code import find_syntax_error
from manyhands_gateway.studio.session_acts import ActRefused, act, whole_state
from manyhands_gateway.studio.texts import append_stub, read_text, write_text

PATH = "/_mh/studio"
PAGES = Path(__file__).parent / "pages"
#: Modules of the client that the studio's pages import as well.
OF_CLIENT = ("msgpack.js", "paths.js")
#: Said by the studio's frame of the app's page.
FRAMED = "mh-studio"
#: Of the studio's own page: nobody may frame it, and nothing comes from elsewhere.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
#: Bytes of a request.
LARGEST_REQUEST = 4 * 2**20
#: Seconds that a page may wait for the next entries of the feed.
LONGEST_WAIT = 15.0


def add_studio(app: Flask, settings: Settings, gateway: Gateway, location: AppLocation | None) -> None:
    """Add the studio to an application, where there is one: while developing, with an app at hand."""
    if gateway.studio is None or location is None:
        return
    folder = AppFolder(location.directory)
    blueprint = Blueprint("mh_studio", __name__, url_prefix=PATH)
    blueprint.before_request(_guard)
    blueprint.register_error_handler(FileRefused, _say_why)
    blueprint.register_error_handler(ActRefused, _say_why)
    _add_pages(blueprint)
    _add_app(blueprint, gateway.studio, folder, location)
    _add_files(blueprint, folder, location.file.name)
    _add_session(blueprint, gateway, gateway.studio, HttpSessions(settings, gateway.files))
    app.register_blueprint(blueprint)
    app.before_request(lambda: _framed_page(folder, settings))


def _guard() -> None:
    request.max_content_length = LARGEST_REQUEST
    fault = find_fault(request.method, request.remote_addr, dict(request.headers))
    if fault is not None:
        abort(403, fault)


def _framed_page(folder: AppFolder, settings: Settings) -> Response | None:
    """Answer the studio's frame with the app's page, marked; whoever else asks gets the page as it is."""
    if request.path != "/" or FRAMED not in request.args or request.method != "GET":
        return None
    _guard()
    try:
        page = folder.read(PAGE).data
    except FileRefused:
        return None
    g.mh_policy = settings.content_security_policy.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
    return Response(mark(page), mimetype="text/html", headers={"Cache-Control": "no-store"})


def _say_why(error: FileRefused | ActRefused) -> tuple[Response, int]:
    return jsonify(error=str(error)), error.status


def _add_pages(blueprint: Blueprint) -> None:
    def page() -> Response:
        g.mh_policy = POLICY
        return file("studio.html")

    def file(name: str) -> Response:
        # Small, and read anew each time: whoever works on the studio itself reloads the page.
        directory = MODULES if name in OF_CLIENT else PAGES
        return _fresh(Response((directory / name).read_bytes(), mimetype=TYPES[Path(name).suffix]))

    blueprint.add_url_rule("", "page", page)
    own = (one.name for one in sorted(PAGES.iterdir()) if one.suffix in TYPES)
    names = ", ".join(f'"{name}"' for name in (*own, *OF_CLIENT))
    blueprint.add_url_rule(f"/<any({names}):name>", "file", file)


def _fresh(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _add_app(blueprint: Blueprint, feed: StudioFeed, folder: AppFolder, location: AppLocation) -> None:
    main = location.file.name

    def app() -> Response:
        stubs = {event: {"code": stub.code(), "doc": stub.doc} for event, stub in STUBS.items()}
        about = {"directory": location.directory.name, "main": main, "stubs": stubs}
        return _json({**about, "app": feed.workers.app(), "has_page": PAGE in folder.names()})

    def tags() -> Response:
        known = feed.workers.app()
        handlers = None if known is None else [one["name"] for one in known["handlers"]]
        return _json(describe_page(folder, handlers, main))

    def set_tag() -> Response:
        asked = _body(etag=str, at=int, name=str, value=str)
        return _json({"etag": set_attribute(folder, **asked)})

    def stub() -> Response:
        event = _body(event=str)["event"]
        if event not in STUBS:
            abort(400, f"there is no event {event[:40]!r}")
        name = (request.get_json() or {}).get("function", STUBS[event].name)
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            abort(400, "`function` is a name that a function can have")
        return _json(append_stub(folder, main, STUBS[event].code(name), name))

    blueprint.add_url_rule("/app", "app", app)
    blueprint.add_url_rule("/tags", "tags", tags)
    blueprint.add_url_rule("/tags", "set_tag", set_tag, methods=["PUT"])
    blueprint.add_url_rule("/stubs", "stub", stub, methods=["POST"])


def _add_files(blueprint: Blueprint, folder: AppFolder, main: str) -> None:
    def files() -> Response:
        return _json({"main": main, "names": folder.names()})

    def read() -> Response:
        return _json(read_text(folder, request.args.get("name", "")))

    def write() -> Response:
        asked = _body(text=str)
        seen = (request.get_json() or {}).get("etag")
        if not isinstance(seen, str | None):
            abort(400, "`etag` is a string, or null for a new file")
        return _json(write_text(folder, request.args.get("name", ""), asked["text"], seen))

    def syntax() -> Response:
        return _json({"syntax": find_syntax_error(_body(text=str)["text"])})

    blueprint.add_url_rule("/files", "files", files)
    # Names stand in the query, where no part of them is taken for a part of the address.
    blueprint.add_url_rule("/file", "read", read)
    blueprint.add_url_rule("/file", "write", write, methods=["PUT"])
    blueprint.add_url_rule("/syntax", "syntax", syntax, methods=["POST"])


def _add_session(blueprint: Blueprint, gateway: Gateway, feed: StudioFeed, sessions: HttpSessions) -> None:
    def entries() -> Response:
        session = sessions.named()
        since = request.args.get("since", 0, type=int) if request.args.get("epoch") == feed.epoch else 0
        wait = min(max(request.args.get("wait", 0.0, type=float), 0.0), LONGEST_WAIT)
        found = feed.since(since, 0 if gateway.draining else wait)
        shown = [{**entry, "own": entry.get("session") == session, "number": number} for number, entry in found]
        return _json({"epoch": feed.epoch, "entries": shown})

    def state() -> Response:
        return Response(whole_state(gateway, _demand(sessions)), mimetype="application/json")

    def edit() -> Response:
        asked = _body(path=list)
        body = request.get_json()
        path, room = asked["path"], body.get("room")
        removes = body.get("remove") is True
        if not path or not all(isinstance(name, str) for name in path) or ("value" in body) is removes:
            abort(400, "expected `path`, a list of strings that is not empty, and either `value` or `remove`: true")
        if not isinstance(room, str | None):
            abort(400, "`room` is the name of one, or null for the session's own state")
        payload = {"room": room, "path": path, "value": body.get("value"), "remove": removes}
        return _json(act(gateway, _demand(sessions), EDIT_STATE, payload))

    def reset() -> Response:
        return _json(act(gateway, _demand(sessions), RESET_STATE, None))

    blueprint.add_url_rule("/feed", "feed", entries)
    blueprint.add_url_rule("/state", "state", state)
    blueprint.add_url_rule("/state", "edit", edit, methods=["PUT"])
    blueprint.add_url_rule("/state", "reset", reset, methods=["DELETE"])


def _demand(sessions: HttpSessions) -> str:
    session = sessions.named()
    if session is None:
        abort(401, "name the session: `Authorization: Bearer` and its token, or its cookie")
    return session


def _body(**expected: type) -> dict[str, Any]:
    """Give what a request's body holds under some names. Answers 400 where it holds anything else."""
    body = request.get_json()
    for name, kind in expected.items():
        if not isinstance(body, dict) or type(body.get(name)) is not kind:
            abort(400, f"expected a JSON object with `{name}`, of type {kind.__name__}")
    return {name: body[name] for name in expected}


def _json(value: object) -> Response:
    return _fresh(Response(encode_json(value), mimetype="application/json"))
