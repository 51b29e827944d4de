"""The web app as a clinic has it: HTTPS by the nginx configuration and certificates of deploy/, and an API key."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.deploy import test_nginx as nginx
from tests.mobile_stub.web.app_site import Phone, build, chromium, make_key, make_model, photo, served

pytestmark = pytest.mark.xdist_group("web-app")
certificates = nginx.certificates


@contextmanager
def _nginx(folder: Path, certificates: Path, upstream: int) -> Iterator[str]:
    """Run nginx with the example's configuration; yield its address, by a name of the certificate."""
    port = nginx._free_port()
    path = nginx._configuration(folder, certificates, port, upstream)
    with subprocess.Popen([nginx.NGINX or "", "-c", path, "-p", folder], stderr=subprocess.DEVNULL) as process:
        try:
            nginx._wait_for(port)
            yield f"https://jetson.local:{port}"
        finally:
            process.terminate()


@nginx.needs_nginx
@nginx.needs_openssl
def test_a_first_visit_over_https_has_everything(certificates: Path, tmp_path: Path) -> None:
    key = make_key(tmp_path / "state")
    make_model(tmp_path / "models", "1.0.0")
    upstream = nginx._free_port()
    options = ("--port", str(upstream), "--trusted-proxy", "127.0.0.1")
    refused: list[str] = []
    with ExitStack() as stack:
        stack.enter_context(served(tmp_path / "models", tmp_path / "state", build(tmp_path / "dist"), *options))
        url = stack.enter_context(_nginx(tmp_path, certificates, upstream))
        flags = ("--host-resolver-rules=MAP jetson.local 127.0.0.1", "--ignore-certificate-errors")
        browser = stack.enter_context(chromium(*flags))
        phone = stack.enter_context(Phone.opened(browser, url))
        phone.page.context.on("response", lambda one: one.status == 429 and refused.append(one.url))
        assert phone.page.evaluate("isSecureContext")
        phone.enter_key(key)
        phone.go("photo")
        phone.wait_until_kept()
        phone.ask(photo(tmp_path / "mole.jpg"))
        assert "agree" in phone.verdict()
        assert phone.page.locator(".origin").count() == 0
        assert refused == []
        phone.problems.clear()  # the browser logs the 401 before the key was there
