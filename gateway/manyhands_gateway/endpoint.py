"""The handshake of `/_mh/ws`: what is refused before there is a socket, and what a connection starts with."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, abort, g, request
from flask_sock import Sock
from wsproto.utilities import RemoteProtocolError

from manyhands_gateway import socket
from manyhands_gateway.connection import Connection
from manyhands_gateway.conversation import Conversation, Handshake
from manyhands_gateway.forwarded import network_of
from manyhands_gateway.frames import SUBPROTOCOLS
from manyhands_gateway.gateway import Gateway
from manyhands_gateway.handshake import VERSION, find_flaw
from manyhands_gateway.origin import is_allowed, is_https
from manyhands_gateway.session_cookie import SessionCookie, answer_with, real_socket

PATH = "/_mh/ws"
_ENDPOINT = "mh_socket"
_PLAIN = "This is the socket of manyhands: connect with a WebSocket handshake, as /_mh/client.js does.\n"


def add_socket(app: Flask, gateway: Gateway) -> None:
    """Add the endpoint to an application."""
    app.config["SOCK_SERVER_OPTIONS"] = {**socket.SERVER_OPTIONS, "subprotocols": list(SUBPROTOCOLS)}
    settings = gateway.settings
    limit = socket.frame_limit(settings.max_payload)
    cookie = SessionCookie(settings, gateway.store) if settings.session_cookie else None

    def connect(server: Any) -> None:
        server.sock = real_socket(server.sock)
        # While the request was answered it had a timeout; from here on the outbox has deadlines of its own.
        server.sock.settimeout(None)
        connection = Connection(server.sock, server.subprotocol, settings)
        conversation = Conversation(connection, _handshake(cookie), gateway.services)
        gateway.connections.add(connection)
        try:
            socket.serve(server, connection, conversation, limit)
        finally:
            gateway.connections.discard(connection)
            gateway.meter.closed(connection.code)

    Sock(app).route(PATH, endpoint=_ENDPOINT)(connect)
    app.before_request(lambda: _refuse(gateway, cookie) if request.endpoint == _ENDPOINT else None)
    app.teardown_request(lambda _: _leave(gateway))
    app.add_url_rule(PATH, "mh_no_socket", _ask_for_upgrade)
    app.register_error_handler(RemoteProtocolError, _explain_handshake)


def _ask_for_upgrade() -> Response:
    return _demand(426, _PLAIN)


def _explain_handshake(error: RemoteProtocolError) -> Response:
    return _demand(400, f"not a WebSocket handshake: {error}\n")


def _demand(status: int, text: str) -> Response:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": VERSION}
    return Response(text, status, upgrade if status == 426 else None, mimetype="text/plain")


def _refuse(gateway: Gateway, cookie: SessionCookie | None) -> Response | None:
    """Refuse what may not connect, with an HTTP status that says why."""
    if request.method != "GET":
        # Flask routes HEAD like GET, and wsproto, which never sees the method, would agree.
        abort(405, "a WebSocket handshake is a GET")
    if gateway.draining:
        abort(503, "the gateway is going down; connect to another one")
    # Before whatever else may be wrong: who asks too often is asked for nothing more.
    refusal = _enter(gateway)
    if refusal is not None:
        return refusal
    flaw = find_flaw(str(request.environ.get("SERVER_PROTOCOL")), request.headers)
    if flaw is not None:
        return _demand(flaw.status, f"not a WebSocket handshake: {flaw.text}\n")
    origin, host = request.headers.get("Origin"), request.host
    if not is_allowed(origin, host, gateway.settings.allowed_origins, secure=request.is_secure):
        abort(403, "pages of this origin may not connect; MANYHANDS_ALLOWED_ORIGINS lists those that may")
    offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    if not set(offered) & set(SUBPROTOCOLS):
        abort(400, f"name one of the subprotocols {', '.join(SUBPROTOCOLS)}")
    # flask-sock would agree to permessage-deflate, which costs each connection hundreds of KB.
    request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    if cookie is not None and origin is not None:
        https = is_https(origin, request.is_secure)
        g.mh_named = cookie.read(request.cookies, https=https)
        answer_with(request.environ, cookie.header(g.mh_named, https=https))
    return None


def _enter(gateway: Gateway) -> Response | None:
    address = network_of(request.remote_addr or "")
    refusal = gateway.admission.enter(address)
    if refusal is not None:
        headers = {"Retry-After": str(refusal.retry_after)}
        return Response(f"{refusal.text}\n", refusal.status, headers, mimetype="text/plain")
    g.mh_address = address
    return None


def _leave(gateway: Gateway) -> None:
    """Count out what was let in: its socket has ended, or its handshake was refused after all."""
    address = g.pop("mh_address", None)
    if address is not None:
        gateway.admission.leave(address)


def _handshake(cookie: SessionCookie | None) -> Handshake:
    headers = {name: value for name, value in request.headers.items() if name.lower() != "cookie"}
    cookies = request.cookies.to_dict()
    return Handshake(headers, cookies if cookie is None else cookie.without(cookies), g.get("mh_named"))
