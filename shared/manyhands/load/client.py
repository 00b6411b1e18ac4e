"""A client of the load test: one session on one socket at a time, reconnected and resumed as the protocol says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from random import random
from typing import Any

from manyhands.load.address import Address
from manyhands.load.checks import Problem
from manyhands.load.framing import HandshakeRefused
from manyhands.load.link import Link, open_link
from manyhands.load.pacing import Backoff
from manyhands.load.session import Act, Ended, Greet, Reconnect, Resend, Session, Welcomed
from manyhands.load.tally import Tally
from manyhands.wire import Close, Key, Type

#: Close codes after which the session can't be gone on with, and what they mean.
_FATAL = {
    Close.PROTOCOL: (Problem.PROTOCOL, "the gateway closed a socket because of what was sent"),
    Close.TOO_BIG: (Problem.PROTOCOL, "the gateway closed a socket because a frame was too big"),
    Close.SESSION_UNKNOWN: (Problem.SESSION_LOST, "the session is unknown or expired"),
    Close.REFUSED: (Problem.SESSION_LOST, "the app refused the session"),
}
#: Seconds that the last look at a session may take.
VERIFY_TIMEOUT = 15.0
#: Seconds between two attempts in it, where the gateway has no welcome yet.
VERIFY_PAUSE = 0.5


class Client:
    """Keeps its session connected while `run` runs. `free` is called when none of its events is under way."""

    def __init__(self, address: Address, session: Session, tally: Tally, free: Callable[[Client], None]) -> None:
        self.session = session
        self.joined = asyncio.Event()
        #: Why there is no welcome, as the gateway says.
        self.refusal: str | None = None
        self._address, self._tally, self._free = address, tally, free
        self._link: Link | None = None
        self._backoff = Backoff()
        #: Seconds that a restarting gateway asked for.
        self._delay: float | None = None
        #: The session can't be gone on with; it fires no more.
        self._over = False

    def fire(self, handler: str, payload: object, intended: float) -> None:
        """Fire an event, now or as soon as the session is connected."""
        if self._over:
            return
        envelope = self.session.fire(handler, payload, intended)
        if envelope is not None and self._link is not None:
            self._link.send(envelope)

    async def run(self) -> None:
        """Connect, again and again, until cancelled or refused. Raises what `Session.take` raises."""
        while True:
            try:
                self._link = await open_link(self._address, self._take)
            except (OSError, HandshakeRefused) as error:
                self._tally.failed_connects += 1
                self.refusal = str(error)
            else:
                code = await self._until_closed(self._link)
                self._tally.closes[code] += 1
                if code in _FATAL:
                    kind, text = _FATAL[Close(code)]
                    self._tally.problem(kind, f"{text} ({code})")
                    self._over = True
                    self.session.give_up()
                    return
                self._tally.reconnects += 1
            pause = self._backoff.next(random())
            await asyncio.sleep(pause if self._delay is None else self._delay)
            self._delay = None

    async def _until_closed(self, link: Link) -> int:
        link.send(self.session.hello())
        try:
            return await link.closed
        finally:
            link.close()
            self._link = None
            self.session.disconnected()

    def _take(self, envelope: Mapping[str, Any]) -> None:
        act = self.session.take(envelope, time.perf_counter())
        if act is not None:
            self._do(act)

    def _do(self, act: Act) -> None:
        match act:
            case Ended():
                self._free_if_idle()
            case Welcomed():
                self._backoff.reset()
                self.joined.set()
                self._resend()
                self._free_if_idle()
            case Resend(after):
                self._later(after, self._resend)
            case Greet(after, reason):
                self.refusal = reason
                self._later(after, self._greet)
            case Reconnect(after, restart):
                self._delay = after
                if not restart and self._link is not None:
                    self._link.drop()

    def _free_if_idle(self) -> None:
        if not self.session.outstanding:
            self._free(self)

    def _later(self, after: float, action: Callable[[], None]) -> None:
        """Do something later, if the socket is still the same then."""
        link = self._link

        def act() -> None:
            if link is self._link:
                action()

        asyncio.get_running_loop().call_later(after, act)

    def _resend(self) -> None:
        if self._link is not None:
            for envelope in self.session.unaccepted():
                self._link.send(envelope)

    def _greet(self) -> None:
        if self._link is not None:
            self._link.send(self.session.hello())

    async def verify(self) -> None:
        """Look at the session as it is stored, on a socket of its own; `run` has ended."""
        if self.session.token is None:
            return
        envelopes: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        try:
            async with asyncio.timeout(VERIFY_TIMEOUT):
                link = await open_link(self._address, envelopes.put_nowait)
                try:
                    link.send(self.session.hello(resume=False))
                    while (envelope := await envelopes.get())[Key.TYPE] != Type.WELCOME:
                        await asyncio.sleep(VERIFY_PAUSE)
                        link.send(self.session.hello(resume=False))
                finally:
                    link.close()
        except (OSError, HandshakeRefused) as error:
            self._tally.problem(Problem.UNVERIFIED, f"the session could not be joined at the end: {error!r}")
        else:
            self.session.verify(envelope)
