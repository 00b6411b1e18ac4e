"""The port at which the processes of a worker tell Prometheus their numbers."""

from __future__ import annotations

import logging
import threading
import time

from manyhands.exposition import Gather, make_registry

log = logging.getLogger("manyhands.metrics")

#: Seconds between two tries to get a port that is taken: by the worker that this one replaces, most likely.
TRY_AGAIN = 5.0


class MetricsPort:
    """Serves `/metrics` on threads of its own. A port that is taken is a warning, and is tried again and again."""

    def __init__(self, host: str, port: int, gather: Gather, pause: float = TRY_AGAIN) -> None:
        self._host, self._port, self._pause = host, port, pause
        self._registry = make_registry(gather)
        self._thread = threading.Thread(target=self._listen, name="manyhands-metrics", daemon=True)

    def start(self) -> None:
        """Begin to listen, now or as soon as the port is free; never waits."""
        self._thread.start()

    def _listen(self) -> None:
        from prometheus_client import start_http_server

        where = f"{self._host} port {self._port}"
        warned = False
        while True:
            try:
                start_http_server(self._port, self._host, self._registry)
            except OSError as error:
                if not warned:
                    log.warning("no /metrics on %s: %s; trying until it works", where, error.strerror or error)
                warned = True
                time.sleep(self._pause)
            else:
                log.info("/metrics on %s", where)
                return
