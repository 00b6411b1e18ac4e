"""`/metrics`: the numbers of every process of this gateway, for Prometheus."""

from __future__ import annotations

import hmac

from flask import Flask, Response, abort, request

from manyhands.exposition import CONTENT_TYPE, Gather, write
from manyhands.settings import Settings

PATH = "/metrics"


def add_metrics(app: Flask, settings: Settings, gather: Gather) -> None:
    """Add the page. Whoever reaches the gateway may read it, unless a token is asked for."""

    def metrics() -> Response:
        if settings.metrics_token is not None and not _is_allowed(settings.metrics_token):
            abort(401, "send `Authorization: Bearer …` with the token that MANYHANDS_METRICS_TOKEN sets")
        return Response(write(gather), content_type=CONTENT_TYPE)

    app.add_url_rule(PATH, "metrics", metrics)


def _is_allowed(token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
