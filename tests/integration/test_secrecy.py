"""What gateway and worker write, at the most talkative, while a session lives: no token, no payload, no password."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from manyhands.settings import Settings
from manyhands_gateway.tokens import Tokens
from support.browser import JSON, MSGPACK, Tab
from support.fleet import SEMANTICS
from support.processes import Process, Processes
from support.waiting import free_port

TESTS = Path(__file__).parents[1]
PAYLOAD, VALUE, COOKIE, HEADER = "payload-4711", "value-4712", "cookie-4713", "header-4714"


def start_verbose(processes: Processes, *arguments: str, cookie: str) -> Process:
    environ = {"PYTHONPATH": str(TESTS), "MANYHANDS_APP": SEMANTICS, "MANYHANDS_SESSION_COOKIE": cookie}
    return processes.start(sys.executable, "-m", "support.verbose", *arguments, environ=environ)


@pytest.mark.parametrize("cookie", ["off", "on"])
def test_no_log_has_a_token_a_payload_or_a_secret(processes: Processes, settings: Settings, cookie: str) -> None:
    port = free_port()
    gateway = start_verbose(processes, "gateway", "--host", "127.0.0.1", "--port", str(port), cookie=cookie)
    worker = start_verbose(processes, "worker", cookie=cookie)
    url = f"http://127.0.0.1:{port}"
    worker.wait_for_output("serving")
    gateway.wait_for_http(f"{url}/readyz")

    headers = {"Cookie": f"theme={COOKIE}", "X-Team": HEADER}
    tokens = []
    for subprotocol in (JSON, MSGPACK):
        with Tab(url, subprotocol=subprotocol, headers=headers, origin=url) as tab:
            name, _, token = tab.socket.headers.get("set-cookie", "").partition(";")[0].partition("=")
            tokens += [tab.token or "", token or tab.token or ""]
            assert tab.call("append", {"secret": PAYLOAD})["ok"]
            assert tab.call("assign", [[["user", "name"], VALUE]])["ok"]
            tab.cancel(tab.fire("slow_async", 5))
            for handler in ("fail", "unknown", "leave"):
                tab.fire(handler, {"secret": PAYLOAD})
            tab.wait_rejected()
            tab.send({"type": "event", "n": "bad", "handler": "append", "payload": PAYLOAD})
            tab.wait_rejected()
            if token:
                tab.headers["Cookie"] += f"; {name}={token}"
            tab.reconnect()
            tab.drop()
            tab.connect()
            forged = f"{tab.token}x"
            tab.send({"type": "hello", "client": "c", "session": forged, "seq": 1})
            assert tab.wait_closed()[0] == 4001
        with Tab(url, subprotocol=subprotocol, hello=False) as broken:
            broken.send({"type": "hello", "client": 3, "session": tokens[-1]})
            assert broken.wait_closed()[0] == 4000
    assert gateway.terminate() == 0
    assert worker.terminate() == 0

    for process in (gateway, worker):
        assert "DEBUG" in process.output
        for token in tokens:
            assert token not in process.output
            assert token.rpartition(".")[2] not in process.output
        for secret in (PAYLOAD, VALUE, COOKIE, HEADER, *settings.secret_keys):
            assert secret not in process.output
    assert all(Tokens(settings).verify(token) for token in tokens[1::2])
