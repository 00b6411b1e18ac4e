"""The load: sessions with two tabs each, on whatever gateway will have them, one thread per session."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Sequence

from chaos.browser import Browser
from support.waiting import wait_until

#: Seconds between two looks at what is due when no socket has anything to read.
LOOK = 0.02
TABS = 2


class SessionLoad:
    """One session and the thread that plays its tabs."""

    def __init__(self, name: str, urls: Sequence[str], seed: int, rate: float) -> None:
        self.name = name
        first = Browser(urls, f"{seed} {name} 0", f"{name}-0", None, rate)
        rest = [Browser(urls, f"{seed} {name} {i}", f"{name}-{i}", first.token, rate) for i in range(1, TABS)]
        self.tabs = [first, *rest]
        for tab in self.tabs:
            tab.joined = True
        #: What went wrong in the thread itself, such as an update out of order.
        self.failure: str | None = None
        self.firing, self._stopping = True, False
        self._thread = threading.Thread(target=self._run, name=f"load-{name}", daemon=True)

    @property
    def id(self) -> str:
        """The session's id: what stands before its token's signature."""
        return str(self.tabs[0].token).rpartition(".")[0]

    @property
    def is_quiet(self) -> bool:
        """Whether all that its tabs sent was accepted and has ended."""
        return self.failure is not None or all(tab.is_quiet for tab in self.tabs)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the tabs stay as they are."""
        self._stopping = True
        self._thread.join(30)

    def close(self) -> None:
        """Close the tabs."""
        for tab in self.tabs:
            tab.leave()

    def drop(self) -> None:
        """Lose the connections of all tabs."""
        for tab in self.tabs:
            tab.drop_now = True

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        except Exception as error:  # noqa: BLE001 - whatever a tab finds wrong is a finding of the run
            self.failure = f"{self.name}: {type(error).__name__}: {error}"

    def _turn(self) -> None:
        open_tabs = {sock: tab for tab in self.tabs if (sock := tab.raw_socket)}
        if open_tabs:
            ready, _, _ = select.select(list(open_tabs), [], [], LOOK)
        else:
            ready = []
            time.sleep(LOOK)
        for sock in ready:
            open_tabs[sock].take_in()
        for tab in self.tabs:
            tab.step(firing=self.firing)


class Load:
    """All sessions of one round."""

    def __init__(self, name: str, urls: Sequence[str], seed: int, sessions: int, rate: float) -> None:
        """`rate`: events a second, of all tabs together."""
        each = rate / (sessions * TABS)
        self.sessions = [SessionLoad(f"{name}s{i}", urls, seed, each) for i in range(sessions)]

    @property
    def tabs(self) -> list[Browser]:
        """Every tab."""
        return [tab for session in self.sessions for tab in session.tabs]

    def start(self) -> None:
        """Begin to fire."""
        for session in self.sessions:
            session.start()

    def drop(self, choose: Callable[[Sequence[SessionLoad]], Sequence[SessionLoad]]) -> None:
        """Lose the connections of some sessions."""
        for session in choose(self.sessions):
            session.drop()

    def finish(self, timeout: float) -> bool:
        """Stop firing and wait until all that was accepted has ended; tells whether that came true in time."""
        for session in self.sessions:
            session.firing = False
        try:
            wait_until(lambda: all(one.is_quiet for one in self.sessions), timeout, "quiet")
        except AssertionError:
            self._look_anew()
        quiet = all(one.is_quiet for one in self.sessions)
        for session in self.sessions:
            session.stop()
        return quiet

    def close(self) -> None:
        """Close every tab."""
        for session in self.sessions:
            session.close()

    def _look_anew(self) -> None:
        """Let tabs ask again that may have missed an end beyond all that is remembered."""
        for tab in self.tabs:
            if set(tab.pending) & tab.unsure:
                tab.drop_now = True
                tab.seq = None
        end = time.monotonic() + 5
        while time.monotonic() < end and not all(one.is_quiet for one in self.sessions):
            time.sleep(LOOK)
