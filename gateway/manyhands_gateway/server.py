"""Runs a gateway: gunicorn with gevent workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manyhands.settings import Settings


def serve(settings: Settings, host: str, port: int, processes: int, log: str = "plain") -> int:
    """Serve until SIGTERM and give the exit code.

    Raises `SettingError` for a setting that is missing, `AppNotFound`, or `PortUnusable`.
    """
    # Before anything that keeps a socket, a lock or a thread is imported: what is imported earlier keeps blocking ones.
    from gevent import monkey

    monkey.patch_all()
    from manyhands_gateway.process import run

    return run(settings, host, port, processes, log)
