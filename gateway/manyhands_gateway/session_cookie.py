"""The cookie that names a session, where MANYHANDS_SESSION_COOKIE is on: a page's scripts never see the token.

It is set by the answer to the handshake, also where it has come with it, which renews its life. Over https its name
begins with `__Host-`: no page of another host, of a subdomain neither, can plant one with that name.

Only a handshake with an Origin, which has been found to be allowed, is named by its cookie. Browsers send one with
every handshake and no page can leave it out; a program that sends none gets its token in the welcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from werkzeug.http import dump_cookie

from manyhands.errors import Unavailable
from manyhands.settings import Settings
from manyhands.store.contract import Store
from manyhands_gateway.sessions import Named
from manyhands_gateway.tokens import Tokens, new_session_id

#: Seconds that a browser keeps the cookie at least. How long a session lives is the store's to say.
LIFE = 30 * 86_400
#: Before the name of a cookie that only https, this very host, and the path / may set and see.
HOST_PREFIX = "__Host-"
#: Where servers leave the socket in the WSGI environment.
SOCKETS = ("gunicorn.socket", "werkzeug.socket")


class SessionCookie:
    """Reads and writes the cookie of one namespace."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._tokens, self._store = Tokens(settings), store
        self._name = f"{settings.namespace}-session"
        self._life = max(LIFE, round(settings.session_ttl))

    def name(self, *, https: bool) -> str:
        """Give the cookie's name."""
        return HOST_PREFIX + self._name if https else self._name

    def read(self, cookies: Mapping[str, str], *, https: bool) -> Named:
        """Give the session that the cookie names if it lives, else a new one: an id that is not in use is never taken.

        Where the store can't be asked the cookie is believed; the hello will be told the same.
        """
        session = self._tokens.verify(cookies.get(self.name(https=https), ""))
        return Named(session, False) if session is not None and self._lives(session) else Named(new_session_id(), True)

    def named(self, cookies: Mapping[str, str]) -> str | None:
        """Give the session that the cookie names, whether or not it lives; None without one."""
        named = (self._tokens.verify(cookies.get(self.name(https=https), "")) for https in (True, False))
        return next((session for session in named if session is not None), None)

    def _lives(self, session: str) -> bool:
        try:
            return self._store.keep([session])[0] is not None
        except Unavailable:
            return True

    def header(self, named: Named, *, https: bool) -> str:
        """Give the value of `Set-Cookie`."""
        return dump_cookie(
            self.name(https=https), self._tokens.sign(named.session), max_age=self._life, path="/",
            secure=https, httponly=True, samesite="Lax",
        )  # fmt: skip

    def without(self, cookies: Mapping[str, str]) -> dict[str, str]:
        """Give the cookies that an app may see."""
        own = (self._name, HOST_PREFIX + self._name)
        return {name: value for name, value in cookies.items() if name not in own}


class AnsweringSocket:
    """A socket whose first write, the answer to the handshake, gets one header more.

    simple-websocket has no way to send one. Whoever goes on with the socket takes `real`.
    """

    def __init__(self, real: Any, header: str) -> None:
        self.real, self._header = real, header.encode("ascii")

    def send(self, answer: bytes) -> int:
        """Send the whole answer, which is short; only one that accepts gets the header."""
        status, end, rest = answer.partition(b"\r\n")
        if b" 101 " in status + b" ":
            answer = status + end + self._header + end + rest
        self.real.sendall(answer)
        return len(answer)


def answer_with(environ: dict[str, Any], cookie: str) -> None:
    """Have the answer to this handshake set a cookie."""
    for key in SOCKETS:
        if key in environ:
            environ[key] = AnsweringSocket(environ[key], f"Set-Cookie: {cookie}")


def real_socket(sock: Any) -> Any:
    """Give the socket to go on with."""
    return sock.real if isinstance(sock, AnsweringSocket) else sock
