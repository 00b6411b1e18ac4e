"""Fan-out inside a gateway: one update, encoded once, one frame shared by all connections of its session."""

from __future__ import annotations

import json

import pytest

from manyhands import envelopes
from manyhands.abilities import Abilities
from manyhands.keys import Keys
from manyhands.settings import Settings
from manyhands.updates import Growth, Outcome, encode_growth, encode_update, splice
from manyhands.wire import SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK, Close
from manyhands_gateway import delivery as delivery_module
from manyhands_gateway import hub as hub_module
from manyhands_gateway.connection import Connection
from manyhands_gateway.delivery import Delivery, accepted_frame
from manyhands_gateway.feed import Feed
from manyhands_gateway.frames import encode_frame
from manyhands_gateway.framing import data_frame
from manyhands_gateway.hub import Hub

SESSION, CHANNEL = "s", Keys("mh").updates("s").encode()
UPDATE = splice(encode_update([(("a",), b"\x05")], [], "c", 1, Outcome(ok=True)), 1)


class Socket:
    """Keeps the very objects that are written to it."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send(self, data: bytes, *_: object) -> int:
        self.frames.append(data)
        return len(data)


def crowd(subprotocols: list[str]) -> tuple[Hub, list[Connection]]:
    """Make a hub with a session that has these connections."""
    hub = Hub(None, Keys("mh"), None)  # type: ignore[arg-type]
    feed = hub._feeds[CHANNEL] = Feed(SESSION, CHANNEL)
    members = [Connection(Socket(), subprotocol, Settings()) for subprotocol in subprotocols]
    for member in members:
        feed.join(member)
        feed.welcomed(member, 0)
    return hub, members


def test_of_1000_connections_all_share_one_frame_of_one_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Delivery] = []
    monkeypatch.setattr(hub_module, "Delivery", lambda encoded: made.append(Delivery(encoded)) or made[-1])
    hub, members = crowd([SUBPROTOCOL_MSGPACK] * 1000)
    hub.received(CHANNEL, UPDATE)

    frames = [frame for member in members for frame in member.sock.frames]
    assert len(frames) == 1000
    assert all(frame is frames[0] for frame in frames)
    assert frames[0].endswith(UPDATE)
    assert len(made) == 1


def test_of_1000_json_connections_all_share_one_transcoding(monkeypatch: pytest.MonkeyPatch) -> None:
    transcodings: list[bytes] = []
    transcode = delivery_module.transcode
    monkeypatch.setattr(delivery_module, "transcode", lambda data: transcodings.append(data) or transcode(data))
    hub, members = crowd([SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK] * 500)
    hub.received(CHANNEL, UPDATE)

    texts = [frame for member in members if member.subprotocol == SUBPROTOCOL_JSON for frame in member.sock.frames]
    assert len(texts) == 500
    assert all(frame is texts[0] for frame in texts)
    assert json.loads(texts[0][texts[0].index(b"{") :])["set"] == [[["a"], 5]]
    assert transcodings == [UPDATE]


def test_without_json_connections_nothing_is_transcoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "transcode", lambda _: pytest.fail("an update was transcoded for nobody"))
    hub, _ = crowd([SUBPROTOCOL_MSGPACK])
    hub.received(CHANNEL, UPDATE)


@pytest.mark.parametrize("n", [1, 127, 128, 65_536, 2**53 - 1])
@pytest.mark.parametrize("subprotocol", [SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK])
def test_a_receipt_is_the_envelope_with_its_number(n: int, subprotocol: str) -> None:
    frame = accepted_frame(n, subprotocol)
    assert frame == data_frame(encode_frame(envelopes.accepted(n), subprotocol), subprotocol)


def test_a_browser_that_reads_no_additions_is_sent_away_to_get_the_whole_state() -> None:
    growth = Growth(("a",), b"f", "digest", b"\xa2ab", b"\xa1b")
    short, _ = encode_growth([growth], [], [], "c", 1, Outcome(ok=True))
    hub, (able, other) = crowd([SUBPROTOCOL_JSON, SUBPROTOCOL_JSON])
    able.abilities = Abilities(add=True)
    hub.received(CHANNEL, splice(short, 1))
    assert (able.seq, able.code) == (1, None)
    assert (other.seq, other.code) == (0, Close.SLOW_CONSUMER)
