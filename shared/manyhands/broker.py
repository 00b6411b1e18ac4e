"""The Celery application, as gateways send to it and workers are run by it.

A message is only a doorbell: it says which sessions have mail. It may be lost or doubled, so nothing of Celery's that
guards messages is used: no result backend, no acknowledgements, no events between workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import Celery
from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.entity import Queue
from redis.connection import parse_url

from manyhands.keys import Keys
from manyhands.settings import Settings

#: The one task: take the turns of these sessions.
TAKE_TURNS = "manyhands.take_turns"

#: Seconds until a broker that does not answer counts as away.
CONNECT_TIMEOUT = 2.0
#: Seconds that a broker has to take a message.
SEND_TIMEOUT = 5.0


class BrokerConnection(Connection):
    """A connection that looks for its broker every second, where kombu's pauses would grow to half a minute."""

    def ensure_connection(
        self,
        errback: Any = None,
        max_retries: int | None = None,
        interval_start: float = 0.1,
        interval_step: float = 0.3,
        interval_max: float = 1.0,
        **options: Any,
    ) -> Any:
        """Connect, trying until it succeeds or the retries are used up."""
        intervals = (interval_start, interval_step, interval_max)
        return super().ensure_connection(errback, max_retries, *intervals, **options)  # type: ignore[no-untyped-call]


class BrokerAMQP(AMQP):  # type: ignore[misc]
    """Celery's messaging, over our connections."""

    Connection = BrokerConnection


def is_redis(settings: Settings) -> bool:
    """Tell whether the broker is a Redis."""
    return not settings.broker.startswith("amqp")


def make_queue(settings: Settings, version: str | None = None, queue: str = "") -> Queue:
    """Describe a queue, the common one unless it is named: of all who serve it, or of one version of the app."""
    name = Keys(settings.namespace).queue(version, queue)
    if is_redis(settings):
        return Queue(name, no_ack=True)  # type: ignore[no-untyped-call]
    # Taking without acknowledging would push the whole queue to the first worker.
    expires = None if version is None else settings.session_ttl
    return Queue(name, expires=expires)  # type: ignore[no-untyped-call]


def make_celery(settings: Settings, version: str | None = None, names: Sequence[str] = ("",)) -> Celery:
    """Make the application; nothing is connected yet.

    `version` and `names` are of the worker that will consume with it: its app's, and those of the queues it serves.
    """
    on_redis = is_redis(settings)
    versions = (None, version) if version else (None,)
    queues = [make_queue(settings, one, name) for name in names for one in versions]
    app = Celery("manyhands", broker=_broker_url(settings.broker), set_as_current=False, amqp=BrokerAMQP)
    app.conf.update(
        task_queues=queues,
        task_default_queue=queues[0].name,
        task_create_missing_queues=False,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=False,
        task_serializer="json",
        accept_content=["json"],
        worker_disable_prefetch=on_redis,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_use_ssl=_tls_options(settings.broker),
        broker_heartbeat=0 if on_redis else 10,
        broker_connection_timeout=CONNECT_TIMEOUT,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=_transport_options(queues[0].name, sends=version is None) if on_redis else {},
    )
    return app


def _transport_options(queue: str, *, sends: bool) -> dict[str, Any]:
    return {
        # A consumer waits for as long as it takes; a sender must not wait for a broker that hangs.
        **({"socket_timeout": SEND_TIMEOUT} if sends else {}),
        # Kombu's own names for these would be shared by every namespace.
        "unacked_key": f"{queue}.unacked",
        "unacked_index_key": f"{queue}.unacked_index",
        "unacked_mutex_key": f"{queue}.unacked_mutex",
        # All doorbells are alike; with kombu's four priorities each queue would be four keys.
        "priority_steps": [0],
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }


def _tls_options(url: str) -> dict[str, Any] | None:
    """Give what a rediss:// URL asks for, as the store's own client reads it.

    Kombu by itself would not check the server's certificate unless the URL says how.
    """
    if not url.startswith("rediss://"):
        return None
    asked: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
    options = {name: value for name, value in asked.items() if name.startswith("ssl_")}
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **options}


def _broker_url(url: str) -> str:
    if url.startswith("rediss://"):
        # Its options are given beside it.
        return url.partition("?")[0]
    # Kombu spells the socket of a local Redis in its own way.
    if not url.startswith("unix://"):
        return url
    path, _, query = url.removeprefix("unix://").partition("?")
    database = next((part.removeprefix("db=") for part in query.split("&") if part.startswith("db=")), "0")
    return f"redis+socket://{path}?virtual_host={database}"
