"""nginx with the very configuration, on free ports, in front of a real server; certificates as README.md makes them."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from flask import Flask, Response, request
from werkzeug.serving import BaseWSGIServer, make_server

from dermport.bundle.wire import Problem
from dermport.server.security.proxy import trust_proxies
from dermport.server.upload import MAX_BODY

DEPLOY = Path(__file__).parents[2] / "deploy"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (apt-get install nginx-light)")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands of README.md make."""
    [commands] = re.findall(r"<!-- certificates -->\n```bash\n(.*?)```", (DEPLOY / "README.md").read_text(), re.DOTALL)
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=folder, check=True, capture_output=True)
    return folder


@needs_openssl
def test_phones_can_trust_the_certificates(certificates: Path) -> None:
    shown = subprocess.run(
        ["openssl", "x509", "-in", certificates / "server.crt", "-noout", "-text"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "IP Address:192.168.1.20" in shown
    assert "TLS Web Server Authentication" in shown
    assert "CA:FALSE" in shown
    days = ["openssl", "x509", "-in", str(certificates / "server.crt"), "-noout", "-checkend", str(825 * 86400)]
    assert subprocess.run(days, capture_output=True, check=False).returncode == 1  # ends before Apple's limit


def test_the_limits_are_the_servers() -> None:
    [limit] = re.findall(r"client_max_body_size (\d+);", (DEPLOY / "nginx.conf").read_text())
    assert int(limit) == MAX_BODY


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass(frozen=True)
class Proxied:
    """nginx in front of a server that says what it sees."""

    port: int
    authority: Path

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority))

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"https://127.0.0.1:{self.port}", verify=self.context())


def _configuration(folder: Path, certificates: Path, port: int, upstream: int) -> Path:
    text = (DEPLOY / "nginx.conf").read_text()
    replaced = {
        "user www-data;": f"error_log {folder}/error.log; daemon off; master_process off;",
        "pid /run/nginx.pid;": f"pid {folder}/nginx.pid;",
        "error_log /var/log/nginx/error.log crit;\n": "",
        "access_log off;": "access_log off; " + " ".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY),
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "listen [::]:443 ssl http2;": "",
        "/etc/dermport/tls/": f"{certificates}/",
        "127.0.0.1:8080": f"127.0.0.1:{upstream}",
    }
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "nginx.conf"
    path.write_text(text)
    return path


def _echo() -> Flask:
    app = Flask("echo", static_folder=None)

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST"])
    @app.route("/<path:path>", methods=["GET", "POST"])
    def echo(path: str) -> Response:
        if path == "refused":
            return Response('{"code":"ours"}', status=413, mimetype="application/problem+json")
        seen = {"from": request.remote_addr, "scheme": request.scheme, "host": request.host}
        return Response(json.dumps(seen | {"bytes": len(request.get_data()), "headers": dict(request.headers)}))

    trust_proxies(app, ("127.0.0.1",))
    return app


@pytest.fixture
def upstream() -> Iterator[BaseWSGIServer]:
    server = make_server("127.0.0.1", 0, _echo(), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def proxied(upstream: BaseWSGIServer, certificates: Path, tmp_path: Path) -> Iterator[Proxied]:
    port = _free_port()
    path = _configuration(tmp_path, certificates, port, upstream.server_port)
    subprocess.run([NGINX or "", "-t", "-c", path, "-p", tmp_path], check=True, capture_output=True)
    with subprocess.Popen([NGINX or "", "-c", path, "-p", tmp_path], stderr=subprocess.DEVNULL) as nginx:
        try:
            _wait_for(port)
            yield Proxied(port, certificates / "ca.crt")
        finally:
            nginx.terminate()


def _wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.02)
    raise AssertionError("nginx did not start")


@needs_nginx
@needs_openssl
def test_the_sender_is_the_one_that_nginx_saw(proxied: Proxied) -> None:
    claimed = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9", "X-Forwarded-Proto": "http"}
    with proxied.client() as client:
        seen = client.get("/", headers=claimed | {"X-Request-Id": "phone-1", "X-Api-Key": "dp_1"}).json()
    assert (seen["from"], seen["scheme"], seen["host"]) == ("127.0.0.1", "https", "127.0.0.1")
    assert "203.0.113.9" not in json.dumps(seen)
    assert (seen["headers"]["X-Request-Id"], seen["headers"]["X-Api-Key"]) == ("phone-1", "dp_1")


@needs_nginx
@needs_openssl
def test_http2_and_only_new_tls(proxied: Proxied) -> None:
    def spoken(context: ssl.SSLContext) -> tuple[str | None, str | None]:
        context.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection(("127.0.0.1", proxied.port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            return secure.selected_alpn_protocol(), secure.version()

    assert spoken(proxied.context()) == ("h2", "TLSv1.3")
    old = proxied.context()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        spoken(old)


@needs_nginx
@needs_openssl
def test_a_body_over_the_limit_is_refused_in_our_form(proxied: Proxied) -> None:
    with proxied.client() as client:
        assert client.post("/", content=bytes(MAX_BODY)).json()["bytes"] == MAX_BODY
        refused = client.post("/", content=bytes(MAX_BODY + 1))
        ours = client.get("/refused")
    assert (refused.status_code, refused.headers["Content-Type"]) == (413, "application/problem+json")
    assert Problem.model_validate_json(refused.content).code == "too-many-bytes"
    assert ours.json() == {"code": "ours"}  # the server's own words pass


@needs_nginx
@needs_openssl
def test_who_asks_too_often_is_told_to_wait(proxied: Proxied) -> None:
    with proxied.client() as client:
        answers = [client.get("/") for _ in range(90)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert Problem.model_validate_json(refused[0].content).code == "too-many-requests"
    assert refused[0].headers["Retry-After"] == "5"
    assert all("max-age" in answer.headers["Strict-Transport-Security"] for answer in answers)


@needs_nginx
@needs_openssl
def test_a_server_that_is_away_is_told_of_in_our_form(proxied: Proxied, upstream: BaseWSGIServer) -> None:
    upstream.shutdown()
    upstream.server_close()
    with proxied.client() as client:
        answer = client.get("/v1/models")
    assert answer.status_code == 503
    assert Problem.model_validate_json(answer.content).code == "unavailable"
