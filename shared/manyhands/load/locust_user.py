"""A Locust user that is one session: for those who describe their load with Locust.

```
class Visitor(ManyHandsUser):
    key = "counter"

    @task
    def click(self) -> None:
        self.fire("increment")
```

Importing this module imports Locust, which patches the process for gevent: it is imported by locustfiles alone.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from locust import User
from locust.env import Environment
from locust.exception import LocustError

from manyhands.errors import ManyHandsError
from manyhands.load.address import parse_address
from manyhands.load.blocking import BlockingClient
from manyhands.load.checks import Problem
from manyhands.load.session import Session

#: How Locust's tables call this kind of request.
REQUEST_TYPE = "manyhands"


class EventFailed(ManyHandsError):
    """An event has ended with an error, or a promise was not kept; Locust counts it as a failure."""


class ManyHandsUser(User):
    """A user with a session of its own; `fire` waits for the event's end and reports it to Locust."""

    abstract = True
    #: Where the state counts the session's events, such as `user.clicks`; None: the state is not checked.
    key: str | None = None
    #: Seconds that an event may take to end.
    timeout = 30.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        if not self.host:
            raise LocustError("name the deployment: --host https://example.org, or `host` in the user class")
        #: When the event that is waited for was fired, and what its end sets.
        self._intended, self._end = 0.0, threading.Event()
        key = tuple(self.key.split(".")) if self.key else None
        self._client = BlockingClient(parse_address(self.host), Session(self, key), self._wake)
        self._code: str | None = None

    def on_start(self) -> None:
        """Join a new session."""
        self._client.start()

    def on_stop(self) -> None:
        """Leave, and check the counter; the session stays until it expires."""
        self._client.close()
        self._client.session.check_counter()

    def fire(self, handler: str, payload: Any = None) -> None:
        """Fire an event, wait for its end, and report the time that it took."""
        self._end.clear()
        self._code = None
        self._intended = began = time.perf_counter()
        self._client.fire(handler, payload, began)
        in_time = self._client.failure is not None or self._end.wait(self.timeout)
        error = self._client.failure
        if error is None and not in_time:
            error = EventFailed(f"no end within {self.timeout:g} s")
        elif error is None and self._code is not None:
            error = EventFailed(self._code)
        self._report(handler, 1000 * (time.perf_counter() - began), error)

    def _report(self, name: str, milliseconds: float, error: ManyHandsError | None) -> None:
        self.environment.events.request.fire(
            request_type=REQUEST_TYPE, name=name, response_time=milliseconds, response_length=0,
            exception=error, context={},
        )  # fmt: skip

    # --- told by the session ---

    def fired(self) -> None:
        """Nothing is counted: Locust does."""

    def ended(self, intended: float, now: float, code: str | None) -> None:
        """End the wait, unless it was given up."""
        if intended == self._intended:
            self._code = code
            self._end.set()

    def _wake(self) -> None:
        self._end.set()

    def rejected(self, code: str) -> None:
        """Count what was not accepted; it is sent again, except what makes no sense."""
        self._report(f"rejection: {code}", 0.0, EventFailed(code))

    def problem(self, kind: Problem, text: str) -> None:
        """Show a broken promise as a failure of its own."""
        self._report(f"problem: {kind}", 0.0, EventFailed(text))
