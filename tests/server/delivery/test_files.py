"""File delivery: right bytes or none; validators, ranges, gzip; and no way out of the manifest."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from dermport.bundle.hashing import sha256_bytes
from tests.server.delivery.made import WEIGHTS, Site, add_artifact

FILE = "/v1/models/ham7/1.0.0/files/exports/tflite-fp16/model.tflite"
SHA256 = sha256_bytes(WEIGHTS)
SIZE = len(WEIGHTS)


def _get(site: Site, url: str = FILE, **headers: str) -> TestResponse:
    return site.client.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()})


def _on_disk(site: Site) -> Path:
    return site.models.bundle("ham7", "1.0.0").path / "exports" / "tflite-fp16" / "model.tflite"


def test_whole_file_with_its_hash(site: Site) -> None:
    answer = _get(site)
    assert (answer.status_code, answer.data) == (200, WEIGHTS)
    assert answer.headers["ETag"] == f'"{SHA256}"'
    assert answer.headers["X-Dermport-Sha256"] == SHA256
    assert answer.headers["Content-Length"] == str(SIZE)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_address_with_the_hash_may_be_cached_for_ever(site: Site) -> None:
    answer = _get(site, f"{FILE}?sha256={SHA256}")
    assert (answer.data, answer.headers["Cache-Control"]) == (WEIGHTS, "private, max-age=31536000, immutable")


def test_address_with_the_hash_of_an_earlier_file_is_gone(site: Site) -> None:
    answer = _get(site, f"{FILE}?sha256={'0' * 64}")
    assert (answer.status_code, answer.json["code"]) == (410, "file-replaced")


def test_head_has_the_headers_and_no_body(site: Site) -> None:
    answer = site.client.head(FILE, headers={"Range": "bytes=0-0"})
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == str(SIZE)
    assert answer.headers["ETag"] == f'"{SHA256}"'


@pytest.mark.parametrize("etag", [f'"{SHA256}"', f'W/"{SHA256}"', f'"other", "{SHA256}"', "*"])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_unchanged_file_is_not_sent_again(site: Site, etag: str, encoding: str) -> None:
    answer = _get(site, If_None_Match=etag, Accept_Encoding=encoding)
    assert (answer.status_code, answer.data) == (304, b"")
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=5-", 5, SIZE),
        ("bytes=0-", 0, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        ("bytes=-7", SIZE - 7, SIZE),
        (f"bytes=3-{10 * SIZE}", 3, SIZE),
        (f"bytes=-{10 * SIZE}", 0, SIZE),
        ("bytes= 1-2 ", 1, 3),
    ],
)
def test_one_range(site: Site, wanted: str, start: int, stop: int) -> None:
    answer = _get(site, Range=wanted, Accept_Encoding="gzip")
    assert (answer.status_code, answer.data) == (206, WEIGHTS[start:stop])
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(stop - start)
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("wanted", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 9}", "bytes=-0", "bytes=9-3"])
def test_range_beyond_the_file(site: Site, wanted: str) -> None:
    answer = _get(site, Range=wanted)
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
    assert answer.json["code"] == "bad-range"


@pytest.mark.parametrize(
    "wanted", ["bytes=0-1,5-6", "lines=1-2", "bytes=", "bytes=a-b", "0-5", "bytes=٣-٥", "", f"bytes={'9' * 5000}-"]
)
def test_any_other_range_is_passed_over(site: Site, wanted: str) -> None:
    answer = site.client.get(FILE, headers={"Range": wanted.encode().decode("latin-1")})
    assert (answer.status_code, answer.data) == (200, WEIGHTS)


def test_range_of_a_file_that_is_not_the_one_begun(site: Site) -> None:
    assert _get(site, Range="bytes=5-", If_Range=f'"{SHA256}"').status_code == 206
    for other in ('"other"', "Wed, 21 Oct 2015 07:28:00 GMT"):
        answer = _get(site, Range="bytes=5-", If_Range=other)
        assert (answer.status_code, answer.data) == (200, WEIGHTS)


OURS, PACKED, OTHER = f'"{SHA256}"', f'"{SHA256}-gzip"', '"other"'


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If_Match": OURS}, 200),
        ({"If_Match": f"{OTHER}, {OURS}"}, 200),
        ({"If_Match": "*"}, 200),
        ({"If_Match": OTHER}, 412),
        ({"If_Match": f"W/{OURS}"}, 412),  # only a strong tag is the same bytes
        ({"If_Match": OTHER, "Range": "bytes=0-3"}, 412),
        ({"If_Match": OURS, "Range": "bytes=0-3"}, 206),
        ({"If_Match": OTHER, "Range": f"bytes={SIZE}-"}, 412),
        ({"If_Match": OURS, "Range": f"bytes={SIZE}-"}, 416),
        ({"If_Match": OTHER, "If_None_Match": OURS}, 412),
        ({"If_Match": OURS, "If_None_Match": OURS}, 304),
        ({"If_None_Match": OURS, "Range": "bytes=0-3"}, 304),
        ({"If_None_Match": OTHER, "Range": "bytes=0-3"}, 206),
        ({"If_Match": OURS, "Accept_Encoding": "gzip"}, 200),
        ({"If_Match": PACKED, "Accept_Encoding": "gzip"}, 200),
        ({"If_Match": PACKED}, 412),
        ({"Range": "bytes=5-", "If_Range": f"W/{OURS}"}, 200),
        ({"Range": f"bytes={SIZE}-", "If_Range": OTHER}, 200),
        ({"If_Modified_Since": "Wed, 21 Oct 2099 07:28:00 GMT"}, 200),  # there is no date to hold it against
        ({"If_Unmodified_Since": "Wed, 21 Oct 2015 07:28:00 GMT"}, 200),
    ],
)
def test_conditions_come_in_the_order_of_rfc_9110(site: Site, headers: dict[str, str], status: int) -> None:
    answer = _get(site, **headers)
    assert answer.status_code == status
    assert WEIGHTS[:4] not in answer.data or status in (200, 206)
    if status == 412:
        assert answer.json["code"] == "precondition-failed"
    elif status == 304:
        assert (answer.data, answer.headers["ETag"], answer.headers["Vary"]) == (b"", OURS, "Accept-Encoding")


def test_gzip_is_made_once_and_has_an_etag_of_its_own(site: Site) -> None:
    answer = _get(site, Accept_Encoding="br, gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.data) == WEIGHTS
    assert int(answer.headers["Content-Length"]) < SIZE
    assert answer.headers["ETag"] == f'"{SHA256}-gzip"'
    assert answer.headers["X-Dermport-Sha256"] == SHA256
    [made] = (site.folder / "state" / "compressed").iterdir()
    written = made.stat().st_mtime_ns
    site.start()
    assert _get(site, Accept_Encoding="gzip").data == answer.data
    assert _get(site, Accept_Encoding="gzip", If_None_Match=answer.headers["ETag"]).status_code == 304
    assert made.stat().st_mtime_ns == written


@pytest.mark.parametrize("encoding", ["identity", "gzip;q=0", "br", "gzip;q=0.1, identity", ""])
def test_who_does_not_want_gzip_gets_the_file(site: Site, encoding: str) -> None:
    answer = _get(site, Accept_Encoding=encoding)
    assert "Content-Encoding" not in answer.headers
    assert answer.data == WEIGHTS


def test_gzip_that_saves_nothing_is_not_kept(site: Site) -> None:
    noise = os.urandom(10_000)
    add_artifact(site.models.bundle("ham7", "1.0.0"), precision="int8", content=noise)
    for _ in range(2):
        answer = _get(site, FILE.replace("fp16", "int8"), Accept_Encoding="gzip")
        assert ("Content-Encoding" not in answer.headers, answer.data) == (True, noise)
    [marker] = (site.folder / "state" / "compressed").iterdir()
    assert marker.read_bytes() == b""


def test_damaged_gzip_is_made_again(site: Site) -> None:
    whole = _get(site, Accept_Encoding="gzip").data
    [made] = (site.folder / "state" / "compressed").iterdir()
    for damaged in (whole[:-9], gzip.compress(b"something else"), b"", b"no gzip"):
        made.write_bytes(damaged)
        assert gzip.decompress(_get(site, Accept_Encoding="gzip").data) == WEIGHTS


def test_file_is_sent_where_no_gzip_can_be_kept(site: Site) -> None:
    (site.folder / "state" / "compressed").touch()
    answer = _get(site, Accept_Encoding="gzip")
    assert ("Content-Encoding" not in answer.headers, answer.data) == (True, WEIGHTS)


def test_gzip_of_models_that_are_gone_is_forgotten(site: Site) -> None:
    _get(site, Accept_Encoding="gzip")
    stale = site.folder / "state" / "compressed" / f"{'0' * 64}.gz"
    stale.touch()
    assert site.client.post("/v1/admin/models/rescan").status_code == 200
    assert not stale.exists()
    assert (site.folder / "state" / "compressed" / f"{SHA256}.gz").exists()


@pytest.mark.parametrize("content", [b"x", WEIGHTS[:-1], WEIGHTS[:-1] + b"!", WEIGHTS + b"!"])
def test_changed_file_is_not_handed_out(site: Site, content: bytes) -> None:
    assert _get(site).status_code == 200
    path = _on_disk(site)
    times = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    for headers in ({}, {"Range": "bytes=0-3"}, {"Accept_Encoding": "gzip"}, {"If_None_Match": f'"{SHA256}"'}):
        answer = _get(site, **headers)
        assert (answer.status_code, answer.json["code"]) == (503, "file-changed")
    path.write_bytes(WEIGHTS)
    assert _get(site).data == WEIGHTS


def test_vanished_file_is_not_handed_out(site: Site) -> None:
    _on_disk(site).unlink()
    answer = _get(site)
    assert (answer.status_code, answer.json["code"]) == (503, "file-missing")
    assert str(site.folder) not in answer.text


def test_file_replaced_while_it_is_sent_is_sent_to_its_end(site: Site) -> None:
    answer = site.client.get(FILE, buffered=False)
    _on_disk(site).unlink()
    _on_disk(site).write_bytes(b"another")
    assert answer.data == WEIGHTS


@pytest.mark.parametrize(
    "path",
    [
        "exports/tflite-fp16/../tflite-fp16/model.tflite",
        "exports/tflite-fp16/%2e%2e/%2e%2e/bundle.json",
        "..%2f..%2f..%2fetc%2fpasswd",
        "..%5c..%5cbundle.json",
        "exports%2ftflite-fp16%2f..%2f..%2fmodel.keras",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "//etc/passwd",
        "exports/tflite-fp16/model.tflite%00.png",
        "%00",
        "exports/tflite-fp16/model.tflite/",
        "exports/tflite-fp16/",
        "exports/tflite-fp16/export.json",
        "EXPORTS/tflite-fp16/model.tflite",
        "bundle.json",
        "model.keras",
        "golden/golden.json",
        "calibration/tensors.npy",
        "%ff%fe",
        "a" * 4000,
    ],
)
def test_only_listed_paths_are_answered(site: Site, path: str) -> None:
    answer = site.client.get(f"/v1/models/ham7/1.0.0/files/{path}", follow_redirects=True)
    assert answer.status_code == 404
    assert answer.json["code"] in ("no-such-file", "not-found")


@pytest.mark.parametrize("query", ["sha256=", "sha256=x", f"sha256={'A' * 64}"])
def test_no_hash(site: Site, query: str) -> None:
    assert _get(site, f"{FILE}?{query}").status_code == 422


def test_files_are_closed_whatever_was_answered(site: Site) -> None:
    def answered(**headers: str) -> Any:
        with _get(site, **headers) as answer:
            return answer.status_code

    def one_round() -> list[int]:
        wanted: list[dict[str, str]] = [{}, {"Range": "bytes=1-2"}, {"Range": f"bytes={SIZE}-"}]
        return [answered(**headers) for headers in [*wanted, {"If_None_Match": "*"}, {"Accept_Encoding": "gzip"}]]

    one_round()
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert one_round() == [200, 206, 416, 304, 200]
    assert len(list(Path("/proc/self/fd").iterdir())) == before
