"""What is sent most, framed with little: updates, once whatever the number of connections, and receipts."""

from __future__ import annotations

from manyhands import envelopes
from manyhands.updates import adds, joined_in, seq_of
from manyhands.wire import SUBPROTOCOL_JSON
from manyhands_gateway.frames import encode_json, pack, transcode
from manyhands_gateway.framing import data_frame

#: Receipts up to the number, which comes last and is one byte in these.
_JSON_RECEIPT, _RECEIPT = encode_json(envelopes.accepted(0))[:-2], pack(envelopes.accepted(0))[:-1]


class Delivery:
    """One update, as it came from the store, with the frames that carry it; its connections share their bytes."""

    __slots__ = ("_frames", "adds", "encoded", "joined", "seq")

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded
        self.seq = seq_of(encoded)
        #: The rooms that the session joins by it, with True, and leaves.
        self.joined = joined_in(encoded)
        #: Whether it says of texts only what was added.
        self.adds = adds(encoded)
        self._frames: dict[str, bytes] = {}

    def frame(self, subprotocol: str) -> bytes:
        """Give the frame for a subprotocol."""
        frame = self._frames.get(subprotocol)
        if frame is None:
            frame = self._frames[subprotocol] = encoded_frame(self.encoded, subprotocol)
        return frame


def encoded_frame(encoded: bytes, subprotocol: str) -> bytes:
    """Frame an envelope that is encoded already, as msgpack."""
    return data_frame(transcode(encoded) if subprotocol == SUBPROTOCOL_JSON else encoded, subprotocol)


def accepted_frame(n: int, subprotocol: str) -> bytes:
    """Frame the receipt of an event: all receipts are alike but for their number."""
    payload = b"%b%d}" % (_JSON_RECEIPT, n) if subprotocol == SUBPROTOCOL_JSON else _RECEIPT + pack(n)
    return data_frame(payload, subprotocol)
