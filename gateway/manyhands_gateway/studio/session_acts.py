"""What the studio shows of a session, and does to it: by events of ours, so that all goes in the session's order."""

from __future__ import annotations

from collections.abc import Mapping
from time import time
from typing import Any

import gevent

from manyhands import fields
from manyhands.errors import ManyHandsError
from manyhands.keys import room
from manyhands.letters import Body, encode_body
from manyhands.store.contract import Letter, Verdict
from manyhands_gateway.frames import transcode
from manyhands_gateway.gateway import Gateway
from manyhands_gateway.sessions import join_map

#: The client that acts. Browsers' ids are longer.
CLIENT = "studio"


#: Values by their encoded paths.
Fields = Mapping[bytes, bytes]


class ActRefused(ManyHandsError):
    """The session can't be acted on; `status` is how HTTP says why."""

    def __init__(self, why: str, status: int) -> None:
        self.status = status
        super().__init__(why)


def whole_state(gateway: Gateway, session: str) -> bytes:
    """Give all of a session's state and of its rooms' as JSON, private keys too; raises `Unavailable`, `ActRefused`."""
    welcome = gateway.store.welcome(session, CLIENT, None)
    if welcome is None:
        raise _unknown()
    announcement = gateway.store.announcement()
    defaults = announcement.defaults if announcement else welcome.session.defaults
    known = gateway.services.sessions.defaults.get(defaults)
    rooms = {name: gateway.store.rooms.snapshot(room(name), None).fields or {} for name in welcome.rooms}
    # Of many keys it takes seconds, in which others are to be served.
    encoded: bytes = gevent.get_hub().threadpool.apply(_encode, (known, welcome.fields or {}, rooms))
    return encoded


def _encode(defaults: Fields, own: Fields, rooms: Mapping[str, Fields]) -> bytes:
    shared = {name: fields.encode_whole(fields.build_tree({}, found)) for name, found in rooms.items()}
    state = fields.encode_whole(fields.build_tree(defaults, own))
    return transcode(join_map({"state": state, "rooms": join_map(shared)}))


def act(gateway: Gateway, session: str, handler: str, payload: Any) -> dict[str, Any]:
    """Put an event of ours into a session's mailbox; gives its client and number. Raises like `whole_state`."""
    letter = Letter(session, CLIENT, None, encode_body(Body(handler, payload, posted=time())))
    (receipt,) = gateway.store.accept([letter])
    if receipt.ring is not None:
        gateway.ringer.ring(session, receipt.ring, receipt.queue)
    if receipt.verdict is Verdict.UNKNOWN_SESSION:
        raise _unknown()
    if receipt.verdict is not Verdict.ACCEPTED:
        raise ActRefused(f"the session takes no more events at present: {receipt.verdict}", 429)
    if gateway.studio is not None:
        gateway.studio.accepted(letter, receipt)
    return {"client": CLIENT, "n": receipt.n}


def _unknown() -> ActRefused:
    return ActRefused("the session has ended; reload the studio to begin another one", 404)
