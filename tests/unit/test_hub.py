"""The hub with a store and a pub/sub that fail when the test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import gevent
import pytest
from gevent.event import Event as Signal

from manyhands.abilities import Abilities
from manyhands.errors import Unavailable
from manyhands.keys import Keys
from manyhands.settings import Settings
from manyhands.updates import Outcome, encode_update, splice
from manyhands.wire import SUBPROTOCOL_MSGPACK
from manyhands_gateway import hub as hub_module
from manyhands_gateway.connection import Connection
from manyhands_gateway.hub import Hub
from manyhands_gateway.sessions import Greeting

SESSION = "s"


class Store:
    """One session: its log, and a store that may be away."""

    def __init__(self) -> None:
        self.log: list[bytes] = []
        #: The first update that is still kept.
        self.kept_from = 1
        self.away = self.gone = False
        self.reads = 0
        self.kept: list[str] = []
        self.let = Signal()
        self.let.set()

    def commit(self) -> bytes:
        seq = len(self.log) + 1
        self.log.append(splice(encode_update([], [], "c", seq, Outcome(ok=True)), seq))
        return self.log[-1]

    def greet(
        self, session: str, client: str, seq: int | None, *, resumed: bool, secret: bool, abilities: Abilities
    ) -> Greeting | None:
        head = len(self.log)
        self.let.wait()
        if self.away:
            raise Unavailable("Redis", "away")
        return None if self.gone else Greeting(head, b"\x80")

    def updates_since(self, session: str, seq: int) -> Sequence[bytes] | None:
        self.reads += 1
        if self.away:
            raise Unavailable("Redis", "away")
        return None if seq + 1 < self.kept_from else self.log[seq:]

    def keep(self, sessions: Sequence[str]) -> Sequence[int | None]:
        self.kept += sessions
        return [None if self.gone else len(self.log) for _ in sessions]


class Channels:
    """Stands for pub/sub."""

    def __init__(self) -> None:
        self.subscribed: list[bytes] = []

    def subscribe(self, channel: bytes) -> None:
        self.subscribed.append(channel)

    def unsubscribe(self, channel: bytes) -> None:
        self.subscribed.remove(channel)


class Browser(Connection):
    """A connection that notes what it is sent."""

    def __init__(self) -> None:
        super().__init__(None, SUBPROTOCOL_MSGPACK, Settings())
        self.seen: list[int | str] = []
        self.outbox = self  # type: ignore[assignment]
        self.updates = 0

    def put(self, frame: bytes) -> None:
        self.seen.append("welcome" if len(frame) < 10 else self.seq)

    def finish(self, frame: bytes, *, drop: bool = False) -> None:
        self.seen.append(f"closed {int.from_bytes(frame[2:4], 'big')}")


class Parts:
    def __init__(self) -> None:
        self.store, self.channels = Store(), Channels()
        self.hub = Hub(self.store, Keys("mh"), self.store)  # type: ignore[arg-type]
        self.channel = Keys("mh").updates(SESSION).encode()

    def join(self) -> Browser:
        browser = Browser()
        assert self.hub.join(browser, SESSION, None, resumed=False)
        return browser

    def publish(self) -> None:
        self.hub.received(self.channel, self.store.commit())


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Parts]:
    monkeypatch.setattr(hub_module, "CHECK_EVERY", 60.0)
    monkeypatch.setattr(hub_module, "IN_FLIGHT", 0.001)
    monkeypatch.setattr(hub_module, "PAUSE", 0.001)
    made = Parts()
    made.hub.start(made.channels)
    yield made
    made.hub.stop()


def wait_seen(browser: Browser, *seen: int | str) -> None:
    with gevent.Timeout(5):
        while browser.seen != list(seen):
            gevent.sleep(0.001)


def test_a_session_is_subscribed_while_it_has_a_browser_here(parts: Parts) -> None:
    first, second = parts.join(), parts.join()
    parts.hub.leave(first)
    assert parts.channel in parts.channels.subscribed
    parts.hub.leave(second)
    parts.hub.leave(second)
    assert parts.channels.subscribed.count(parts.channel) <= 1
    parts.publish()
    assert first.seen == second.seen == ["welcome"]


def test_an_update_while_the_welcome_is_being_read_is_not_lost(parts: Parts) -> None:
    parts.store.let.clear()
    joining = gevent.spawn(parts.join)
    gevent.idle()
    parts.publish()
    parts.publish()
    parts.store.let.set()
    wait_seen(joining.get(timeout=5), "welcome", 1, 2)


def test_an_unknown_session_leaves_nothing_behind(parts: Parts) -> None:
    parts.store.gone = True
    assert not parts.hub.join(Browser(), SESSION, None, resumed=True)
    assert parts.channels.subscribed == []


def test_a_store_that_is_away_leaves_nothing_behind(parts: Parts) -> None:
    parts.store.away = True
    with pytest.raises(Unavailable):
        parts.hub.join(Browser(), SESSION, None, resumed=True)
    assert parts.channels.subscribed == []


def test_a_gap_is_filled_from_the_log(parts: Parts) -> None:
    browser = parts.join()
    parts.store.commit()
    parts.store.commit()
    parts.publish()
    wait_seen(browser, "welcome", 1, 2, 3)
    assert parts.store.reads == 1


def test_a_gap_is_filled_once_the_store_answers_again(parts: Parts) -> None:
    browser = parts.join()
    parts.store.commit()
    parts.store.away = True
    parts.publish()
    with gevent.Timeout(5):
        while parts.store.reads < 3:
            gevent.sleep(0.001)
    parts.publish()
    parts.store.away = False
    wait_seen(browser, "welcome", 1, 2, 3)


def test_where_the_log_no_longer_reaches_every_browser_gets_a_fresh_welcome(parts: Parts) -> None:
    browsers = [parts.join(), parts.join()]
    for _ in range(10):
        parts.store.commit()
    parts.store.kept_from = 5
    parts.publish()
    for browser in browsers:
        wait_seen(browser, "welcome", "welcome")
    parts.publish()
    for browser in browsers:
        wait_seen(browser, "welcome", "welcome", 12)


def test_updates_that_pub_sub_lost_are_found_after_it_is_mended(parts: Parts) -> None:
    browser = parts.join()
    parts.store.commit()
    parts.hub.mended()
    wait_seen(browser, "welcome", 1)


def test_after_a_rollback_of_the_store_every_browser_gets_a_fresh_welcome(parts: Parts) -> None:
    browser = parts.join()
    for _ in range(3):
        parts.publish()
    del parts.store.log[1:]
    parts.hub.mended()
    wait_seen(browser, "welcome", 1, 2, 3, "welcome")
    parts.publish()
    wait_seen(browser, "welcome", 1, 2, 3, "welcome", 2)


def test_browsers_of_a_session_that_has_expired_are_closed(parts: Parts) -> None:
    browser = parts.join()
    parts.store.gone = True
    parts.hub.mended()
    wait_seen(browser, "welcome", "closed 4001")


def test_a_failure_nobody_thought_of_does_not_leave_a_feed_stuck(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    browser = parts.join()
    parts.store.commit()
    with monkeypatch.context() as patch:
        patch.setattr(parts.store, "updates_since", lambda *_: 1 // 0)
        parts.publish()
        gevent.idle()
    parts.publish()
    wait_seen(browser, "welcome", 1, 2, 3)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_an_idle_session_is_asked_about_seldom_and_once_more_when_its_last_browser_has_left(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "CHECK_EVERY", 0.001)
    browser = parts.join()
    parts.hub.mended()
    wait_for(lambda: parts.store.kept == [SESSION])
    gevent.sleep(0.02)
    assert parts.store.kept == [SESSION]
    browser.submitted()
    wait_for(lambda: len(parts.store.kept) > 3)
    parts.hub.leave(browser)
    gevent.sleep(0.02)
    before = len(parts.store.kept)
    gevent.sleep(0.02)
    assert len(parts.store.kept) == before


def wait_for(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(5):
        while not condition():
            gevent.sleep(0.001)
