"""A server below a path of a real nginx, which takes the path off or leaves it on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask, redirect, request

from dermport.errors import UsageError
from dermport.server.security.prefix import mount
from tests.deploy.test_nginx import NGINX, TEMPORARY, _free_port, _wait_for, needs_nginx
from tests.server.live import DERMPORT, Server, serving

pytestmark = pytest.mark.xdist_group("exports")

_CONFIGURATION = """
error_log {folder}/error.log; daemon off; master_process off; pid {folder}/nginx.pid;
events {{ worker_connections 64; }}
http {{
    access_log off; client_max_body_size 40m; {temporary}
    server {{
        listen 127.0.0.1:{port};
        proxy_set_header X-Forwarded-For $remote_addr;
        location /dermport/ {{ proxy_pass {url}; }}
        location = /dermport {{ proxy_pass {url}; }}
        location /stripped/ {{ proxy_set_header X-Forwarded-Prefix /stripped; proxy_pass {url}/; }}
        location /forwarded/ {{ proxy_set_header X-Forwarded-Prefix /forwarded; proxy_pass {url}; }}
    }}
}}
"""


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def key(state: Path) -> str:
    command = (*DERMPORT, "keys", "create", "admin", "--scope", "admin", "--state", str(state), "--json")
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return str(json.loads(made)["key"])


@pytest.fixture(scope="module")
def server(shared_exports: Any, state: Path, key: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    web = tmp_path_factory.mktemp("web")
    (web / "dashboard").mkdir()
    for page in (web / "index.html", web / "dashboard" / "index.html"):
        page.write_text("<!doctype html><title>page</title>")
    options = ("--runtime", "litert", "--trusted-proxy", "127.0.0.1", "--prefix", "/dermport", "--web", str(web))
    with serving(shared_exports.path, state, *options) as server:
        yield server


@pytest.fixture(scope="module")
def site(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("nginx"), _free_port()
    temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
    path = folder / "nginx.conf"
    path.write_text(_CONFIGURATION.format(folder=folder, port=port, url=server.url, temporary=temporary))
    with subprocess.Popen([NGINX or "", "-c", path, "-p", folder], stderr=subprocess.DEVNULL) as nginx:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            nginx.terminate()


@needs_nginx
@pytest.mark.parametrize("prefix", ["/dermport", "/stripped", "/forwarded"])
def test_pages_documents_and_redirects_stay_below_the_path(site: str, key: str, prefix: str) -> None:
    with httpx.Client(base_url=site, headers={"X-Api-Key": key}) as client:
        for address, page in ((f"{prefix}/", "app"), (f"{prefix}/app", "app"), (f"{prefix}/dashboard", "dashboard")):
            led = client.get(address)
            assert (led.status_code, led.headers["Location"]) == (302, f"{prefix}/{page}/"), address
            assert client.get(led.headers["Location"]).status_code == 200
        assert client.get(f"{prefix}/openapi.json").json()["servers"] == [{"url": prefix}]
        assert 'href="docs/style.css"' in client.get(f"{prefix}/docs").text
        assert client.get(f"{prefix}/docs/style.css").status_code == 200
        assert client.get(f"{prefix}/v1/nowhere").json()["instance"] == f"{prefix}/v1/nowhere"


@needs_nginx
def test_the_command_line_asks_below_the_path(site: str, server: Server, key: str) -> None:
    for address in (f"{site}/dermport/", f"{site}/stripped", server.url):
        command = (*DERMPORT, "models", "list", "--server", address, "--key", key, "--json")
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        assert asked.returncode == 0, asked.stderr
        assert json.loads(asked.stdout)["models"]


def _app(prefix: str, trusted: tuple[str, ...] = ()) -> Flask:
    app = Flask("mounted", static_folder=None)
    app.add_url_rule("/", "front", view_func=lambda: redirect(f"{request.script_root}/app/"))
    app.add_url_rule("/dermported", "beside", view_func=lambda: "beside")
    mount(app, prefix, trusted)
    return app


@pytest.mark.parametrize(
    "said", ["//evil.example", "/a//b", "/../x", "/./x", "https://evil.example", "/a b", "x", "/a\\b"]
)
def test_only_a_path_of_a_trusted_proxy_is_believed(said: str) -> None:
    for client, sent in ((_app("", ("127.0.0.1",)), said), (_app("", ("192.0.2.1",)), "/good")):
        led = client.test_client().get("/", headers={"X-Forwarded-Prefix": sent})
        assert led.headers["Location"] == "/app/"
    with pytest.raises(UsageError, match="is no path"):
        _app(said)


def test_what_begins_alike_is_beside_it() -> None:
    assert _app("/dermport").test_client().get("/dermported").text == "beside"
