"""rediss://, the whole way: state, pub/sub and Celery's broker through TLS, each side with a certificate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from manyhands.broker import make_celery
from manyhands.settings import Settings
from support.browser import Tab
from support.fleet import SEMANTICS
from support.processes import Processes
from support.tls import Certificates, TlsRedisServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedisServer]:
    directory = tmp_path_factory.mktemp("tls")
    server = TlsRedisServer(directory, Certificates(directory / "certificates"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def stranger(tmp_path: Path) -> Certificates:
    """Certificates of another authority."""
    return Certificates(tmp_path / "other")


def test_an_event_goes_the_whole_way_through_tls(server: TlsRedisServer, processes: Processes) -> None:
    environ = {"REDIS_URL": server.url, "MANYHANDS_APP": SEMANTICS}
    worker = processes.worker(environ=environ)
    gateway, url = processes.gateway(environ=environ)
    worker.wait_for_output("serving")
    gateway.wait_for_http(f"{url}/readyz")
    with Tab(url) as one, Tab(url, token=one.token) as other:
        assert one.call("increment")["ok"]
        other.wait_for(lambda: other.state["counter"] == 1)
        other.reconnect()
        assert other.call("increment")["ok"]
        one.wait_for(lambda: one.state["counter"] == 2)
    for process in (gateway, worker):
        assert "insecure" not in process.output.lower()
        assert process.terminate() == 0


@pytest.mark.parametrize("how", ["authority", "no certificate", "host"])
def test_a_worker_whose_certificates_do_not_fit_says_so_and_ends_with_3(
    server: TlsRedisServer, processes: Processes, stranger: Certificates, how: str
) -> None:
    url = {
        "authority": server.url_with(stranger),
        "no certificate": server.url_with(server.certificates, client=False),
        "host": server.url_with(server.certificates, host="127.1"),
    }[how]
    worker = processes.worker(SEMANTICS, environ={"REDIS_URL": url})
    assert worker.wait_for_exit() == 3
    (line,) = [line for line in worker.output.splitlines() if line.startswith("manyhands: ")]
    assert "Redis does not answer" in line
    assert "certificate" in line.lower()
    assert "Traceback" not in worker.output


def test_a_gateway_whose_authority_is_another_serves_nobody_and_says_why(
    server: TlsRedisServer, processes: Processes, stranger: Certificates
) -> None:
    gateway, url = processes.gateway(environ={"REDIS_URL": server.url_with(stranger)})
    reasons = gateway.wait_for_http(f"{url}/readyz", 503)
    assert "CERTIFICATE_VERIFY_FAILED" in reasons


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"ssl_cert_reqs": "required", "ssl_check_hostname": True}),
        ("?ssl_ca_certs=ca.pem", {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": "ca.pem"}),
        ("?ssl_cert_reqs=none", {"ssl_cert_reqs": "none", "ssl_check_hostname": True}),
        ("?ssl_check_hostname=false&db=2", {"ssl_cert_reqs": "required", "ssl_check_hostname": False}),
    ],
)
def test_the_broker_checks_certificates_as_the_store_does(query: str, expected: object) -> None:
    celery = make_celery(Settings(redis_url=f"rediss://user:pass@redis.example:6380/0{query}"))
    assert celery.conf.broker_use_ssl == expected
    assert celery.conf.broker_url == "rediss://user:pass@redis.example:6380/0"
    assert make_celery(Settings(redis_url="redis://redis.example")).conf.broker_use_ssl is None
