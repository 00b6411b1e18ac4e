"""deploy/nginx.conf in front of two real gateways and a real worker: any gateway serves any tab of a session."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import websocket

from manyhands.client import connect
from manyhands.settings import Settings
from support.browser import JSON, MSGPACK, Tab
from support.http import ask
from support.processes import Process, Processes, get
from support.redis_server import RedisServer
from support.waiting import free_port, wait_until

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "nginx"
LISTENED = "8080"
UPSTREAMS = ("gateway-1:8000", "gateway-2:8000")

APP = """
import manyhands as mh

mh.init_state({"counter": 0})

def increment(state):
    state["counter"] += 1

def keep(state, payload):
    state["kept"] = payload

def measure(state, payload):
    state["size"] = len(payload)
"""


@dataclass(frozen=True)
class Site:
    """nginx, what it stands before, and what it logs."""

    url: str
    gateways: tuple[Process, Process]
    access_log: Path

    def upstreams(self) -> list[str]:
        """Give the gateway of every socket that has closed; sockets are logged then."""
        return re.findall(r'"GET /_mh/ws [^"]*" 101 .*upstream=(\S+)', self.access_log.read_text())


def render(directory: Path, upstreams: tuple[str, str]) -> tuple[list[str], str]:
    """Write the configuration with ports and paths of this test; give the command that serves it, and its port."""
    port = str(free_port())
    text = CONFIGURATION.read_text()
    replaced = {
        f"listen {LISTENED};": f"listen 127.0.0.1:{port};",
        "/tmp/": f"{directory}/",
        "/dev/stdout": f"{directory}/access.log",
        **dict(zip(UPSTREAMS, upstreams, strict=True)),
    }
    for old, new in replaced.items():
        assert old in text, f"nginx.conf has no {old}"
        text = text.replace(old, new)
    configuration = directory / "nginx.conf"
    configuration.write_text(text)
    # Started by root, nginx' processes would become another user, who may not enter a test's directory.
    as_root = "user root; " if os.geteuid() == 0 else ""
    return [NGINX, "-p", str(directory), "-c", str(configuration), "-g", f"{as_root}daemon off;"], port


def start_site(processes: Processes, directory: Path, **settings: str) -> Site:
    app = directory / "app"
    (app / "static").mkdir(parents=True)
    (app / "main.py").write_text(APP)
    (app / "index.html").write_text("<!doctype html><title>behind nginx</title>")
    (app / "static" / "big.css").write_text("/* big enough to be compressed */\n" * 1000)
    environ = {"MANYHANDS_APP": str(app), **settings}
    processes.worker(environ=environ)
    first, first_url = processes.gateway(environ=environ)
    second, second_url = processes.gateway(environ=environ)
    command, port = render(directory, (first_url.removeprefix("http://"), second_url.removeprefix("http://")))
    nginx = processes.start(*command)
    url = f"http://127.0.0.1:{port}"
    for one in (url, first_url, second_url):
        nginx.wait_for_http(f"{one}/readyz")
    return Site(url, (first, second), directory / "access.log")


@pytest.fixture(scope="module")
def site(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that the tests of this file share; each has a session of its own."""
    directory = tmp_path_factory.mktemp("nginx")
    environ = {
        "REDIS_URL": redis_server.url, "MANYHANDS_NAMESPACE": "nginx", "MANYHANDS_SECRET_KEY": "only-for-tests-nginx",
    }  # fmt: skip
    processes = Processes(tmp_path_factory.mktemp("processes"), environ)
    try:
        yield start_site(processes, directory)
    finally:
        processes.end()


def test_nginx_accepts_the_configuration(tmp_path: Path) -> None:
    command, _ = render(tmp_path, ("127.0.0.1:1", "127.0.0.1:2"))
    done = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    assert not re.findall(r"\[(?:warn|alert|emerg)\].*", done.stderr)


def test_a_program_has_large_values_through_nginx(site: Site) -> None:
    with connect(site.url) as client:
        client.fire("keep", "x" * 100_000, timeout=20).check()
        assert client.fetch(client.state)["kept"] == "x" * 100_000
        assert [client.fire("increment", timeout=20).ok for _ in range(5)] == [True] * 5
        assert client.state["counter"] == 5


def test_a_click_through_nginx_shows_in_a_tab_of_the_other_gateway(site: Site) -> None:
    before = len(site.upstreams())
    with Tab(site.url) as first, Tab(site.url, token=first.token, subprotocol=MSGPACK) as second:
        first.call("increment")
        second.call("increment")
        first.wait_for(lambda: first.state["counter"] == 2, what="both clicks")
        second.wait_for(lambda: second.state["counter"] == 2, what="both clicks")
        first.close()
        second.close()
        wait_until(lambda: len(site.upstreams()) == before + 2, 10, "two sockets in nginx' log")
    assert len(set(site.upstreams()[before:])) == 2


def test_a_large_value_passes_nginx_unchanged_in_both_directions(site: Site) -> None:
    large = "ä" * 1_000_000
    with Tab(site.url, subprotocol=JSON) as tab:
        assert tab.call("keep", large, timeout=30)["ok"]
        assert tab.state["kept"] == large


def test_pages_come_through_nginx_and_metrics_do_not(site: Site) -> None:
    assert "behind nginx" in (get(f"{site.url}/") or "")
    assert "/* big" in (get(f"{site.url}/static/big.css") or "")
    assert get(f"{site.url}/_mh/client.js") is not None
    assert get(f"{site.url}/metrics", status=404) is not None


def test_behind_nginx_the_page_itself_may_connect_and_pages_of_others_may_not(site: Site) -> None:
    with Tab(site.url, origin=site.url) as tab:
        assert tab.call("increment")["ok"]
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Tab(site.url, origin="http://127.0.0.1:1")
    assert refused.value.status_code == 403


def test_where_nginx_is_trusted_each_browsers_own_address_is_limited_whatever_it_says_of_itself(
    processes: Processes, tmp_path: Path
) -> None:
    trusted = {"MANYHANDS_TRUSTED_PROXIES": "127.0.0.1", "MANYHANDS_ADDRESS_CONNECTIONS": "1"}
    site = start_site(processes, tmp_path, **trusted)
    with contextlib.ExitStack() as tabs:
        # One with each gateway.
        for _ in range(2):
            tabs.enter_context(Tab(site.url, source="127.0.0.2"))
        for claim in ({}, {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "127.0.0.1"}):
            with pytest.raises(websocket.WebSocketBadStatusException) as refused:
                Tab(site.url, source="127.0.0.2", headers=claim)
            assert refused.value.status_code == 429
            assert (refused.value.resp_headers or {})["retry-after"] == "5"
        other = tabs.enter_context(Tab(site.url, source="127.0.0.3", origin=site.url))
        assert other.call("increment")["ok"]


def test_a_tab_whose_gateway_goes_reconnects_through_nginx_at_the_first_try(
    processes: Processes, tmp_path: Path
) -> None:
    site = start_site(processes, tmp_path)
    with Tab(site.url) as first, Tab(site.url, token=first.token) as second:
        first.call("increment")
        assert site.gateways[0].terminate() == 0
        # nginx has dealt the two tabs out to the two gateways, so one of them is told to go.
        told = wait_until(lambda: next((tab for tab in (first, second) if hears_restart(tab)), None), 10, "restart")
        other = second if told is first else first
        assert told.reconnect()["resumed"]
        told.call("increment")
        other.wait_for(lambda: other.state["counter"] == 2, what="the click of the tab that moved")


def hears_restart(tab: Tab) -> bool:
    tab.read(0.05)
    return tab.closed is not None and tab.closed[0] == 1012


def test_nginx_waits_longer_for_a_silent_socket_than_its_gateway_does() -> None:
    timeouts = [
        float(seconds) for seconds in re.findall(r"proxy_(?:read|send)_timeout (\d+)s;", CONFIGURATION.read_text())
    ]
    assert len(timeouts) == 2
    assert min(timeouts) > max(Settings().dead_after, 2 * Settings().ping_every)


def test_uploads_and_large_values_pass_and_their_urls_are_not_logged(site: Site) -> None:
    with Tab(site.url) as tab, Tab(site.url, token=tab.token) as other:
        uploaded = tab.upload(bytes(5 * 2**20), at_once=4 * 2**20)
        assert tab.call("measure", uploaded)["ok"]
        assert tab.state["size"] == 5 * 2**20
        assert tab.call("keep", "x" * 10**6)["ok"]
        assert tab.state["kept"] == "x" * 10**6
        other.wait_for(lambda: "kept" in other.state)
        again = ask(site.url, tab.fetched[0], Accept_Encoding="gzip")
        assert again.headers["content-encoding"] == "gzip"
        assert ask(site.url, tab.fetched[0], If_None_Match=again.headers["etag"]).status == 304
    wait_until(lambda: "/_mh/upload/" in site.access_log.read_text(), 10, "the uploads in the log")
    assert "/_mh/blob/" not in site.access_log.read_text()
