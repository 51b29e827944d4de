"""Hostile requests as raw bytes: photos, heads, framing, addresses, documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.server.hostile import forms, photos

MARK = "smuggled-request"


@dataclass(frozen=True)
class Hostile:
    """One request.

    Attributes:
        kind: What is wrong with it.
        parts: Its bytes, in the pieces in which they are sent.
        whole: Whether an answer is owed; a request that stops in the middle is owed none.
        pause: Seconds between the pieces.
        method: What it asks, where the answer's form depends on it.
    """

    kind: str
    parts: tuple[bytes, ...]
    whole: bool = True
    pause: float = 0.0
    method: str = "POST"


def request(
    body: bytes = b"", *, path: str = "/v1/predict", method: str = "POST", kind: str = "image/jpeg", extra: bytes = b""
) -> bytes:
    """Return a request that is well formed."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode("latin-1") + extra + b"\r\n" + body


def bad_photo(random: Random) -> Hostile:
    make = random.choice(photos.KINDS)
    kind = random.choice(("image/jpeg", "image/png"))
    prep = random.choice((b"", b"", b"X-Dermport-Prep: dermport-prep/1\r\n", b"X-Dermport-Prep: \xff\r\n"))
    path = random.choice(("/v1/predict", "/v1/predict", "/v1/predict?decoding=draft"))
    return Hostile(f"photo: {make.__name__}", (request(make(random), path=path, kind=kind, extra=prep),))


def wrong_type(random: Random) -> Hostile:
    kind = random.choice(
        (
            "",
            "text/html",
            "image/gif",
            "image/*",
            "application/json",
            "image/jpeg;" * 500,
            "\xff\xfe",
            "multipart/mixed",
        )
    )
    return Hostile("wrong type", (request(photos.good(), kind=kind),))


def form(random: Random) -> Hostile:
    name, kind, body = forms.make(random)
    path = random.choice(("/v1/predict", "/v1/predict/batch", "/v1/comparisons"))
    return Hostile(f"form: {name}", (request(body, path=path, kind=kind),))


def big_head(random: Random) -> Hostile:
    extra = random.choice(
        (
            b"X: " + b"x" * 40_000 + b"\r\n",
            b"X: " + b"x" * 2_000_000 + b"\r\n",
            b"".join(b"X-%d: y\r\n" % n for n in range(5_000)),
            b"A: b\r\n" * 2_000,
            b"Cookie: " + b"a=b; " * 5_000 + b"\r\n",
            b"Accept-Encoding: " + b"gzip;q=0.1," * 2_000 + b"\r\n",
            b"Authorization: Bearer " + b"dp_" * 5_000 + b"\r\n",
            b"X-Request-Id: " + b"i" * 10_000 + b"\r\n",
            b"Idempotency-Key: " + b"k" * 10_000 + b"\r\n",
        )
    )
    return Hostile("big head", (request(photos.good(), extra=extra),))


def odd_head(random: Random) -> Hostile:
    extra = random.choice(
        (
            b"X: a\r\n folded\r\n",
            b"X: a\r\n\tfolded: x\r\n",
            b"X : space before the colon\r\n",
            b"no colon\r\n",
            b": no name\r\n",
            b"X: nul \0 inside\r\n",
            b"X: \xff\xfe\xfd\r\n",
            b"X: a\rInjected: b\r\n",
            b"X: a\nInjected: b\r\n",
            b"X\x0b: y\r\n",
            b"Content_Length: 5\r\n",
            b"Host: a\r\nHost: b\r\n",
            b"Host: [::1\r\n",
            b"Host: \x01\r\n",
            b"Expect: 100-continue\r\n",
            b"Expect: something-else\r\n",
            b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n",
            b"Range: bytes=0-0,1-1," + b"2-2," * 1_000 + b"\r\n",
            b"If-Modified-Since: never\r\nIf-None-Match: " + b'"' * 1_001 + b"\r\n",
            b"Origin: null\r\n",
            b"Origin: http://evil.example\r\n",
            b"X-Forwarded-For: " + b"1.1.1.1," * 500 + b"\r\n",
            b'Forwarded: for="["\r\n',
            b"Authorization: Basic \xff\xff\r\n",
            b"X-Request-Id: <script>\r\n",
            b"Idempotency-Key: \x7f\r\n",
        )
    )
    line = random.choice(
        (b"", b"", b"GET /healthz HTTP/1.1\n", b"\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0", b"PRI * HTTP/2.0\r\n")
    )
    return Hostile("odd head", (line + request(photos.good(), extra=extra),), whole=not line.startswith(b"\x16"))


def smuggling(random: Random) -> Hostile:
    """Two opinions about where a body ends; what is behind it must not be taken for a request of its own."""
    hidden = f"GET /{MARK} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
    both = b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % (len(hidden) + 5)
    lengths = random.choice(
        (
            both,
            b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            b"Content-Length: 5\r\nContent-Length: 6\r\n",
            b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(hidden),
            b"Content-Length: 0, %d\r\n" % len(hidden),
            b"Content-Length: +5\r\n",
            b"Content-Length: -5\r\n",
            b"Content-Length: 0x5\r\n",
            b"Content-Length: 5_0\r\n",
            b"Content-Length: \xb2\r\n",
            b"Content-Length: \r\n",
            b"Content-Length: " + b"9" * 5_000 + b"\r\n",
            b"Transfer-Encoding: xchunked\r\n",
            b"Transfer-Encoding: chunked, gzip\r\n",
            b"Transfer-Encoding: identity\r\nContent-Length: 0\r\n",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            b"Transfer-Encoding:\x0bchunked\r\n",
            b"Transfer-Encoding : chunked\r\n",
            b"X: y\r\n Transfer-Encoding: chunked\r\n",
            b"Foo: bar\nTransfer-Encoding: chunked\r\n",
        )
    )
    return Hostile("smuggling", (head + lengths + b"\r\n0\r\n\r\n" + hidden,))


def bad_chunks(random: Random) -> Hostile:
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    body, whole = random.choice(
        (
            (b"zz\r\nabc\r\n0\r\n\r\n", True),
            (b"-1\r\nabc\r\n0\r\n\r\n", True),
            (b"0x3\r\nabc\r\n0\r\n\r\n", True),
            (b"3\r\nabcdef\r\n0\r\n\r\n", True),
            (b"3;" + b"e" * 1_000 + b"\r\nabc\r\n0\r\n\r\n", True),
            (b"3;a=\n\r\nabc\r\n0\r\n\r\n", True),
            (b"".join(b"1\r\nx\r\n" for _ in range(5_000)) + b"0\r\n\r\n", True),
            (b"0\r\n" + b"Trailer: x\r\n" * 100 + b"\r\n", True),
            (b"3\r\nabc\r\n", False),
            (b"ffffffffffffffff\r\nabc", False),
            (b"f" * 5_000, False),
            (b"3" + b" " * 50_000, False),
            (b"2000000\r\n", False),
            (b"3\nabc\n0\n\n", False),
        )
    )
    return Hostile("bad chunks", (head, body), whole=whole)


def cut(random: Random) -> Hostile:
    """A request that stops in the middle, or trickles in."""
    photo = random.choice((request(photos.good()), request(b"{}", path="/v1/comparisons", kind="application/json")))
    end = random.choice((5, 30, 60, len(photo) // 2, len(photo) - 1))
    pieces = tuple(photo[i : min(end, i + max(1, end // 4))] for i in range(0, end, max(1, end // 4)))
    return Hostile("cut", pieces, whole=False, pause=random.choice((0.0, 0.01, 0.05)))


def slow(random: Random) -> Hostile:
    photo = request(photos.good(), extra=b"Connection: close\r\n")
    at = sorted(random.sample(range(1, len(photo)), 3))
    return Hostile("slow", (photo[: at[0]], photo[at[0] : at[1]], photo[at[1] : at[2]], photo[at[2] :]), pause=0.05)


_PATHS = (
    "/..",
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/v1/models/tiny/1.0.0/files/../../../../etc/passwd",
    "/v1/models/tiny/1.0.0/files/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/v1/models/tiny/1.0.0/files/..%2f..%2fbundle.json",
    "/v1/models/tiny/1.0.0/files//etc/passwd",
    "/v1/models/tiny/1.0.0/files/%2fetc%2fpasswd",
    "/v1/models/tiny/1.0.0/files/..%5c..%5cetc%5cpasswd",
    "/v1/models/tiny/1.0.0/files/exports%00.json",
    "/v1/models/tiny/1.0.0/files/%ff%fe",
    "/v1/models/tiny/1.0.0/files/" + "a/" * 5_000,
    "/v1/models/tiny/..%2f..%2f/manifest",
    "/v1/models/%00/1.0.0/manifest",
    "/v1/models/" + "n" * 20_000 + "/1/manifest",
    "/v1/comparisons/..",
    "/v1/comparisons/%27%20OR%201=1--",
    "/v1/comparisons/" + "0" * 32,
    "/v1/keys/" + "f" * 12,
    "/docs/%2e%2e/app.py",
    "/docs/../server/app.py",
    "//evil.example/v1/models",
    "http://evil.example/v1/models",
    "http://[::1/",
    "https://localhost@evil.example/",
    "*",
    "evil.example:443",
    "?",
    "/%",
    "/%zz",
    "/\xff",
    "/v1/models;x=y",
    "/v1/models/",
    "/V1/MODELS",
    "/" + "a" * 40_000,
    "/v1/predict\t",
)
_METHODS = (
    "GET",
    "GET",
    "GET",
    "HEAD",
    "DELETE",
    "PUT",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PATCH",
    "get",
    "BREW",
    "A" * 300,
)


def bad_path(random: Random) -> Hostile:
    method = random.choice(_METHODS)
    return Hostile("path", (request(path=random.choice(_PATHS), method=method),), method=method)


_QUERIES = (
    "/v1/comparisons?limit=0",
    "/v1/comparisons?limit=" + "9" * 5_000,
    "/v1/comparisons?limit=1e3&limit=nan",
    "/v1/comparisons?cursor=" + "A" * 10_000,
    "/v1/comparisons?cursor=%00",
    "/v1/comparisons?cursor=MjAyNg==",
    "/v1/comparisons?since=-0001-13-99",
    "/v1/comparisons?since=0001-01-01T00:00:00%2B23:59",
    "/v1/comparisons?until=9999-12-31T23:59:59-23:59",
    "/v1/comparisons?device=%00",
    "/v1/comparisons?device='%20OR%20''='",
    "/v1/comparisons?agrees=maybe",
    "/v1/comparisons?cause[]=same&cause=same",
    "/v1/comparisons.csv?model=..%2f..",
    "/v1/comparisons/summary?artifact_sha256=%F0%9F%92%A3",
    "/v1/comparisons/summary?since=1e400",
    "/v1/models/latest?platform=%00",
    "/v1/models/latest?platform=ios&app_version=" + "1." * 31,
    "/v1/models/latest?platform=ios&app_version=" + "9" * 60,
    "/v1/models/latest?platform=ios&current=%2f%2f&device=" + "%F0%9F%92%A9" * 100,
    "/v1/models/latest?" + "&".join(f"a{n}=b" for n in range(3_000)),
    "/v1/models?" + "%" * 5_000,
    "/v1/models?__class__=x&__proto__=y",
    "/healthz?" + "=&" * 10_000,
)


def bad_query(random: Random) -> Hostile:
    return Hostile("query", (request(path=random.choice(_QUERIES), method="GET"),), method="GET")


_DOCUMENTS = (
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"\xff\xfe{\x00}\x00",
    b"[" * 50_000,
    b'{"a":' * 5_000,
    b'{"name": "tiny", "name": "x", "version": "1.0.0"}',
    b'{"name": "../../etc", "version": "\\u0000"}',
    b'{"name": ["tiny"], "version": {"$ne": null}}',
    b'{"name": "tiny", "version": "\\ud800"}',
    b'{"name": ' + b"9" * 20_000 + b"}",
    b'{"name": "tiny", "version": 1e999}',
    b'{"model": "tiny", "candidate": "1.0.0", "platform": "ios", "percentage": 1e308}',
    b'{"model": "tiny", "candidate": "1.0.0", "platform": "ios", "percentage": NaN}',
    b'{"model": "tiny", "candidate": "9", "platform": "ios", "percentage": 5, "pause_reason": "\\u0000"}',
    json.dumps({"name": "n" * 100_000, "version": "v"}).encode(),
)
_TAKERS = (
    ("POST", "/v1/admin/models/activate"),
    ("PUT", "/v1/admin/rollouts"),
    ("POST", "/v1/comparisons"),
    ("POST", "/v1/admin/models/rollback"),
)


def bad_document(random: Random) -> Hostile:
    method, path = random.choice(_TAKERS)
    kind = random.choice(("application/json", "application/json; charset=utf-7", "application/xml", "text/plain"))
    return Hostile("document", (request(random.choice(_DOCUMENTS), path=path, method=method, kind=kind),))


_FAMILIES: tuple[tuple[Callable[[Random], Hostile], int], ...] = (
    (bad_photo, 8),
    (form, 6),
    (wrong_type, 1),
    (big_head, 2),
    (odd_head, 3),
    (smuggling, 3),
    (bad_chunks, 2),
    (cut, 2),
    (slow, 1),
    (bad_path, 4),
    (bad_query, 2),
    (bad_document, 3),
)


def generate(seed: int, index: int) -> Hostile:
    """Return request number `index` of a run; the same for the same seed."""
    random = Random(f"{seed}/{index}")
    makers, weights = zip(*_FAMILIES, strict=True)
    make: Callable[[Random], Hostile] = random.choices(makers, weights)[0]
    return make(random)
