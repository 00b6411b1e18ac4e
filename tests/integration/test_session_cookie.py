"""Tokens in an HttpOnly cookie: who gets which session, and what no script of a page ever sees."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from http.cookies import Morsel, SimpleCookie
from typing import Any

import pytest

from manyhands.settings import Settings
from manyhands_gateway.tokens import Tokens, new_session_id, public_name
from support.browser import Tab
from support.processes import Processes
from support.stand_in import StandIn, session_of


class Site:
    """A gateway with the cookie, and a worker's stand-in."""

    def __init__(self, url: str, settings: Settings, worker: StandIn) -> None:
        self.url, self.settings, self.worker = url, settings, worker
        self.name = f"{settings.namespace}-session"

    @property
    def https(self) -> str:
        """The Origin of the same host's pages over https."""
        return self.url.replace("http://", "https://")

    def tab(self, cookie: str | None = None, *, origin: str | None = None, **options: Any) -> Tab:
        """Open a tab of a page of ours, with a cookie header."""
        headers = {"Cookie": cookie} if cookie else {}
        return Tab(self.url, origin=origin or self.url, headers=headers, **options)

    def token(self, session: str) -> str:
        return Tokens(self.settings).sign(session)


@pytest.fixture(scope="module")
def site(module_processes: Processes, module_settings: Settings) -> Iterator[Site]:
    """A site that the tests share; each has its own sessions."""
    with site_of(module_processes, module_settings) as made:
        yield made


@contextlib.contextmanager
def site_of(processes: Processes, settings: Settings) -> Iterator[Site]:
    with contextlib.closing(StandIn(settings)) as worker:
        worker.announce()
        yield Site(processes.gateway(environ={"MANYHANDS_SESSION_COOKIE": "on"})[1], settings, worker)


def cookie_of(tab: Tab) -> Morsel[str]:
    """Give the cookie that the answer to the handshake has set."""
    (morsel,) = SimpleCookie(tab.socket.headers["set-cookie"]).values()
    return morsel


def refusal(site: Site, **headers: str) -> tuple[int, Mapping[str, str]]:
    """Give status and headers of the answer to a handshake that is refused."""
    handshake = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "manyhands.1.json",
    }  # fmt: skip
    connection = HTTPConnection(site.url.removeprefix("http://"), timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", "/_mh/ws", headers={**handshake, **headers})
        answer = connection.getresponse()
        answer.read()
        return answer.status, dict(answer.getheaders())


def test_the_handshake_sets_the_token_and_the_welcome_does_not_tell_it(site: Site) -> None:
    with site.tab() as tab:
        cookie = cookie_of(tab)
        assert (cookie.key, cookie["httponly"], cookie["samesite"], cookie["path"]) == (site.name, True, "Lax", "/")
        assert not cookie["secure"]
        assert not cookie["domain"]
        assert int(cookie["max-age"]) >= 86_400
        session = session_of(cookie.value)
        assert tab.token == public_name(session)
        assert session not in str(tab.welcomes)
        assert Tokens(site.settings).verify(tab.token or "") is None


def test_over_https_the_cookie_is_secure_and_belongs_to_this_host_alone(site: Site) -> None:
    with site.tab(origin=site.https) as tab:
        cookie = cookie_of(tab)
        assert cookie.key == f"__Host-{site.name}"
        assert cookie["secure"]
        # What a page over http, or of a subdomain, could have planted is not looked at.
        with site.tab(f"{site.name}={cookie.value}", origin=site.https) as other:
            assert cookie_of(other).value != cookie.value


def test_a_tab_comes_back_by_the_cookie_and_misses_nothing(site: Site) -> None:
    with site.tab() as tab:
        cookie = cookie_of(tab)
        header = f"{site.name}={cookie.value}"
        n = tab.fire("increment")
        tab.wait_accepted(n)
        tab.headers["Cookie"] = header
        tab.drop()
        site.worker.end(cookie.value, counter=1)
        tab.connect()
        tab.join()
        assert tab.welcomes[-1]["resumed"] is True
        assert "state" not in tab.welcomes[-1]
        tab.wait_done(n)
        # A reload that has kept nothing, and a second tab.
        with site.tab(header) as other:
            assert (other.token, other.state["counter"]) == (tab.token, 1)
            assert other.welcomes[0]["resumed"] is True
            assert cookie_of(other).value == cookie.value


def test_a_tab_that_means_another_session_than_its_cookie_is_told_so(site: Site) -> None:
    with site.tab() as one, site.tab() as two:
        one.headers["Cookie"] = f"{site.name}={cookie_of(two).value}"
        one.drop()
        one.connect()
        one.send({"type": "hello", "client": one.client, "session": one.token, "seq": 0})
        assert one.wait_closed()[0] == 4001
        one.drop()
        one.connect()
        one.token = one.seq = None
        one.join()
        assert one.token == two.token


def test_no_token_in_a_hello_counts_beside_the_cookie(site: Site) -> None:
    with site.tab() as victim:
        token = cookie_of(victim).value
        for planted in (token, victim.token):
            with site.tab(hello=False) as tab:
                tab.send({"type": "hello", "client": "c", "session": planted})
                assert tab.wait_closed()[0] == 4001


@pytest.mark.parametrize("origin", ["http://evil.example", "https://127.0.0.1.evil.example", "null"])
def test_no_page_of_another_origin_rides_on_the_cookie(site: Site, origin: str) -> None:
    with site.tab() as tab:
        status, headers = refusal(site, Origin=origin, Cookie=f"{site.name}={cookie_of(tab).value}")
        assert status == 403
        assert "Set-Cookie" not in headers


def test_without_an_origin_the_cookie_counts_for_nothing_and_a_program_gets_its_token(site: Site) -> None:
    with site.tab() as tab, Tab(site.url, headers={"Cookie": f"{site.name}={cookie_of(tab).value}"}) as program:
        assert "set-cookie" not in program.socket.headers
        assert program.welcomes[0]["resumed"] is False
        assert Tokens(site.settings).verify(program.token or "") not in (None, session_of(cookie_of(tab).value))
        program.reconnect()
        assert program.welcomes[-1]["resumed"] is True


@pytest.mark.parametrize("planted", ["begun_by_nobody", "expired", "forged", "foreign", "garbage"])
def test_a_cookie_that_names_no_living_session_is_replaced_by_a_new_one(site: Site, planted: str) -> None:
    session = new_session_id()
    with site.tab() as gone:
        expired = cookie_of(gone).value
    site.worker.store.delete(session_of(expired))
    foreign = Tokens(Settings(secret_keys=("another key, 0123456789",), namespace=site.settings.namespace))
    value = {
        "begun_by_nobody": site.token(session), "expired": expired, "forged": f"{session}.AAAA",
        "foreign": foreign.sign(session), "garbage": "x" * 5000,
    }[planted]  # fmt: skip
    with site.tab(f"{site.name}={value}") as tab:
        assert tab.welcomes[0]["resumed"] is False
        assert cookie_of(tab).value != value
        assert site.worker.store.keep([session, session_of(cookie_of(tab).value)])[0] is None


def test_a_session_that_ends_while_its_tab_is_away_begins_anew(site: Site) -> None:
    with site.tab() as tab:
        cookie = cookie_of(tab)
        tab.headers["Cookie"] = f"{site.name}={cookie.value}"
        tab.drop()
        site.worker.store.delete(session_of(cookie.value))
        tab.connect()
        tab.send({"type": "hello", "client": tab.client, "session": tab.token, "seq": 0})
        assert tab.wait_closed()[0] == 4001


def test_the_app_never_sees_the_cookie_that_names_its_session(site: Site) -> None:
    with site.tab(f"{site.name}=x.y; __Host-{site.name}=z; theme=dark") as tab:
        token = cookie_of(tab).value
        tab.wait_accepted(tab.fire("increment"))
        session = site.worker.begin(token).session
        assert session.cookies == {"theme": "dark"}
        assert "Cookie" not in session.headers


def test_a_handshake_that_is_refused_sets_no_cookie(site: Site) -> None:
    wrong = ({"Sec-WebSocket-Protocol": "chat"}, {"Sec-WebSocket-Version": "12"})
    for headers in wrong:
        status, answered = refusal(site, **{"Origin": site.url, **headers})
        assert 400 <= status < 500
        assert "Set-Cookie" not in answered


def test_verifiers_that_refuse_leave_a_cookie_that_opens_nothing(processes: Processes, settings: Settings) -> None:
    # The browser has its cookie before the hello; a second connection must not get into what was not verified.
    with site_of(processes, settings) as site:
        store = site.worker.store
        store.announce(type(store.announcements()[0])("v2", {"_verify_session": {}}, "d"), {}, started=True)
        with site.tab(hello=False) as waiting:
            waiting.send({"type": "hello", "client": "one"})
            cookie = cookie_of(waiting)
            assert not waiting.read(0.2)
            with site.tab(f"{site.name}={cookie.value}", hello=False) as second:
                assert cookie_of(second).value != cookie.value
            assert store.keep([session_of(cookie.value)]) == [None]
