"""``dermport compare`` as its users type it, against a server's double on a real socket."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner, Result

from dermport.bundle.store import Bundle
from dermport.cli.compare import compare
from dermport.errors import DermportError, ServerError, UsageError
from dermport.mobile_stub.comparison import ArtifactComparison, ComparisonDocument
from tests.mobile_stub.desk import Desk
from tests.mobile_stub.integration.golden import FOLDER

PHOTOS = FOLDER / "photos"


def _handler(desk: Desk) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = httpx.Request(self.command, f"http://desk{self.path}", headers=dict(self.headers), content=body)
            try:
                answer = desk.transport.handle_request(asked)
            except httpx.ConnectError:
                self.close_connection = True
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["content-type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET

    return Handler


@pytest.fixture
def url(desk: Desk) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(desk))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def _run(*words: object, code: int = 0) -> Result:
    app = typer.Typer()
    app.command()(compare)
    result = CliRunner().invoke(app, [str(word) for word in words], env={"DERMPORT_KEY": ""})
    if isinstance(result.exception, DermportError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def test_files_of_earlier_versions_are_written_as_before(
    golden_bundle: Bundle, desk: Desk, url: str, tmp_path: Path
) -> None:
    reports = tmp_path / "c.html", tmp_path / "c.csv"
    result = _run(
        *(golden_bundle.path, "--server", url, "--phone-precision", "fp32", "--out", reports[0], "--out", reports[1]),
        *("--json", PHOTOS / "plain.jpg", PHOTOS / "grey.jpg"),
    )
    said = ArtifactComparison.model_validate_json(result.stdout)
    assert (said.totals.label_agreement.count, said.totals.predicted, said.totals.inputs_equal) == (2, 2, 2)
    assert said.totals.change is not None
    assert "<svg" in reports[0].read_text()
    assert len(list(csv.DictReader(reports[1].open()))) == 2
    with pytest.raises(UsageError, match="exists already"):
        _run(golden_bundle.path, PHOTOS, "--server", url, "--out", reports[0])


def test_a_folder_keeps_the_run_and_a_second_one_goes_on(
    golden_bundle: Bundle, desk: Desk, url: str, tmp_path: Path
) -> None:
    words = (golden_bundle.path, PHOTOS / "*.jpg", "--server", url, "--artifact", "int8", "--artifact", "tflite-fp32")
    out = tmp_path / "run-1.0"
    first = _run(*words, "--out", out, "--jobs", 3, "--json")
    said = ComparisonDocument.model_validate_json(first.stdout)
    names = [one.artifact.name for one in said.comparisons if one.artifact]
    assert names == ["tflite-int8", "tflite-fp32"]
    assert said.comparisons[0].totals.causes == {"same": 6, "refused": 2}
    posts = desk.posts
    again = _run(*words, "--out", out, "--json")
    assert desk.posts == posts
    assert "16 were known from an earlier run" in again.stderr
    assert {path.name for path in out.iterdir()} == {
        *("journal.jsonl", "run.json", "report.html", "report.csv", "report.json")
    }
    assert json.loads((out / "report.json").read_text()) == json.loads(again.stdout)


def test_photos_wait_for_a_jetson_that_is_away(golden_bundle: Bundle, desk: Desk, url: str, tmp_path: Path) -> None:
    out, words = tmp_path / "run", (golden_bundle.path, PHOTOS / "plain.jpg", "--server", url)
    desk.gone = True
    with pytest.raises(ServerError, match="does not answer"):
        _run(*words)
    result = _run(*words, "--out", out, code=1)
    assert "is kept in" in result.stderr
    assert "1 wait for the server" in result.stderr
    desk.gone = False
    assert "1 posted, 0 still wait" in _run("--flush", out).stderr
    assert "0 posted, 0 still wait" in _run("--flush", out, "--server", url).stderr
    assert "1 were known" in _run(*words, "--out", out).stderr
    assert desk.posts == len(desk.stored) == 1


def test_a_data_set_by_its_split_brings_labels(golden_bundle: Bundle, desk: Desk, url: str, tmp_path: Path) -> None:
    split = tmp_path / "split.csv"
    split.write_text("photo_id,lesion_id,label,part\nplain,l1,mel,test\ngrey,l2,akiec,test\nprogressive,l3,nv,train\n")
    words = (golden_bundle.path, "--data", PHOTOS, "--split", split, "--server", url, "--json")
    said = ArtifactComparison.model_validate_json(_run(*words).stdout)
    assert [(row.photo, row.truth, row.lesion) for row in said.photos] == [
        ("plain", "mel", "l1"),
        ("grey", "akiec", "l2"),
    ]
    assert said.truth is not None
    assert said.truth.label.p == 1.0
    assert ArtifactComparison.model_validate_json(_run(*words, "--part", "all").stdout).totals.photos == 3


def test_agreement_below_the_policy_ends_with_1(golden_bundle: Bundle, desk: Desk, url: str) -> None:
    desk.shift = 0.9
    names = ("plain", "grey", "cmyk", "profile", "progressive")
    words = [PHOTOS / f"{name}.jpg" for name in names]
    said = ArtifactComparison.model_validate_json(
        _run(golden_bundle.path, *words, PHOTOS / "opaque.png", "--server", url, "--json", code=1).stdout
    )
    assert said.standing is not None
    assert (said.standing.status, said.standing.classes) == ("fail", ("fp32", "fp32"))
    assert said.totals.inputs_equal == said.totals.predicted


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--out", "a", "--out", "b"), "one folder"),
        (("--out", "report.pdf"), "neither a folder's name"),
        (("--send", "nothing"), "--send nothing is unknown"),
        (("--split", "s.csv"), "needs the folder"),
        (("--artifact", "int8", "--artifact", "tflite-int8"), "named twice"),
        (("--artifact", "gone.tflite"), "does not exist"),
        (("--flush", "here"), "takes no photos"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    golden_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=complaint):
        _run(golden_bundle.path, PHOTOS / "plain.jpg", "--server", "http://127.0.0.1:9", *words)
    assert [path.name for path in tmp_path.iterdir()] == ["blotches"]


def test_a_folder_of_other_things_is_left_alone(golden_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match="holds other things"):
        _run(golden_bundle.path, PHOTOS, "--server", "http://127.0.0.1:9", "--out", tmp_path / "mine")
    with pytest.raises(UsageError, match="holds no run"):
        _run("--flush", tmp_path / "mine")
    with pytest.raises(UsageError, match="Name a bundle"):
        _run(golden_bundle.path)
