"""Forms as clients really write them: each is read, or told the true reason."""

from __future__ import annotations

import base64
import gzip
import io
import json
import quopri
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from dermport.bundle.store import Bundle
from dermport.server.forms import MAX_PARTS
from dermport.server.upload import MAX_BODY
from tests.server.fakes import golden_photo, recall_app

_HEAD = b'Content-Disposition: form-data; name="photo"'
_FILE = _HEAD + b'; filename="m.jpg"\r\nContent-Type: image/jpeg'
_KIND = "multipart/form-data; boundary=b"


@pytest.fixture(scope="module")
def bundle(shared_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("forms") / "tiny"
    shutil.copytree(shared_bundle.path, folder)
    return Bundle.open(folder)


@pytest.fixture(scope="module")
def client(bundle: Bundle) -> Iterator[FlaskClient]:
    app = recall_app(bundle)
    yield app.test_client()
    app.extensions["dermport"].close()


@pytest.fixture(scope="module")
def photo(bundle: Bundle) -> bytes:
    return golden_photo(bundle).read_bytes()


def _form(*parts: tuple[bytes, bytes], boundary: bytes = b"b") -> bytes:
    return b"".join(b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary, *part) for part in parts) + b"--%s--\r\n" % boundary


def _named(name: bytes) -> bytes:
    return b'Content-Disposition: form-data; name="%s"; filename="m.jpg"' % name


# What is sent in place of PHOTO, as (content type, body).
READ: dict[str, Any] = {
    "as browsers and curl write it": lambda p: (_KIND, _form((_FILE, p))),
    "no file name (Flutter's MultipartFile.fromBytes)": lambda p: (
        "multipart/form-data; boundary=dart-http-boundary-x1",
        _form(
            (b'content-type: image/jpeg\r\ncontent-disposition: form-data; name="photo"', p),
            boundary=b"dart-http-boundary-x1",
        ),
    ),
    "no type": lambda p: (_KIND, _form((_HEAD, p))),
    "empty file name": lambda p: (_KIND, _form((_HEAD + b'; filename=""', p))),
    "Latin-1 file name": lambda p: (_KIND, _form((_HEAD + b'; filename="l\xe4sion.jpg"', p))),
    "UTF-8 file name": lambda p: (_KIND, _form((_HEAD + '; filename="läsion.jpg"'.encode(), p))),
    "file name of RFC 5987": lambda p: (_KIND, _form((_HEAD + b"; filename*=UTF-8''l%C3%A4sion.jpg", p))),
    "file name with a quote": lambda p: (_KIND, _form((_HEAD + b'; filename="a\\"b;c.jpg"', p))),
    "names without quotes": lambda p: (
        _KIND,
        _form((b"Content-Disposition: form-data; name=photo; filename=m.jpg", p)),
    ),
    "header names in small letters": lambda p: (_KIND, _form((_FILE.replace(b"Content-", b"content-"), p))),
    "header on two lines": lambda p: (_KIND, _form((_HEAD + b';\r\n filename="m.jpg"', p))),
    "quoted boundary": lambda p: ('multipart/form-data; boundary="b"', _form((_FILE, p))),
    "boundary after a charset": lambda p: ("multipart/form-data; charset=utf-8; boundary=b", _form((_FILE, p))),
    "preamble and epilogue": lambda p: (_KIND, b"preamble\r\n" + _form((_FILE, p)) + b"epilogue\r\n"),
    "no line break at the end": lambda p: (_KIND, _form((_FILE, p)).rstrip()),
    "other fields": lambda p: (_KIND, _form((b'Content-Disposition: form-data; name="x"', b"1"), (_FILE, p))),
    "length of the part": lambda p: (_KIND, _form((_FILE + b"\r\nContent-Length: %d" % len(p), p))),
    "binary, as okhttp once said": lambda p: (_KIND, _form((_FILE + b"\r\nContent-Transfer-Encoding: binary", p))),
    "base64": lambda p: (_KIND, _form((_FILE + b"\r\nContent-Transfer-Encoding: base64", base64.encodebytes(p)))),
    "quoted-printable": lambda p: (
        _KIND,
        _form((_FILE + b"\r\nContent-Transfer-Encoding: quoted-printable", quopri.encodestring(p))),
    ),
}
# The same, with the status, the code, and a part of the reason.
REFUSED: dict[str, Any] = {
    "no boundary": (lambda p: ("multipart/form-data", _form((_FILE, p))), 400, "bad-form", "boundary: it is missing"),
    "another boundary": (lambda p: ("multipart/form-data; boundary=c", _form((_FILE, p))), 400, "bad-form", "--'c'"),
    "no bytes": (lambda p: (_KIND, b""), 400, "bad-form", "no bytes"),
    "no parts": (lambda p: (_KIND, b"--b--\r\n"), 400, "one-photo", "no parts"),
    "cut": (lambda p: (_KIND, _form((_FILE, p))[:900]), 400, "bad-form", "ended before its closing boundary"),
    "cut in a head": (lambda p: (_KIND, _form((_FILE, p))[:30]), 400, "bad-form", "ended before its closing boundary"),
    "line feeds alone": (
        lambda p: (_KIND, _form((_FILE, b"x")).replace(b"\r\n", b"\n")),
        400,
        "bad-form",
        "line break",
    ),
    "another name": (lambda p: (_KIND, _form((_named(b"image"), p))), 400, "one-photo", "its parts are 'image'"),
    "a name of PHP": (lambda p: (_KIND, _form((_named(b"photo[]"), p))), 400, "one-photo", "'photo[]'"),
    "twice": (lambda p: (_KIND, _form((_FILE, p), (_FILE, p))), 400, "one-photo", "has 2 parts named 'photo'"),
    "no disposition": (
        lambda p: (_KIND, _form((b"Content-Type: image/jpeg", p))),
        400,
        "bad-form",
        "missing Content-Disposition",
    ),
    "an attachment": (
        lambda p: (_KIND, _form((_FILE.replace(b"form-data", b"attachment"), p))),
        400,
        "bad-form",
        "Content-Disposition",
    ),
    "a form in a form": (
        lambda p: (_KIND, _form((_HEAD + b"\r\nContent-Type: multipart/mixed; boundary=c", p))),
        415,
        "nested-form",
        "multipart/mixed",
    ),
    "no base64": (
        lambda p: (_KIND, _form((_FILE + b"\r\nContent-Transfer-Encoding: base64", p))),
        400,
        "bad-form",
        "base64",
    ),
    "an encoding of its own": (
        lambda p: (_KIND, _form((_FILE + b"\r\nContent-Transfer-Encoding: x-uue", p))),
        400,
        "bad-form",
        "'x-uue'",
    ),
    "a packed part": (
        lambda p: (_KIND, _form((_FILE + b"\r\nContent-Encoding: gzip", gzip.compress(p)))),
        415,
        "unsupported-encoding",
        "'gzip'",
    ),
    "a wrong length": (
        lambda p: (_KIND, _form((_FILE + b"\r\nContent-Length: 9", p))),
        400,
        "bad-form",
        "Content-Length",
    ),
    "too many parts": (
        lambda p: (_KIND, _form(*[(_HEAD, b"x")] * (MAX_PARTS + 1))),
        400,
        "bad-form",
        "segment count",
    ),
    "a head without end": (
        lambda p: (_KIND, _form((_HEAD + b"\r\nX-Y: " + b"x" * 9_000, p))),
        400,
        "bad-form",
        "header",
    ),
    "an empty photo": (lambda p: (_KIND, _form((_FILE, b""))), 400, "empty", "empty"),
    "an urlencoded form": (
        lambda p: ("application/x-www-form-urlencoded", b"photo=x"),
        415,
        "unsupported-type",
        "x-www-form-urlencoded",
    ),
    "another multipart": (
        lambda p: ("multipart/mixed; boundary=b", _form((_FILE, p))),
        415,
        "unsupported-type",
        "multipart/mixed",
    ),
}


@pytest.mark.parametrize("name", READ)
def test_forms_that_are_read(client: FlaskClient, photo: bytes, name: str) -> None:
    kind, body = READ[name](photo)
    direct = client.post("/v1/predict", data=photo, content_type="image/jpeg")
    for path, found in (("/v1/predict", lambda a: a), ("/v1/predict/batch", lambda a: a["items"][0]["answer"])):
        response = client.post(path, data=body, content_type=kind)
        assert response.status_code == 200, response.text
        assert found(response.json)["input_sha256"] == direct.json["input_sha256"]  # type: ignore[index]


@pytest.mark.parametrize("name", REFUSED)
def test_forms_that_are_refused_say_why(client: FlaskClient, photo: bytes, name: str) -> None:
    make, status, code, reason = REFUSED[name]
    kind, body = make(photo)
    as_it_is = {"wsgi.input": io.BytesIO(body), "CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body))}
    response = client.open("/v1/predict", method="POST", environ_overrides=as_it_is)
    problem = response.json
    assert problem
    assert (response.status_code, problem["code"]) == (status, code), problem
    assert reason in problem["detail"], problem


def test_a_comparison_has_its_parts_without_file_names_too(client: FlaskClient, photo: bytes) -> None:
    said = b'\xef\xbb\xbf{"probabilities": {}}'  # .NET begins with a byte order mark
    body = _form((b'Content-Disposition: form-data; name="comparison"', said), (_HEAD, photo))
    problem = client.post("/v1/comparisons", data=body, content_type=_KIND).json
    assert problem
    assert (problem["code"], "input_sha256" in problem["detail"]) == ("invalid", True)
    problem = client.post("/v1/comparisons", data=_form((_named(b"image"), photo)), content_type=_KIND).json
    assert problem
    assert (problem["code"], "'image'" in problem["detail"]) == ("nothing-sent", True)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "br", "deflate", "gzip, identity"])
def test_packed_bodies_are_refused_by_name(client: FlaskClient, photo: bytes, encoding: str) -> None:
    packed = gzip.compress(photo)
    document = gzip.compress(json.dumps({"name": "tiny", "version": "1.0.0"}).encode())
    for path, kind, data in (
        ("/v1/predict", "image/jpeg", packed),
        ("/v1/comparisons", _KIND, gzip.compress(_form((_FILE, photo)))),
        ("/v1/admin/models/activate", "application/json", document),
    ):
        response = client.post(path, data=data, content_type=kind, headers={"Content-Encoding": encoding})
        assert response.json
        assert (response.status_code, response.json["code"]) == (415, "unsupported-encoding")
        assert repr(encoding) in response.json["detail"]
        assert response.headers["Accept-Encoding"] == "identity"
    plain = {"Content-Encoding": "identity"}
    assert client.post("/v1/predict", data=photo, content_type="image/jpeg", headers=plain).status_code == 200


def test_a_body_that_is_shorter_than_it_says_is_no_photo(client: FlaskClient, photo: bytes) -> None:
    for server in ({}, {"wsgi.input_terminated": True}):
        sent = {"wsgi.input": io.BytesIO(photo), "CONTENT_TYPE": "image/jpeg", "CONTENT_LENGTH": str(len(photo) + 1)}
        response = client.open("/v1/predict", method="POST", environ_overrides=sent | server)
        assert response.json
        assert (response.status_code, response.json["code"]) == (400, "cut-body")


@pytest.mark.parametrize(("extra", "status"), [(0, 200), (MAX_BODY, 413)])
def test_bodies_without_a_length_are_read_within_the_bounds(
    client: FlaskClient, photo: bytes, extra: int, status: int
) -> None:
    """As a server hands out a chunked body: a stream that ends by itself."""
    for kind, body in (("image/jpeg", photo + bytes(extra)), (_KIND, _form((_FILE, photo + bytes(extra))))):
        stream = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "CONTENT_TYPE": kind}
        response = client.open("/v1/predict", method="POST", environ_overrides=stream)
        assert response.status_code == status, response.text
