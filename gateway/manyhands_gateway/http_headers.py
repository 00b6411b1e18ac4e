"""The headers that every HTTP answer has, so that a browser refuses what nobody here has meant."""

from __future__ import annotations

import secrets

from flask import Response, g, request

from manyhands.settings import Settings

#: Of what is ours and no page: nothing in it is to be loaded, run or framed, whatever it may contain.
NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
#: The endpoint that serves what the app has made a file of: nobody knows what it does where it is opened by itself.
BLOB_ENDPOINT = "mh_blob"
ALONE = NO_PAGE + "; sandbox"
#: Endpoints that serve the app's own files, which may be pages.
APP_ENDPOINTS = frozenset({"index", "static"})
#: Random bytes of a nonce.
NONCE_BYTES = 16


class HttpHeaders:
    """Adds headers to answers."""

    def __init__(self, settings: Settings) -> None:
        self._policy, self._hsts = settings.content_security_policy, settings.hsts

    def add(self, response: Response) -> Response:
        """Add them; for Flask's `after_request`."""
        headers = response.headers
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        policy = self._policy_of_answer()
        if policy:
            headers["Content-Security-Policy"] = policy
        if self._hsts and request.is_secure:
            headers["Strict-Transport-Security"] = f"max-age={self._hsts}"
        return response

    def _policy_of_answer(self) -> str:
        own: str | None = g.get("mh_policy")
        if own is not None:
            return own
        nonce = g.get("mh_nonce")
        if nonce is not None:
            return _policy_of_own_page(nonce)
        if request.endpoint == BLOB_ENDPOINT:
            return ALONE
        return self._policy if request.endpoint in APP_ENDPOINTS else NO_PAGE


def make_nonce() -> str:
    """Make what the scripts of this answer's page, which is one of ours, are told from others by."""
    g.mh_nonce = secrets.token_urlsafe(NONCE_BYTES)
    return str(g.mh_nonce)


def _policy_of_own_page(nonce: str) -> str:
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
