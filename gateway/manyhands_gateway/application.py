"""The Flask application of one gateway process: the app's page and files, the socket, and what operators ask."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from flask import Flask, Response, jsonify, render_template, send_from_directory
from werkzeug.exceptions import HTTPException, NotFound

from manyhands.app_location import AppLocation, locate
from manyhands.errors import AppNotFound, Unavailable
from manyhands.metrics import Snapshot
from manyhands.settings import Settings
from manyhands_gateway.blobs import add_blobs
from manyhands_gateway.client_files import add_client
from manyhands_gateway.endpoint import add_socket
from manyhands_gateway.forwarded import Forwarded
from manyhands_gateway.gateway import Gateway
from manyhands_gateway.http_headers import HttpHeaders, make_nonce
from manyhands_gateway.http_sessions import HttpSessions
from manyhands_gateway.metrics_page import add_metrics
from manyhands_gateway.studio.routes import add_studio
from manyhands_gateway.uploads import add_uploads

#: Where the gateway that an application belongs to is found in its `extensions`.
EXTENSION = "manyhands"
#: Suffixes of files that are never served: an app's code may lie beside what it shows.
HIDDEN_SUFFIXES = frozenset({".py", ".pyc", ".pyo", ".pyi"})


def alone(gateway: Gateway) -> Mapping[str, Snapshot]:
    """Give the numbers of a gateway that is a single process."""
    return {"1": gateway.snapshot()}


def create_app(
    settings: Settings, gateway: Gateway | None = None, gather: Callable[[Gateway], Mapping[str, Snapshot]] = alone
) -> Flask:
    """Make the application. `gateway` is started by the caller; None makes one of the real parts.

    `gather` gives the numbers of all processes that listen at the same port.
    """
    directory = find_directory(settings)
    gateway = gateway or Gateway(settings)
    # Flask's own static folder would serve dotfiles and code.
    app = Flask(__name__, static_folder=None, template_folder="templates")
    app.extensions[EXTENSION] = gateway
    app.wsgi_app = Forwarded(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]
    add_socket(app, gateway)
    by_http = HttpSessions(settings, gateway.files)
    add_blobs(app, gateway.files, by_http)
    add_uploads(app, settings, gateway.files, by_http)
    _add_pages(app, gateway, directory)
    add_client(app)
    _add_health(app, gateway)
    add_studio(app, settings, gateway, find_location(settings))
    add_metrics(app, settings, lambda: gather(gateway))
    app.after_request(HttpHeaders(settings).add)
    app.register_error_handler(HTTPException, _explain)
    app.register_error_handler(Unavailable, _put_off)
    # FLASK_DEBUG in the environment would have errors raised beyond `_explain`.
    app.config.update(DEBUG=False, PROPAGATE_EXCEPTIONS=False)
    return app


def find_directory(settings: Settings) -> Path | None:
    """Find the app's directory; see `find_location`."""
    location = find_location(settings)
    return None if location is None else location.directory


def find_location(settings: Settings) -> AppLocation | None:
    """Find the app; None where no app is named and the current directory is none.

    Raises `AppNotFound` for an app that is named but not there.
    """
    try:
        return locate(settings.app)
    except AppNotFound:
        if settings.app is not None:
            raise
        return None


def _add_pages(app: Flask, gateway: Gateway, directory: Path | None) -> None:
    def index() -> Response | str:
        if directory is not None and (directory / "index.html").is_file():
            page = send_from_directory(directory, "index.html", conditional=True, etag=True)
            page.headers["Cache-Control"] = "no-cache"
            return page
        return _handlers_page(gateway, directory)

    def static(path: str) -> Response:
        hidden = any(part.startswith(".") for part in Path(path).parts) or Path(path).suffix in HIDDEN_SUFFIXES
        if directory is None or hidden:
            raise NotFound
        # Refuses to leave the directory.
        return send_from_directory(directory / "static", path, conditional=True, etag=True)

    app.add_url_rule("/", "index", index)
    app.add_url_rule("/static/<path:path>", "static", static)


def _handlers_page(gateway: Gateway, directory: Path | None) -> str:
    names: list[str] = []
    reason = "No worker has announced the app yet; start one with `manyhands worker` and reload this page."
    try:
        names = gateway.names.all()
    except Unavailable as error:
        reason = str(error)
    title = directory.name if directory else "manyhands"
    return render_template("handlers.html", title=title, names=names, reason=reason, nonce=make_nonce())


def _add_health(app: Flask, gateway: Gateway) -> None:
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    def readyz() -> tuple[Response, int]:
        reasons = {"gateway": "going down"} if gateway.draining else dict(gateway.readiness.reasons())
        return jsonify(ready=not reasons, reasons=reasons), 503 if reasons else 200

    app.add_url_rule("/healthz", "healthz", healthz)
    app.add_url_rule("/readyz", "readyz", readyz)


def _put_off(error: Unavailable) -> Response:
    headers = {"Retry-After": str(math.ceil(error.retry_after))}
    return Response(f"503 {error}\n", 503, headers, mimetype="text/plain")


def _explain(error: HTTPException) -> Response:
    """Answer in plain text; never more than the error's own description."""
    headers = {
        name: value for name, value in error.get_headers() if name.lower() not in ("content-type", "content-length")
    }
    text = f"{error.code} {error.name}: {error.description}\n"
    return Response(text, error.code or 500, headers, mimetype="text/plain")
