"""A worker process: loads the app, announces it, and lets Celery bring it doorbells until it is told to stop."""

from __future__ import annotations

import logging
import os
import signal
import sys
from functools import partial
from pathlib import Path

from manyhands.app_location import AppLocation, locate
from manyhands.errors import AppImportError
from manyhands.logs import JSON, PLAIN, configure
from manyhands.settings import Settings
from manyhands.siblings import answer_siblings
from manyhands.store.redis_store import RedisStore
from manyhands_worker.announcing import announcement_of
from manyhands_worker.consumer import make_consumer, stop_consuming
from manyhands_worker.drain import drain
from manyhands_worker.flusher import Flusher
from manyhands_worker.heart import Heart
from manyhands_worker.loader import LoadedApp, format_import_error, load
from manyhands_worker.output import Output, capture_streams, capturing, current_subject
from manyhands_worker.parts import Parts
from manyhands_worker.ringing import Ringing
from manyhands_worker.studio import TOLD, Studio, open_studio
from manyhands_worker.studio_acts import with_studio
from manyhands_worker.verifying import with_verifying

log = logging.getLogger("manyhands.worker")


def run_worker(
    settings: Settings, app: str | None, *, concurrency: int, queues: tuple[str, ...],
    log_style: str = PLAIN, siblings: tuple[Path, str] | None = None,
) -> int:  # fmt: skip
    """Run a worker process until SIGTERM or SIGINT; ends the process.

    `siblings`: where, and under which name, it tells its numbers to the process that answers for several.
    Raises `AppError` when the app can't be loaded, `Unavailable` when Redis does not answer at the start.
    """
    configure(log_style, sys.__stderr__, logging.WARNING, current_subject)
    location = locate(app)
    studio = open_studio(settings, location)
    loaded = with_verifying(_load(location, log_style, studio))
    if studio is not None:
        loaded = with_studio(loaded)
    store = RedisStore.from_settings(settings)
    store.ping()
    ringing = Ringing(settings)
    parts = Parts.make(settings, store, loaded, ringing, concurrency=concurrency, queues=queues, studio=studio)
    heart = Heart(store, parts.running, ringing, settings.lease, parts.meter, queues)
    flusher = Flusher(store, parts.running, settings.partial_interval)
    if studio is not None:
        heart.on_announced = partial(studio.loaded, loaded)
    _tell_numbers(parts, siblings)
    ringing.start()
    parts.start()
    flusher.start()
    heart.start(announcement_of(loaded), loaded.defaults)
    consumer = make_consumer(parts, concurrency)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop_consuming(parts))
    consumer.start()
    heart.drain()
    drain(parts)
    parts.traces.flush()
    log.info("stopped")
    logging.shutdown()
    # A thread of a handler that never returns must not hold the process.
    os._exit(0 if parts.running.stopping else 1)


def _load(location: AppLocation, log_style: str, studio: Studio | None) -> LoadedApp:
    capture_streams(stray=log_style == JSON)
    output = Output("import")
    try:
        with capturing(output):
            return load(location)
    except AppImportError as error:
        if studio is not None:
            studio.failed_to_load(error, format_import_error(error))
        log.error("%s", format_import_error(error), extra={TOLD: True})
        raise
    finally:
        output.finish()


def _tell_numbers(parts: Parts, siblings: tuple[Path, str] | None) -> None:
    """Answer `/metrics`, if anybody may ask."""
    if siblings is not None:
        answer_siblings(*siblings, parts.snapshot)
    elif parts.settings.metrics_address is not None:
        from manyhands.metrics_port import MetricsPort

        MetricsPort(*parts.settings.metrics_address, lambda: {"1": parts.snapshot()}).start()
