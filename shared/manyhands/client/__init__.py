"""A client for programs: a session's state, kept up to date, and events to its handlers.

```python
from manyhands.client import connect

with connect("http://localhost:8000") as client:
    end = client.fire("increment")
    print(end.ok, client.state["counter"])
```

Nothing needs to be written for a connection that breaks: the client reconnects, to any of its gateways, has missed
nothing, and sends what was not accepted again, which runs once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from manyhands.client.ends import End, Error
from manyhands.client.protocol import Status
from manyhands.errors import ManyHandsError

if TYPE_CHECKING:
    from manyhands.client.asynchronous import AsyncClient
    from manyhands.client.threaded import Client

__all__ = ["End", "Error", "Status", "connect", "connect_async"]

#: Seconds in which a new client must be welcomed.
TIMEOUT = 10.0


def connect(
    url: str | Sequence[str], *, session: str | None = None, lifetime: float | None = None,
    headers: Mapping[str, str] | None = None, timeout: float = TIMEOUT,
) -> Client:  # fmt: skip
    """Connect, and wait for the session's state.

    `url`: of a gateway, or of several of the same deployment, which are tried in turn. `session`: the token of a
    session to join, another client's `session`; without it a new one begins. `lifetime`: seconds after which an event
    that could not be sent is dropped. `headers`: of the request, for session verifiers.

    Raises `SessionRefused`, `ClientClosed`, and `TimeoutError` where no gateway welcomes it in so many seconds.
    """
    _need_websockets()
    from manyhands.client.threaded import Client

    return Client(_listed(url), session, lifetime, headers or {}).begin(timeout)


async def connect_async(
    url: str | Sequence[str], *, session: str | None = None, lifetime: float | None = None,
    headers: Mapping[str, str] | None = None, timeout: float = TIMEOUT,
) -> AsyncClient:  # fmt: skip
    """Connect on the running event loop: see `connect`."""
    _need_websockets()
    from manyhands.client.asynchronous import AsyncClient

    return await AsyncClient(_listed(url), session, lifetime, headers or {}).begin(timeout)


def _listed(url: str | Sequence[str]) -> Sequence[str]:
    return [url] if isinstance(url, str) else url


def _need_websockets() -> None:
    try:
        import websockets  # noqa: F401
    except ImportError as error:
        raise ManyHandsError("the client needs websockets: pip install 'manyhands[client]'") from error
