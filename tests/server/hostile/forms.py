"""Multipart bodies that are none, never end, or are all ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.server.hostile import photos

_DISPOSITION = b"Content-Disposition: form-data; name="
_KIND = "multipart/form-data; boundary=b"


def _part(head: bytes, data: bytes) -> bytes:
    return b"--b\r\n" + head + b"\r\n\r\n" + data + b"\r\n"


def _file(name: bytes = b"photo", data: bytes | None = None) -> bytes:
    head = b'Content-Disposition: form-data; name="' + name + b'"; filename="x.jpg"\r\nContent-Type: image/jpeg'
    return _part(head, photos.good() if data is None else data)


def _text(name: bytes, data: bytes) -> bytes:
    return _part(b'Content-Disposition: form-data; name="' + name + b'"', data)


_END = b"--b--\r\n"
_DEEP = b"[" * 30_000
_PHONE = {
    "probabilities": {"akiec": 0.25, "bcc": 0.25, "mel": 0.25, "nv": 0.25},
    "input_sha256": "0" * 64,
    "artifact_sha256": "0" * 64,
    "runtime": "x",
    "app_version": "1",
}


def _comparison(random: Random) -> bytes:
    odd = random.choice(
        (
            {"probabilities": {}},
            {"probabilities": {"mel": 2.0, "nv": -1.0}},
            {"probabilities": {f"l{n}": 0.001 for n in range(1_000)}},
            {"probabilities": {"mel\0": 0.5, "nv": 0.5}},
            {"runtime": "r" * 121},
            {"app_version": "\ud800"},
            {"taken": "9999-12-31T23:59:59-23:59"},
            {"client_id": "../../x"},
            {"device": {"model": "\0", "os": "x"}},
            {"artifact_sha256": "g" * 64},
        )
    )
    return _phone(**odd)


def _phone(**odd: Any) -> bytes:
    return json.dumps({**_PHONE, **odd}).encode()


def _photo(random: Random) -> bytes:
    return random.choice(photos.KINDS)(random)


_BODIES: dict[str, Callable[[Random], tuple[str, bytes]]] = {
    "no boundary": lambda _: ("multipart/form-data", _file() + _END),
    "empty boundary": lambda _: ("multipart/form-data; boundary=", _file() + _END),
    "huge boundary": lambda _: (f"multipart/form-data; boundary={'b' * 5_000}", _file() + _END),
    "odd boundary": lambda _: ('multipart/form-data; boundary="\x01(\\"', _file() + _END),
    "another boundary": lambda _: ("multipart/form-data; boundary=c", _file() + _END),
    "unterminated": lambda r: (_KIND, (_file() + _END)[: r.randrange(5, 600)]),
    "no end": lambda _: (_KIND, _file()),
    "only ends": lambda _: (_KIND, _END * 5_000),
    "only dashes": lambda _: (_KIND, b"-" * 500_000),
    "only newlines": lambda _: (_KIND, b"--b" + b"\r\n" * 100_000),
    "thousands of fields": lambda _: (_KIND, b"".join(_text(b"f%d" % n, b"x") for n in range(3_000)) + _END),
    "hundreds of files": lambda r: (_KIND, _file(data=b"x") * r.choice((33, 300)) + _END),
    "photos that are none": lambda r: (_KIND, b"".join(_file(data=_photo(r)) for _ in range(3)) + _END),
    "nested": lambda _: (_KIND, _part(b"Content-Type: multipart/mixed; boundary=b", _file() * 3) + _END),
    "huge name": lambda _: (_KIND, _file(b"n" * 100_000) + _END),
    "huge field": lambda _: (_KIND, _text(b"comparison", b"x" * 2_000_000) + _END),
    "huge head": lambda _: (_KIND, _part(b"X: " + b"x" * 100_000, b"y") + _END),
    "nul": lambda _: (_KIND, _file(b"pho\0to") + _text(b"comparison\0", b"\0") + _END),
    "no disposition": lambda _: (_KIND, _part(b"Content-Type: text/plain", b"x") + _END),
    "broken disposition": lambda _: (_KIND, _part(_DISPOSITION + b"\"x; filename*=x'", b"x") + _END),
    "transfer encoding": lambda _: (
        _KIND,
        _part(_DISPOSITION + b'"photo"\r\nContent-Transfer-Encoding: base64', b"!") + _END,
    ),
    "odd charset": lambda _: (
        _KIND,
        _part(_DISPOSITION + b'"comparison"\r\nContent-Type: text/plain; charset=zlib', b"x\x9c") + _END,
    ),
    "file name": lambda _: (
        _KIND,
        _part(b'Content-Disposition: form-data; name="photo"; filename="../../../etc/passwd"', photos.good()) + _END,
    ),
    "comparison": lambda r: (_KIND, _text(b"comparison", _comparison(r)) + _file() + _END),
    "deep comparison": lambda _: (_KIND, _text(b"comparison", _DEEP) + _file() + _END),
    "comparison of nothing": lambda r: (_KIND, _text(b"comparison", _phone()) + _file(data=_photo(r)) + _END),
    "prepared": lambda r: (_KIND, _text(b"comparison", _phone()) + _file(b"prepared", _photo(r)) + _END),
    "twice": lambda _: (_KIND, _text(b"comparison", b"{}") * 2 + _file() * 2 + _END),
}


def make(random: Random) -> tuple[str, str, bytes]:
    """Return what is wrong, the content type, and the body."""
    name = random.choice(tuple(_BODIES))
    return (name, *_BODIES[name](random))
