"""X-Forwarded-For: believed from the proxy, ignored from everybody else."""

from __future__ import annotations

import pytest
from flask import Flask, request

from dermport.errors import UsageError
from dermport.server.security.proxy import trust_proxies

FORWARDED = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil"}


def _seen(trusted: tuple[str, ...], sender: str) -> str:
    app = Flask("proxied", static_folder=None)
    app.add_url_rule("/", view_func=lambda: f"{request.remote_addr} {request.scheme} {request.host}")
    trust_proxies(app, trusted)
    return app.test_client().get("/", headers=FORWARDED, environ_overrides={"REMOTE_ADDR": sender}).text


def test_the_proxy_says_who_asks() -> None:
    assert _seen(("127.0.0.1",), "127.0.0.1") == "198.51.100.7 https localhost"
    assert _seen(("10.0.0.0/8", "::1"), "10.1.2.3") == "198.51.100.7 https localhost"
    assert _seen(("::1",), "::1") == "198.51.100.7 https localhost"


def test_nobody_else_does() -> None:
    assert _seen(("127.0.0.1",), "192.0.2.1") == "192.0.2.1 http localhost"
    assert _seen((), "127.0.0.1") == "127.0.0.1 http localhost"
    assert _seen(("127.0.0.1",), "") == " http localhost"


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="no IP address"):
        trust_proxies(Flask("proxied"), ("proxy.local",))
