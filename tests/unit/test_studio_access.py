"""Who may use the studio, and who may not: other machines, other pages, names that point here."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyhands.settings import Settings
from manyhands_gateway.application import create_app
from manyhands_gateway.studio.access import find_fault, is_local

SECRET = "only-for-tests-0123456789"


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:8000", "127.0.0.2", "[::1]:8000", "[::ffff:127.0.0.1]:80"]
)
def test_names_of_this_machine_are_local(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.test", "127.0.0.1.evil.test", "localhost.evil.test", "localhost@evil.test", "evil.test@localhost",
        "192.168.1.7:8000", "0.0.0.0:8000", "[::]:80", "localhost:99999", "localhost/x", "localhost?", "127.0.0.1#",
        "2130706433", "0x7f.1", "127.1", "localhost.", "[::1", "::1", "localhost, evil.test", "rebind.localhost.test",
    ],
)  # fmt: skip
def test_any_other_name_is_not(host: str) -> None:
    assert not is_local(host)


def fault(method: str = "GET", peer: str | None = "127.0.0.1", **headers: str) -> str | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return find_fault(method, peer, {"Host": "localhost:8000", **named})


def test_a_page_of_its_own_on_this_machine_may_read_and_change() -> None:
    assert fault() is None
    assert fault(Sec_Fetch_Site="none") is None
    assert fault("PUT", Origin="http://localhost:8000", Sec_Fetch_Site="same-origin") is None
    assert fault("PUT", "::1", Origin="http://localhost:8000") is None


@pytest.mark.parametrize("peer", [None, "", "192.168.1.7", "10.0.0.1", "2001:db8::1", "0.0.0.0", "nonsense"])
def test_another_machine_may_not_even_with_a_local_host(peer: str | None) -> None:
    assert fault(peer=peer) == "the studio answers this machine alone"


def test_a_name_that_somebody_has_pointed_here_may_not() -> None:
    """DNS rebinding: the page of evil.test, whose name now means 127.0.0.1, is of the same origin as what it asks."""
    refused = fault(Host="evil.test:8000", Origin="http://evil.test:8000", Sec_Fetch_Site="same-origin")
    assert "localhost" in str(refused)


@pytest.mark.parametrize(
    "origin", ["http://evil.test", "null", "http://localhost:3000", "http://localhost", "http://127.0.0.1:8000", ""]
)
def test_a_page_of_another_origin_may_neither_change_nor_read(origin: str) -> None:
    for method in ("GET", "PUT", "POST", "DELETE"):
        assert fault(method, Origin=origin) is not None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_page_loads_or_links_to_is_refused_though_it_has_no_origin(site: str) -> None:
    assert fault(Sec_Fetch_Site=site) is not None


def test_nothing_is_changed_without_an_origin() -> None:
    assert all(fault(method) is not None for method in ("PUT", "POST", "DELETE", "PATCH"))


@pytest.mark.parametrize(
    "header",
    [
        "X_Forwarded_For", "Forwarded", "Via", "X_Real_Ip", "X_Forwarded_Host", "X_Forwarded_Port", "X_Forwarded",
        "Cf_Connecting_Ip", "True_Client_Ip", "X_Original_Host", "X_Client_Ip", "Cdn_Loop",
    ],
)  # fmt: skip
def test_what_a_proxy_on_this_machine_passes_on_is_refused(header: str) -> None:
    refused = fault(**{header: "127.0.0.1"})
    assert "proxies" in str(refused)


def test_outside_of_dev_nothing_of_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("")
    settings = Settings(redis_url="redis://localhost:1", secret_keys=(SECRET,), app=str(tmp_path))
    client = create_app(settings).test_client()
    for path in ("", "/", "/studio.js", "/probe.js", "/studio.html", "/app", "/file?name=main.py", "/feed", "/tags"):
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
            answer = client.open(f"/_mh/studio{path}", method=method, headers={"Host": "localhost"})
            assert answer.status_code == 404, (method, path)
    assert client.put("/_mh/studio/file?name=main.py", json={"text": "", "etag": None}).status_code == 404
    assert "data-mh-at" not in client.get("/?mh-studio").text


def test_in_dev_every_address_of_it_is_guarded(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("")
    (tmp_path / "index.html").write_text("<p>hello")
    settings = Settings(redis_url="redis://localhost:1", secret_keys=(SECRET,), app=str(tmp_path), dev=True)
    app = create_app(settings)
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/_mh/studio")]
    assert len(rules) > 10
    client = app.test_client()
    for rule in rules:
        path = rule.rule if "<" not in rule.rule else "/_mh/studio/studio.js"
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            answer = client.open(path, method=method, headers={"Host": "evil.test"})
            assert answer.status_code == 403, (method, path)
            assert client.open(f"/{path}", method=method, headers={"Host": "evil.test"}).status_code in (308, 403, 404)
    assert client.get("/?mh-studio", headers={"Host": "evil.test"}).status_code == 403
    assert client.get("/?mh-studio", environ_base={"REMOTE_ADDR": "10.0.0.7"}).status_code == 403
    assert 'data-mh-at="0"' in client.get("/?mh-studio").text
    with client.get("/") as page:
        assert "data-mh-at" not in page.text


def test_its_page_may_be_framed_by_nobody_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("")
    settings = Settings(redis_url="redis://localhost:1", secret_keys=(SECRET,), app=str(tmp_path), dev=True)
    policy = create_app(settings).test_client().get("/_mh/studio").headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
