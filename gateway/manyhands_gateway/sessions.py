"""Beginning and resuming sessions: what a hello leads to, and what its welcome holds."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgpack

from manyhands import envelopes, fields
from manyhands.abilities import PLAIN, Abilities
from manyhands.settings import Settings
from manyhands.store.contract import Announcement, Session, Store, Welcome
from manyhands.wire import Key
from manyhands_gateway.defaults import DefaultsCache
from manyhands_gateway.delivery import encoded_frame
from manyhands_gateway.frames import pack
from manyhands_gateway.tokens import Tokens, new_session_id, public_name

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Named:
    """The session that a browser's cookie names."""

    session: str
    #: It was made at this very handshake: there is no such session yet.
    is_new: bool


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the request that opened a connection says."""

    #: Without `Cookie`.
    headers: Mapping[str, str]
    #: Without the one that names the session.
    cookies: Mapping[str, str]
    #: None where sessions are named by the tokens of hellos.
    named: Named | None = None


@dataclass(frozen=True, slots=True)
class Greeting:
    """A welcome, encoded, and the missed updates that follow it."""

    seq: int
    envelope: bytes
    missed: Sequence[bytes] = ()
    #: Names of the rooms that the session has joined; `with_rooms` says what the browser gets of them.
    rooms: Sequence[str] = ()

    def with_rooms(self, rooms: bytes) -> Greeting:
        """Add an encoded map of the rooms to the envelope."""
        # A map of fewer than sixteen keys says in its first byte how many.
        envelope = bytes([self.envelope[0] + 1]) + self.envelope[1:] + pack(Key.SHARED) + rooms
        return replace(self, envelope=envelope)

    def frames(self, subprotocol: str) -> list[bytes]:
        """Frame all of it."""
        return [encoded_frame(payload, subprotocol) for payload in (self.envelope, *self.missed)]


class Sessions:
    """Sessions as browsers meet them. Every method may wait for the store, and raises `Unavailable`."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._tokens = Tokens(settings)
        self.defaults = DefaultsCache(store, settings.session_ttl)

    def announced(self) -> Sequence[Announcement]:
        """Read what is announced, the newest first; nothing when no worker has ever announced the app."""
        return self._store.announcements()

    def begin(self, announcement: Announcement, handshake: Handshake) -> str:
        """Create a session and give its id, which is always one of our making."""
        session_id = handshake.named.session if handshake.named else new_session_id()
        headers, cookies = handshake.headers, handshake.cookies
        self._store.create(Session(session_id, announcement.defaults, announcement.version, headers, cookies))
        return session_id

    def verify(self, token: str | None, named: Named | None) -> str | None:
        """Give the session that a hello asks for, whether or not it still lives; None for a forged token.

        `named`: what the cookie says, which alone counts where there is one. Then the hello's token is the public name
        that a welcome gave, and tells whether the browser means the same session.
        """
        if named is None:
            return self._tokens.verify(token or "")
        return named.session if token in (None, public_name(named.session)) else None

    def greet(
        self,
        session: str,
        client: str,
        seq: int | None,
        *,
        resumed: bool,
        secret: bool = False,
        abilities: Abilities = PLAIN,
    ) -> Greeting | None:
        """Read a welcome: with the updates since `seq` if they are kept, else with the state. None: unknown.

        `secret`: without the token, which a cookie carries. `abilities`: what the browser can read.
        """
        welcome = self._store.welcome(session, client, seq, abilities)
        if welcome is None:
            return None
        name = public_name(session) if secret else self._tokens.sign(session)
        head = envelopes.welcome(
            name, resumed=resumed, seq=welcome.seq, n=welcome.highest_n, pending=welcome.pending
        )
        encoded = {key: pack(value) for key, value in head.items()}
        encoded[Key.ENDED] = msgpack.Packer().pack_array_header(len(welcome.ended)) + b"".join(welcome.ended)
        if welcome.updates is None:
            encoded[Key.STATE] = self._snapshot(welcome)
        return Greeting(welcome.seq, join_map(encoded), welcome.updates or (), welcome.rooms)

    def _snapshot(self, welcome: Welcome) -> bytes:
        content_hash = welcome.session.defaults
        if self._settings.dev:
            announcement = self._store.announcement()
            content_hash = announcement.defaults if announcement else content_hash
        tree = fields.build_tree(self.defaults.get(content_hash), welcome.fields or {})
        return fields.encode_public(tree)


def join_map(encoded: Mapping[str, bytes]) -> bytes:
    """Join encoded values to an encoded map, without decoding any."""
    parts = [msgpack.Packer().pack_map_header(len(encoded))]
    for key, value in encoded.items():
        parts += (pack(key), value)
    return b"".join(parts)
