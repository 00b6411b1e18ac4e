"""The one writer of a socket: whole frames, in order, bounded, and never in anybody's way."""

from __future__ import annotations

import gevent
from gevent.event import Event as Signal

from manyhands_gateway.outbox import JOINED, MAX_BYTES, MAX_FRAMES, Outbox


class Socket:
    """Has room for so many bytes; a full one makes its writer wait, as gevent's sockets do."""

    def __init__(self, room: int) -> None:
        self.room, self.written, self.sends = room, b"", 0
        self.gone = False
        self._readable = Signal()

    def send(self, data: bytes, flags: int = 0, timeout: float | None = None) -> int:
        while True:
            if self.gone:
                raise BrokenPipeError
            sent = min(self.room, len(data))
            if sent:
                self.room -= sent
                self.sends += 1
                self.written += bytes(data[:sent])
                return sent
            if timeout == 0:
                raise BlockingIOError
            self._readable.clear()
            self._readable.wait()

    def read(self, size: int) -> None:
        self.room += size
        self._readable.set()
        gevent.idle()

    def break_off(self) -> None:
        self.gone = True
        self._readable.set()
        gevent.idle()


class Box:
    """An outbox, and what it has reported."""

    def __init__(self, room: int, send_within: float = 20.0) -> None:
        self.socket = Socket(room)
        self.reports: list[str] = []
        self.outbox = Outbox(
            self.socket, lambda: self.reports.append("overflow"), lambda: self.reports.append("broken"), send_within
        )


def test_while_the_socket_has_room_a_frame_is_written_at_once() -> None:
    box = Box(room=100)
    box.outbox.put(b"one")
    box.outbox.put(b"two")
    assert box.socket.written == b"onetwo"


def test_what_a_slow_reader_can_not_take_arrives_later_whole_and_in_order() -> None:
    box = Box(room=5)
    frames = [bytes([number]) * 1000 for number in range(50)]
    for frame in frames:
        box.outbox.put(frame)
    assert box.socket.written == frames[0][:5]
    while len(box.socket.written) < 50_000:
        box.socket.read(777)
    assert box.socket.written == b"".join(frames)
    assert box.reports == []


def test_small_frames_that_wait_are_written_together() -> None:
    box = Box(room=1)
    for _ in range(1000):
        box.outbox.put(b"0123456789")
    box.socket.read(1_000_000)
    assert len(box.socket.written) == 10_000
    assert box.socket.sends <= 3


def test_what_is_put_into_a_corked_outbox_is_written_together() -> None:
    box = Box(room=1_000_000)
    box.outbox.cork()
    for _ in range(3):
        box.outbox.put(b"ab")
    assert box.socket.written == b""
    box.outbox.put(b"x" * JOINED)
    box.outbox.uncork()
    box.outbox.uncork()
    assert box.socket.written == b"ababab" + b"x" * JOINED
    assert box.socket.sends == 2
    box.outbox.put(b"cd")
    assert box.socket.sends == 3


def test_a_last_frame_follows_what_was_gathered_unless_that_is_dropped() -> None:
    for drop in (False, True):
        box = Box(room=100)
        box.outbox.cork()
        box.outbox.put(b"one")
        box.outbox.finish(b"end", drop=drop)
        box.outbox.uncork()
        assert box.socket.written == (b"end" if drop else b"oneend")


def test_once_the_reader_has_caught_up_frames_are_written_at_once_again() -> None:
    box = Box(room=1)
    box.outbox.put(b"ab")
    box.socket.read(100)
    box.outbox.put(b"cd")
    assert box.socket.written == b"abcd"


def test_a_frame_may_be_larger_than_the_bound_but_what_waits_behind_it_may_not() -> None:
    box = Box(room=10)
    box.outbox.put(b"x" * (MAX_BYTES + 100))
    box.outbox.put(b"y" * MAX_BYTES)
    assert box.reports == []
    box.outbox.put(b"z")
    assert box.reports == ["overflow"]


def test_too_many_frames_are_an_overflow() -> None:
    box = Box(room=0)
    for _ in range(MAX_FRAMES + 1):
        box.outbox.put(b"x")
    assert box.reports == []
    box.outbox.put(b"x")
    assert box.reports == ["overflow"]


def test_the_last_frame_follows_what_waits() -> None:
    box = Box(room=1)
    box.outbox.put(b"one")
    box.outbox.put(b"two")
    box.outbox.finish(b"end")
    box.outbox.put(b"late")
    box.socket.read(100)
    assert box.socket.written == b"onetwoend"


def test_for_a_slow_reader_what_waits_is_dropped_but_never_half_a_frame() -> None:
    box = Box(room=1)
    box.outbox.put(b"one")
    box.outbox.put(b"two")
    box.outbox.finish(b"end", drop=True)
    box.socket.read(100)
    assert box.socket.written == b"oneend"


def test_a_socket_that_is_gone_is_reported() -> None:
    box = Box(room=100)
    box.socket.gone = True
    box.outbox.put(b"one")
    assert box.reports == ["broken"]


def test_a_socket_that_goes_while_something_waits_is_reported() -> None:
    box = Box(room=1)
    box.outbox.put(b"one")
    gevent.idle()
    box.socket.break_off()
    assert box.reports == ["broken"]


def test_a_reader_that_takes_nothing_is_given_up() -> None:
    box = Box(room=1, send_within=0.01)
    box.outbox.put(b"one")
    with gevent.Timeout(5):
        while not box.reports:
            gevent.idle()
    assert box.reports == ["overflow", "broken"]
