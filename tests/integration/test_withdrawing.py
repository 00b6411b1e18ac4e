"""A worker process that computes leaves doorbells to others, also the one that it had asked for before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from manyhands.broker import make_celery, make_queue
from manyhands.doorbell import Doorbell
from manyhands.settings import Settings
from manyhands_worker.consumer import leave_to_others


class Consumer:
    """Asks for doorbells as Celery does, over a real Redis, for a process that computes or not as the test says."""

    def __init__(self, settings: Settings) -> None:
        self.holds = False
        self.came: list[Any] = []
        self._connection = make_celery(settings, "v").connection_for_read()
        channel = self._connection.default_channel
        self._consumer = self._connection.Consumer(
            [make_queue(settings)], channel=channel, on_message=lambda message: self.came.append(message.payload[0])
        )
        self._consumer.consume(no_ack=True)
        leave_to_others(channel, lambda: self.holds)

    def wait(self, seconds: float) -> bool:
        """Wait for a doorbell; tells whether one came."""
        try:
            self._connection.drain_events(timeout=seconds)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def consumer(settings: Settings) -> Iterator[Consumer]:
    made = Consumer(settings)
    yield made
    made.close()


@pytest.fixture
def doorbell(settings: Settings) -> Iterator[Doorbell]:
    made = Doorbell(settings)
    yield made
    made.close()


def test_a_doorbell_that_was_asked_for_before_is_read_so_that_it_can_be_rung_again(
    consumer: Consumer, doorbell: Doorbell
) -> None:
    # From now on the next doorbell is this process's, and nobody else can get it.
    assert not consumer.wait(0.05)
    consumer.holds = True
    doorbell.ring([("a", 1)])
    assert consumer.wait(10)
    assert consumer.came == [[[["a", 1]]]]


def test_no_further_one_is_asked_for_until_the_process_is_calm(consumer: Consumer, doorbell: Doorbell) -> None:
    consumer.holds = True
    doorbell.ring([("a", 1)])
    assert not consumer.wait(0.05)
    assert doorbell.waiting([""]) == 1
    consumer.holds = False
    assert consumer.wait(10)
    assert doorbell.waiting([""]) == 0
