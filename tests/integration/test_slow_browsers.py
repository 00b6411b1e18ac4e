"""Browsers that read slowly, or not at all, through a small buffer: they get everything, and delay nobody."""

from __future__ import annotations

import random
import select
import socket
import statistics
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from manyhands.store.turns import Turn
from manyhands_gateway.outbox import MAX_BYTES
from support.browser import JSON, MSGPACK, Tab
from support.processes import Processes
from support.stand_in import StandIn
from support.waiting import wait_until

#: Bytes that a browser's system keeps while it does not read. The gateway's own keeps some 4 MB.
SMALL = 64 * 1024
LARGE = random.Random(5).randbytes(5_000_000)


@dataclass
class Talk:
    """A running event of a session, which sends updates, and a browser of it that reads them at once."""

    worker: StandIn
    turn: Turn
    reader: Tab
    sent: int = 0
    #: Seconds from each commit until the reader had it.
    took: list[float] = field(default_factory=list)

    def update(self, **values: object) -> None:
        """Send an update, and wait until the reader has it."""
        began = time.monotonic()
        self.sent += 1
        self.worker.commit(self.turn, k=self.sent, done=False, **values)
        self.reader.wait_for(lambda: self.reader.seq == self.sent)
        self.took.append(time.monotonic() - began)

    def end(self) -> None:
        """End the event."""
        self.sent += 1
        self.worker.commit(self.turn, k=self.sent, counter=-1)


def talk_of(tab: Tab, worker: StandIn, reader: Tab) -> Talk:
    tab.wait_accepted(tab.fire("increment"))
    return Talk(worker, worker.begin(tab.token or ""), reader)


def read_in_steps(tab: Tab, act: Callable[[], None]) -> None:
    """From now on, do something between any two reads of 64 KiB."""
    buffer, read = tab.socket.frame_buffer, 0
    receive = buffer.recv

    def receive_slowly(size: int) -> bytes:
        nonlocal read
        if read >= SMALL:
            read = 0
            act()
        data = receive(size)
        read += len(data)
        return data

    buffer.recv = receive_slowly


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
def test_a_large_update_arrives_whole_at_a_slow_reader_while_others_get_theirs_at_once(
    processes: Processes, worker: StandIn, subprotocol: str
) -> None:
    _, url = processes.gateway()
    with Tab(url, subprotocol=subprotocol, receive_buffer=SMALL) as slow, Tab(url, token=slow.token) as reader:
        talk = talk_of(slow, worker, reader)
        talk.update(large=LARGE)
        talk.took.clear()
        read_in_steps(slow, lambda: talk.update(counter=talk.sent))
        slow.wait_for(lambda: slow.seq == 1, 60)
        assert talk.sent > 50
        assert statistics.median(talk.took) < 0.25
        assert slow.state["large"] == LARGE
        talk.end()
        slow.wait_for(lambda: slow.state["counter"] == -1)
        assert [update["seq"] for update in slow.updates] == list(range(1, talk.sent + 1))


def test_a_browser_that_stops_reading_is_closed_with_4002_delays_nobody_and_gets_the_whole_state_afterwards(
    processes: Processes, worker: StandIn
) -> None:
    _, url = processes.gateway()
    with (
        Tab(url, subprotocol=MSGPACK, receive_buffer=SMALL) as stopped,
        Tab(url, subprotocol=MSGPACK, token=stopped.token) as reader,
        Tab(url) as bystander,
    ):
        talk = talk_of(stopped, worker, reader)
        # One that is being written, as many as may wait, and one more.
        for number in range(3 + MAX_BYTES // len(LARGE)):
            talk.update(large=LARGE[number:])
            bystander.wait_accepted(bystander.fire("increment"), timeout=2)
        talk.update(counter=1)
        assert talk.took[-1] < 2
        assert stopped.wait_closed()[0] == 4002
        assert stopped.seq == 1
        welcome = stopped.reconnect()
        assert (welcome["resumed"], welcome["seq"]) == (True, talk.sent)
        talk.end()
        stopped.wait_for(lambda: stopped.state["counter"] == -1)
        reader.wait_for(lambda: reader.state["counter"] == -1)
        assert stopped.state == reader.state


def test_a_browser_that_takes_in_nothing_ends_with_its_socket_and_resumes_from_what_it_saw_last(
    processes: Processes, worker: StandIn
) -> None:
    _, url = processes.gateway(environ={"MANYHANDS_SEND_WITHIN": "1"})
    with Tab(url, subprotocol=JSON, receive_buffer=SMALL) as stopped, Tab(url, token=stopped.token) as reader:
        talk = talk_of(stopped, worker, reader)
        talk.update(counter=1)
        stopped.wait_for(lambda: stopped.seq == 1)
        # In JSON six times as large as in the log of updates, which holds them all: so the socket is full, and
        # nothing is forgotten.
        for number in range(6):
            talk.update(text="\0" * 160_000 + str(number))
        talk.took.clear()
        ended = wait_until(lambda: talk.update(counter=talk.sent) or has_ended(stopped), 15, "end of the socket")
        assert ended
        assert statistics.median(talk.took) < 0.25
        welcome = stopped.reconnect()
        assert welcome["resumed"]
        assert "state" not in welcome
        talk.end()
        stopped.wait_for(lambda: stopped.state["counter"] == -1)
        assert [update["seq"] for update in stopped.updates] == list(range(1, talk.sent + 1))
        assert stopped.state["text"] == "\0" * 160_000 + "5"


def test_a_peer_that_does_not_read_an_answer_over_http_is_cut_off_and_one_that_does_gets_all_of_it(
    processes: Processes, worker: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "large.bin").write_bytes(2 * LARGE)
    (tmp_path / "main.py").write_text("")
    process, url = processes.gateway(environ={"MANYHANDS_APP": str(tmp_path), "MANYHANDS_SEND_WITHIN": "0.5"})
    port = int(url.rpartition(":")[2])
    with socket.socket() as stopped:
        stopped.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        stopped.connect(("127.0.0.1", port))
        stopped.sendall(b"GET /static/large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: was_reset(stopped), 10, "end of the connection")
    with urllib.request.urlopen(f"{url}/static/large.bin") as answer:
        assert answer.read() == 2 * LARGE
    # The time of an answer is none of a socket.
    with Tab(url) as tab:
        assert not tab.read(1)
        tab.wait_accepted(tab.fire("increment"))
    assert "Traceback" not in process.output


def has_ended(tab: Tab) -> bool:
    """Tell whether the gateway has reset a connection."""
    raw = tab.socket.sock
    assert isinstance(raw, socket.socket)
    return was_reset(raw)


def was_reset(raw: socket.socket) -> bool:
    """Tell whether the other side has reset a connection, without reading from it."""
    poll = select.poll()
    poll.register(raw, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
