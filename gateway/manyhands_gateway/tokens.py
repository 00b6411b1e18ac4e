"""Session ids and the signed tokens by which browsers name them. When a session ends is the store's to say."""

from __future__ import annotations

import base64
import hashlib
import secrets

from itsdangerous import BadSignature, Signer

from manyhands.settings import Settings

#: Random bytes of a session's id: 128 bits, so that nobody guesses one.
ID_BYTES = 16
#: Characters of a token beyond which it is not even looked at.
MAX_TOKEN = 200


def new_session_id() -> str:
    """Make the id of a new session.

    It begins with no underscore: apps use it as a key, and such keys stay in the back end.
    """
    while (made := secrets.token_urlsafe(ID_BYTES)).startswith("_"):
        pass
    return made


def public_name(session: str) -> str:
    """Make what tells sessions apart and gives access to none, for pages whose scripts may not have the token."""
    digest = hashlib.sha256(f"the public name of {session}".encode()).digest()
    return "public-" + base64.urlsafe_b64encode(digest[:ID_BYTES]).rstrip(b"=").decode()


class Tokens:
    """Signs and verifies with the keys of one namespace: the newest key signs, every key verifies."""

    def __init__(self, settings: Settings) -> None:
        self._signer = Signer(
            # itsdangerous signs with the last of its keys.
            list(reversed(settings.secrets)),
            salt=f"manyhands session {settings.namespace}",
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )

    def sign(self, session: str) -> str:
        """Make the token of a session."""
        return self._signer.sign(session).decode()

    def verify(self, token: str) -> str | None:
        """Give the session that a token names; None for a forged or foreign one."""
        if len(token) > MAX_TOKEN or not token.isascii():
            return None
        try:
            return self._signer.unsign(token).decode()
        except BadSignature:
            return None
