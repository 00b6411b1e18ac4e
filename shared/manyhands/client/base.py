"""What both clients have in common: where the gateways are, and what a program reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from manyhands.client import transfers
from manyhands.client.ends import End, Entry
from manyhands.client.protocol import Protocol, Status
from manyhands.client.states import replace_references
from manyhands.errors import ClientClosed, SessionRefused
from manyhands.load.address import Address, parse_address
from manyhands.wire import SUBPROTOCOL_MSGPACK, Close

#: Seconds in which a socket must be open.
OPEN_WITHIN = 10.0
#: Seconds that a gateway gets to answer a close.
CLOSE_WITHIN = 1.0


class BaseFired:
    """What a program reads of an event that was fired."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    @property
    def n(self) -> int | None:
        """Its number; None until it is first sent."""
        return self._entry.n

    @property
    def accepted(self) -> bool:
        """Whether it is durable: it will run, whatever becomes of this program."""
        return self._entry.accepted

    @property
    def end(self) -> End | None:
        """How it has ended, once it has."""
        return self._entry.end


class Base:
    """A client without its I/O."""

    def __init__(
        self, urls: Sequence[str], session: str | None, lifetime: float | None, headers: Mapping[str, str]
    ) -> None:
        """Make one that is not connected. Raises `ValueError` for a URL that is none of a deployment."""
        if not urls:
            raise ValueError("connect expected the URL of a gateway, got none")
        self._addresses = [parse_address(url) for url in urls]
        self._headers = dict(headers)
        self._core = Protocol(session, lifetime)
        #: How often a socket was opened, or tried to be.
        self._tries = 0
        #: What went wrong last.
        self._trouble = ""

    @property
    def state(self) -> Mapping[str, Any]:
        """The session's state as browsers have it. It does not change: the next update makes another one."""
        return self._core.states.own.data

    @property
    def shared(self) -> Mapping[str, Mapping[str, Any]]:
        """The states of the rooms that the session has joined, by their names."""
        return self._core.states.shared

    @property
    def status(self) -> Status:
        """Whether it is connected."""
        return self._core.status

    @property
    def reason(self) -> str:
        """Why it is closed."""
        return self._core.reason

    @property
    def session(self) -> str | None:
        """The session's token: whoever has it may join."""
        return self._core.session

    @property
    def unsent(self) -> int:
        """How many events were not accepted yet."""
        return self._core.unsent

    def subscribe(self, path: str, call: Callable[[Any], object]) -> Callable[[], None]:
        """Call something with what is at a path whenever that may have changed; gives what ends it.

        `user.name`; `@room.user.name` in a room; the empty path is the whole state.
        """
        return self._core.subscriptions.add(path, call)

    # --- for the clients ---

    def _next_url(self) -> tuple[str, dict[str, Any]]:
        """Give the socket to open next, and what to open it with."""
        address = self._addresses[self._tries % len(self._addresses)]
        self._tries += 1
        url = f"{'wss' if address.tls else 'ws'}://{address.host_header}{address.path}"
        return url, {
            "subprotocols": [SUBPROTOCOL_MSGPACK], "additional_headers": self._headers, "compression": None,
            "max_size": None, "open_timeout": OPEN_WITHIN, "close_timeout": CLOSE_WITHIN,
        }  # fmt: skip

    def _refuse(self) -> None:
        """Raise what has closed it."""
        if self._core.code == Close.REFUSED:
            raise SessionRefused(self._core.reason)
        raise ClientClosed(self._core.reason)

    def _fetch(self, value: Any) -> Any:
        return replace_references(value, lambda reference: transfers.fetch(self._where, reference))

    def _upload(self, data: bytes) -> dict[str, str]:
        return transfers.upload(self._where, data)

    def _where(self) -> tuple[Address, Mapping[str, str]]:
        """Give the gateway that it is connected to, or was last, and what a request to it says."""
        address = self._addresses[max(0, self._tries - 1) % len(self._addresses)]
        return address, {"Authorization": f"Bearer {self.session}", **self._headers}
