"""Hostile bytes against a real gateway: it answers as a server may or ends the connection, and serves all others."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.inputs import STREAMS, mutated
from manyhands.settings import Settings
from support.browser import Tab
from support.processes import Processes
from support.raw_socket import CLOSE, RawSocket, frame, handshake
from support.stand_in import StandIn

#: Connections of each test. They are the same ones in every run.
EXAMPLES = 100
#: Connections after which another browser looks whether it is still served.
LOOK = 10
HELLO = frame(b'{"type":"hello","client":"hostile"}')
WHOLE = mutated(STREAMS.map(lambda stream: handshake() + HELLO + stream)) | mutated(st.just(handshake()))

thorough = settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("kind", ["frames", "connections"])
def test_hostile_bytes_end_their_own_connection_alone(processes: Processes, settings: Settings, kind: str) -> None:
    process, url = processes.gateway()
    worker = StandIn(settings)
    worker.announce()

    number = itertools.count(1)

    @thorough
    @given(STREAMS if kind == "frames" else WHOLE)
    def every_stream(stream: bytes) -> None:
        with RawSocket(url) as raw:
            send_frames(raw, stream) if kind == "frames" else send_all(raw, stream)
        if next(number) % LOOK == 0:
            bystander.wait_accepted(bystander.fire("increment"))

    with contextlib.closing(worker), Tab(url) as bystander:
        every_stream()
        assert len(bystander.accepted) >= EXAMPLES // LOOK
        assert bystander.rejections == []
    assert process.code is None
    assert "Traceback" not in process.output


def send_frames(raw: RawSocket, stream: bytes) -> None:
    """Send hostile frames after a hello; what comes back are frames of a server, at most one of them a close."""
    raw.join()
    raw.send(stream)
    raw.finish()
    answers = raw.read_to_end()
    assert all(one.opcode != CLOSE for one in answers[:-1])


def send_all(raw: RawSocket, stream: bytes) -> None:
    """Send a connection whose handshake is hostile too; the gateway never fails at it."""
    with contextlib.suppress(ConnectionError):
        raw.send(stream)
        raw.finish()
    assert b" 500 " not in raw.read_bytes()
