"""X-Forwarded-For: believed from the proxy, ignored from everybody else; through the listener, and through nginx."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from flask import Flask, request

from dermport.errors import UsageError
from dermport.server.security.proxy import address_of, network_of, trust_proxies
from tests.server.hostile.clients import until
from tests.server.live import Server
from tests.server.small_app import running

FORWARDED = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil"}
NGINX = shutil.which("nginx")
# Of ../shared/cases/c46-keyless-behind-proxy; of a proxy that says nothing; of deploy/nginx.conf.
ADDS = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;"
PLAIN = ""
KEEPS_HOST = "proxy_http_version 1.1; proxy_set_header Host $host;"
SETS = "proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto https;"
ROUTES = ("/photo", "/free", "/figures", "/forgotten", "/file", "/nowhere", "/who")


def _seen(trusted: tuple[str, ...], sender: str, headers: dict[str, str] = FORWARDED) -> str:
    app = Flask("proxied", static_folder=None)
    app.add_url_rule("/", view_func=lambda: f"{request.remote_addr} {request.scheme} {request.host}")
    trust_proxies(app, trusted)
    return app.test_client().get("/", headers=headers, environ_overrides={"REMOTE_ADDR": sender}).text


def test_the_proxy_says_who_asks() -> None:
    assert _seen(("127.0.0.1",), "127.0.0.1") == "198.51.100.7 https localhost"
    assert _seen(("10.0.0.0/8", "::1"), "10.1.2.3") == "198.51.100.7 https localhost"
    assert _seen(("::1",), "::1") == "198.51.100.7 https localhost"


def test_nobody_else_does() -> None:
    assert _seen(("127.0.0.1",), "192.0.2.1") == "192.0.2.1 http localhost"
    assert _seen((), "127.0.0.1") == "127.0.0.1 http localhost"
    assert _seen(("127.0.0.1",), "") == " http localhost"


def test_what_is_no_address_is_not_believed() -> None:
    for said in ("unknown", "", "evil, <script>", "1.2.3.4.5"):
        assert _seen(("127.0.0.1",), "127.0.0.1", {"X-Forwarded-For": said}).startswith("127.0.0.1 ")
    assert " http " in _seen(("127.0.0.1",), "127.0.0.1", {"X-Forwarded-Proto": "javascript"})


@pytest.mark.parametrize(
    ("said", "address", "network"),
    [
        ("1.2.3.4", "1.2.3.4", "1.2.3.4"),
        ("1.2.3.4:567", "1.2.3.4", "1.2.3.4"),
        ("::ffff:1.2.3.4", "1.2.3.4", "1.2.3.4"),
        ("[::ffff:1.2.3.4]:5", "1.2.3.4", "1.2.3.4"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ('"[2001:db8:1:2::9]:4711"', "2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
        ("_hidden", "", "_hidden"),
    ],
)
def test_a_client_has_one_bucket(said: str, address: str, network: str) -> None:
    assert (address_of(said), network_of(said)) == (address, network)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="no IP address"):
        trust_proxies(Flask("proxied"), ("proxy.local",))


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running({"guarded": str(tmp_path_factory.mktemp("keyless"))}) as server:
        yield server


@pytest.mark.parametrize(
    "headers",
    [
        *({name: "192.0.2.1"} for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via", "x-forwarded-proto")),
        {"Host": "clinic.example"},
        {"Host": "127.0.0.2.example"},
        {"Origin": "https://evil.example"},
    ],
    ids=str,
)
def test_a_server_without_keys_answers_nobody_from_elsewhere(keyless: Server, headers: dict[str, str]) -> None:
    with httpx.Client(base_url=keyless.url) as client:
        assert client.get("/figures").text == "figures"
        for route in ROUTES:
            answer = client.get(route, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "not-local"), route


@contextmanager
def _nginx(folder: Path, server: Server, proxying: str) -> Iterator[str]:
    """Run nginx on 127.0.0.1 and 127.0.0.2 in front of a server; yield its port."""
    if NGINX is None:
        pytest.skip("nginx IS NOT INSTALLED: nothing is known of the server behind it")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; server {{\n"
        f"listen 127.0.0.1:{port}; listen 127.0.0.2:{port};\n"
        f"location / {{ proxy_pass {server.url}; {proxying} }} }} }}\n"
    )
    with subprocess.Popen((NGINX, "-p", folder, "-c", folder / "nginx.conf"), stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: _listens(port))
            yield str(port)
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ask_from(source: str, port: str, path: str, **headers: str) -> httpx.Response:
    with httpx.Client(transport=httpx.HTTPTransport(local_address=source)) as client:
        return client.get(f"http://127.0.0.2:{port}{path}", headers=headers)


@pytest.mark.parametrize("proxying", [ADDS, PLAIN, KEEPS_HOST, SETS], ids=["adds", "plain", "keeps host", "sets"])
def test_a_server_without_keys_behind_nginx_is_closed(keyless: Server, tmp_path: Path, proxying: str) -> None:
    with _nginx(tmp_path, keyless, proxying) as port:
        for route in ROUTES:
            answer = _ask_from("127.0.0.2", port, route, Host="jetson.clinic.example")
            assert (answer.status_code, answer.json()["code"]) == (403, "not-local"), route


def test_behind_nginx_each_client_is_itself(tmp_path: Path) -> None:
    with running({"trusted": ["127.0.0.1"]}) as server, _nginx(tmp_path, server, SETS) as port:
        for source in ("127.0.0.1", "127.0.0.2"):
            seen = _ask_from(source, port, "/who", **{"X-Forwarded-For": "203.0.113.9"}).json()
            assert (seen["from"], seen["scheme"]) == (source, "https")


def test_without_a_trusted_proxy_nobody_says_who_asks(tmp_path: Path) -> None:
    with running() as server, _nginx(tmp_path, server, SETS) as port:
        seen = _ask_from("127.0.0.2", port, "/who").json()
        assert (seen["from"], seen["scheme"]) == ("127.0.0.1", "http")
        assert seen["headers"]["X-Forwarded-For"] == "127.0.0.2"
