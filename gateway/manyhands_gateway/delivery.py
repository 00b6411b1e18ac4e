"""An update on its way to browsers: encoded and framed once per subprotocol, whatever the number of connections."""

from __future__ import annotations

from manyhands.updates import seq_of
from manyhands.wire import SUBPROTOCOL_JSON
from manyhands_gateway.frames import transcode
from manyhands_gateway.framing import data_frame


class Delivery:
    """One update, as it came from the store, with the frames that carry it; its connections share their bytes."""

    __slots__ = ("_frames", "encoded", "seq")

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded
        self.seq = seq_of(encoded)
        self._frames: dict[str, bytes] = {}

    def frame(self, subprotocol: str) -> bytes:
        """Give the frame for a subprotocol."""
        frame = self._frames.get(subprotocol)
        if frame is None:
            payload = transcode(self.encoded) if subprotocol == SUBPROTOCOL_JSON else self.encoded
            frame = self._frames[subprotocol] = data_frame(payload, subprotocol)
        return frame
