"""Whose session an HTTP request means, and which pages of other origins may read the answer."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, abort, after_this_request, request

from manyhands.settings import Settings
from manyhands.store.contract import Store
from manyhands_gateway.origin import is_allowed
from manyhands_gateway.session_cookie import SessionCookie
from manyhands_gateway.tokens import Tokens

BEARER = "Bearer "


class HttpSessions:
    """Knows sessions by the token of a welcome, as `Authorization: Bearer`, or by the cookie."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._tokens = settings, Tokens(settings)
        self._cookie = SessionCookie(settings, store) if settings.session_cookie else None

    @property
    def in_cookies(self) -> bool:
        """Whether browsers name their sessions by a cookie."""
        return self._cookie is not None

    def named(self) -> str | None:
        """Give the session that the request names, whether or not it still lives; None for none."""
        authorization = request.headers.get("Authorization", "")
        token = authorization.removeprefix(BEARER) if authorization.startswith(BEARER) else ""
        # Where a cookie carries the token, a page's script knows only the session's public name, and may say that.
        return self._tokens.verify(token) or (self._cookie.named(request.cookies) if self._cookie else None)

    def demand(self) -> str:
        """Give the session that the request names; answers 401, or 403 to a page that may not ask."""
        if not self.is_allowed():
            abort(403, "pages of this origin may not ask; MANYHANDS_ALLOWED_ORIGINS lists those that may")
        session = self.named()
        if session is None:
            text = "name the session: `Authorization: Bearer` and the token of its welcome, or its cookie\n"
            abort(Response(text, 401, {"WWW-Authenticate": BEARER.strip()}, mimetype="text/plain"))
        if "Authorization" not in request.headers and "Origin" not in request.headers:
            # A cookie alone says nothing of the page that sends it; a header of one's own no page sends unasked.
            abort(403, "a request with a cookie needs an Origin")
        return session

    def is_allowed(self) -> bool:
        """Tell whether the page that asks may."""
        return is_allowed(
            request.headers.get("Origin"), request.host, self._settings.allowed_origins, secure=request.is_secure
        )

    def share(self, response: Response) -> Response:
        """Let pages of allowed origins read an answer."""
        origin = request.headers.get("Origin")
        response.vary.add("Origin")
        if origin is not None and self.is_allowed():
            headers = response.headers
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Allow-Methods"] = "GET, HEAD, POST, PUT"
            headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Range"
            headers["Access-Control-Expose-Headers"] = "Content-Range, ETag, Upload-Offset, Upload-Length"
            headers["Access-Control-Max-Age"] = "600"
            if self.in_cookies:
                headers["Access-Control-Allow-Credentials"] = "true"
        return response

    def shared(self, view: Callable[..., Response]) -> Callable[..., Response]:
        """Make a view that answers pages of allowed origins, also when they ask first whether they may."""

        def answer(**arguments: str) -> Response:
            # Of errors too: a page that may not read one takes the gateway for unreachable, and asks for ever.
            after_this_request(self.share)
            return Response(status=204) if request.method == "OPTIONS" else view(**arguments)

        return answer
