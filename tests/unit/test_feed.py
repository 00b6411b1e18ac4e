"""A session's updates inside one gateway: every browser gets each once and in order, however they arrive."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from wsproto.connection import Connection as Reader
from wsproto.connection import ConnectionType
from wsproto.events import CloseConnection, TextMessage

from manyhands.settings import Settings
from manyhands.updates import Outcome, encode_update, splice
from manyhands.wire import SUBPROTOCOL_JSON
from manyhands_gateway.connection import MAX_HELD, Connection
from manyhands_gateway.delivery import Delivery
from manyhands_gateway.feed import Feed


class Socket:
    """Takes everything at once, as nearly every socket does."""

    def __init__(self) -> None:
        self.written = b""
        self.shut = False

    def send(self, data: bytes, *_: object) -> int:
        self.written += data
        return len(data)

    def shutdown(self, _: int) -> None:
        self.shut = True


class Browser:
    """A connection, and what its browser has read."""

    def __init__(self) -> None:
        self.socket = Socket()
        self.connection = Connection(self.socket, SUBPROTOCOL_JSON, Settings())

    def welcome(self, seq: int) -> None:
        """Send a welcome up to `seq`, as the hub does; what it holds does not matter here."""
        self.connection.welcome([b""], seq)

    def read(self) -> list[Any]:
        """Give the seqs of updates, and close codes."""
        reader = Reader(ConnectionType.CLIENT)
        reader.receive_data(self.socket.written)
        seen: list[Any] = []
        for event in reader.events():
            if isinstance(event, TextMessage):
                seen.append(json.loads(event.data)["seq"])
            elif isinstance(event, CloseConnection):
                seen.append(f"closed {event.code}")
        return seen


def update(seq: int) -> Delivery:
    return Delivery(splice(encode_update([(("n",), b"\x01")], [], "c", seq, Outcome(ok=True)), seq))


@pytest.fixture
def feed() -> Feed:
    return Feed("s", b"channel")


def join(feed: Feed, seq: int) -> Browser:
    browser = Browser()
    feed.join(browser.connection)
    browser.welcome(seq)
    feed.welcomed(browser.connection, seq)
    return browser


def test_updates_reach_every_browser_of_the_session(feed: Feed) -> None:
    browsers = [join(feed, 0), join(feed, 0)]
    assert not feed.receive(update(1))
    assert not feed.receive(update(2))
    assert [browser.read() for browser in browsers] == [[1, 2], [1, 2]]


def test_all_browsers_of_a_subprotocol_share_one_frame(feed: Feed) -> None:
    one = update(1)
    assert one.frame(SUBPROTOCOL_JSON) is one.frame(SUBPROTOCOL_JSON)


def test_an_update_that_comes_twice_is_sent_once(feed: Feed) -> None:
    browser = join(feed, 0)
    for seq in (1, 1, 2, 1, 2, 3):
        feed.receive(update(seq))
    assert browser.read() == [1, 2, 3]


def test_an_update_that_arrives_before_the_welcome_was_read_is_not_sent_again(feed: Feed) -> None:
    browser = Browser()
    feed.join(browser.connection)
    feed.receive(update(4))
    feed.receive(update(5))
    feed.receive(update(6))
    browser.welcome(5)
    assert not feed.welcomed(browser.connection, 5)
    assert browser.read() == [6]


def test_a_second_browser_whose_welcome_is_ahead_of_the_feed_gets_nothing_twice(feed: Feed) -> None:
    first = join(feed, 0)
    feed.receive(update(1))
    second = Browser()
    feed.join(second.connection)
    second.welcome(3)
    feed.welcomed(second.connection, 3)
    for seq in (2, 3, 4):
        feed.receive(update(seq))
    assert first.read() == [1, 2, 3, 4]
    assert second.read() == [4]


def test_a_second_browser_gets_what_came_while_its_welcome_was_read(feed: Feed) -> None:
    join(feed, 0)
    second = Browser()
    feed.join(second.connection)
    for seq in (1, 2, 3):
        feed.receive(update(seq))
    second.welcome(1)
    feed.welcomed(second.connection, 1)
    assert second.read() == [2, 3]


def test_a_gap_asks_for_the_log_and_is_filled_in_order(feed: Feed) -> None:
    browser = join(feed, 1)
    assert feed.receive(update(4))
    feed.filling = True
    assert not feed.receive(update(5))
    feed.filling = False
    assert not feed.catch_up([update(2), update(3), update(4)])
    assert browser.read() == [2, 3, 4, 5]


def test_a_gap_that_the_log_does_not_close_is_reported(feed: Feed) -> None:
    browser = join(feed, 1)
    assert feed.receive(update(4))
    assert feed.catch_up([update(2)])
    assert browser.read() == [2]


def test_a_gap_between_the_first_welcome_and_what_came_before_it_asks_for_the_log(feed: Feed) -> None:
    browser = Browser()
    feed.join(browser.connection)
    feed.receive(update(7))
    browser.welcome(5)
    assert feed.welcomed(browser.connection, 5)
    assert browser.read() == []


def test_starting_over_makes_everyone_join_again(feed: Feed) -> None:
    browsers = [join(feed, 9), join(feed, 9)]
    feed.start_over()
    feed.receive(update(3))
    for browser in browsers:
        browser.welcome(2)
        feed.welcomed(browser.connection, 2)
    feed.receive(update(4))
    assert [browser.read() for browser in browsers] == [[3, 4], [3, 4]]


def test_the_last_one_to_leave_is_noticed(feed: Feed) -> None:
    first, second = join(feed, 0), Browser()
    feed.join(second.connection)
    assert not feed.leave(first.connection)
    assert feed.leave(second.connection)


@pytest.mark.parametrize("seed", range(30))
def test_whatever_pub_sub_loses_repeats_or_delays_every_browser_sees_every_update_once(seed: int) -> None:
    chance = random.Random(seed)
    feed = Feed("s", b"channel")
    log: list[Delivery] = []
    browsers: list[tuple[Browser, int]] = []
    for seq in range(1, 60):
        log.append(update(seq))
        if chance.random() < 0.1:
            browser = Browser()
            feed.join(browser.connection)
            head = len(log)
            if chance.random() < 0.5:
                feed.receive(log[-1])
            browser.welcome(head)
            if feed.welcomed(browser.connection, head):
                feed.catch_up(log[feed.seq or 0 :])
            browsers.append((browser, head))
        for _ in range(chance.choice([0, 1, 1, 1, 2])):
            if feed.receive(log[-1]):
                feed.catch_up(log[feed.seq or 0 :])
    if feed.seq is not None:
        feed.catch_up(log[feed.seq :])
    for browser, head in browsers:
        assert browser.read() == list(range(head + 1, 60))


def test_updates_are_held_back_until_the_receipts_have_been_sent(feed: Feed) -> None:
    browser = join(feed, 0)
    browser.connection.hold()
    feed.receive(update(1))
    assert browser.read() == []
    browser.connection.release()
    feed.receive(update(2))
    assert browser.read() == [1, 2]


def test_a_welcome_that_overtakes_held_updates_makes_them_void(feed: Feed) -> None:
    browser = join(feed, 0)
    browser.connection.hold()
    feed.receive(update(1))
    browser.welcome(1)
    browser.connection.release()
    assert browser.read() == []


def test_a_browser_is_not_held_back_without_bound(feed: Feed) -> None:
    browser = join(feed, 0)
    browser.connection.hold()
    for seq in range(1, MAX_HELD + 2):
        feed.receive(update(seq))
    assert browser.read() == ["closed 4002"]


def test_a_session_is_looked_at_while_something_happens_in_it_and_once_in_a_while(feed: Feed) -> None:
    browser = join(feed, 0)
    feed.looked_at = 100.0
    assert feed.is_due(since=100.0)
    assert not feed.is_due(since=99.0)
    browser.connection.fired = 99.5
    assert feed.is_due(since=99.0)
    browser.connection.fired = 0.0
    feed.receive(update(1))
    assert feed.is_due(since=99.0)
