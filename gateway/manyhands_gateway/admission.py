"""Who may open one more socket: so many of all browsers together, so many and so often of one address.

Decides without I/O. What is kept of addresses is bounded, however many of them ask.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

from manyhands.settings import Settings
from manyhands_gateway.budget import Budget

#: Handshakes that one address may make at once, in seconds of its rate: a whole office comes back after a restart.
BURST_SECONDS = 10
#: Addresses whose handshakes are remembered, some 6 MB; the one that was heard of least lately is forgotten first.
MAX_ADDRESSES = 20_000
#: Seconds after which a browser should ask again where too many are open.
FULL_RETRY_AFTER = 5
TOO_MANY_REQUESTS, UNAVAILABLE = 429, 503


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a handshake is refused, as an HTTP answer."""

    status: int
    text: str
    #: Whole seconds.
    retry_after: int


class Admission:
    """The sockets of one process, counted."""

    def __init__(self, settings: Settings) -> None:
        self._most, self._most_of_one = settings.max_connections, settings.address_connections
        self._rate = settings.address_handshakes
        self._all = 0
        #: Address to its open sockets; no longer than there are sockets.
        self._open: dict[str, int] = {}
        #: Address to the handshakes that it may still make, that which asked last at the end.
        self._budgets: OrderedDict[str, Budget] = OrderedDict()

    def enter(self, address: str) -> Refusal | None:
        """Count a socket in, or say why not. Whoever was let in must `leave`."""
        refusal = self._refuse(address)
        if refusal is None:
            self._all += 1
            self._open[address] = self._open.get(address, 0) + 1
        return refusal

    def leave(self, address: str) -> None:
        """Count a socket out."""
        self._all -= 1
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]

    def _refuse(self, address: str) -> Refusal | None:
        if self._rate:
            budget = self._budget(address)
            if not budget.spend():
                text = f"more than {self._rate:g} handshakes a second come from your address"
                return Refusal(TOO_MANY_REQUESTS, text, math.ceil(budget.due))
        if self._most_of_one and self._open.get(address, 0) >= self._most_of_one:
            text = f"your address has {self._most_of_one} sockets open, which is as many as it may"
            return Refusal(TOO_MANY_REQUESTS, text, FULL_RETRY_AFTER)
        if self._all >= self._most:
            return Refusal(UNAVAILABLE, "as many sockets are open here as may be", FULL_RETRY_AFTER)
        return None

    def _budget(self, address: str) -> Budget:
        budget = self._budgets.get(address)
        if budget is None:
            budget = self._budgets[address] = Budget(max(1, BURST_SECONDS * self._rate), self._rate)
            if len(self._budgets) > MAX_ADDRESSES:
                self._budgets.popitem(last=False)
        self._budgets.move_to_end(address)
        return budget
