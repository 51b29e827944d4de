"""A run over photos: parallel, resumed, queued and flushed, and never posted twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dermport.bundle.store import Bundle
from dermport.errors import DataError, RequestError, ServerError, UnreachableError, UsageError
from dermport.mobile_stub.backoff import Backoff, Patience
from dermport.mobile_stub.client import JetsonClient, httpx
from dermport.mobile_stub.jetson import Jetson
from dermport.mobile_stub.journal import Journal, Send
from dermport.mobile_stub.phone import PhoneModel, choose_artifacts
from dermport.mobile_stub.photos import Photo, find_photos
from dermport.mobile_stub.prediction import Prediction, Refusal
from dermport.mobile_stub.run import ComparisonRun
from tests.mobile_stub.desk import Desk, problem
from tests.mobile_stub.integration.golden import FOLDER

QUICK = Patience(tries=3, lost_tries=1)


@pytest.fixture
def photos() -> tuple[Photo, ...]:
    return find_photos([FOLDER / "photos" / name for name in ("plain.jpg", "grey.jpg", "opaque.png")])


@contextmanager
def _run(
    bundle: Bundle, desk: Desk, journal: Path | None = None, names: tuple[str, ...] = ("fp32",), send: Send = "photo"
) -> Iterator[tuple[ComparisonRun, Journal, Jetson]]:
    with ExitStack() as stack:
        manifest = bundle.manifest
        phones = [stack.enter_context(PhoneModel(manifest, one)) for one in choose_artifacts(bundle, names)]
        kept = stack.enter_context(Journal(journal))
        client = stack.enter_context(JetsonClient("http://desk", desk.transport))
        jetson = Jetson(client, Backoff(QUICK, wait=lambda _: False), manifest.preprocessing, send)
        yield ComparisonRun(phones, manifest.preprocessing, jetson, kept, jobs=2), kept, jetson


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_photo_has_both_sides(golden_bundle: Bundle, desk: Desk, photos: tuple[Photo, ...]) -> None:
    with _run(golden_bundle, desk, names=("fp32", "int8")) as (run, journal, jetson):
        assert run.meet() == ""
        tally = run.over(photos)
        pairs = list(journal)
    assert (tally.answered, tally.known, tally.waiting) == (6, 0, 0)
    assert jetson.served == desk.served
    assert {(asked.photo, asked.artifact_sha256) for asked, _ in pairs} == {
        (photo.name, artifact.sha256)
        for photo in photos
        for artifact in choose_artifacts(golden_bundle, ("fp32", "int8"))
    }
    for asked, answered in pairs:
        assert answered is not None
        assert isinstance(asked.phone, Prediction)
        assert isinstance(answered.server, Prediction)
        assert answered.server.milliseconds == 6.0
        assert answered.comparison == "c" * 32
        assert (answered.cause, answered.words) == ("same", "In the desk's words.")


def test_a_photo_that_is_there_twice_is_of_this_run_and_of_no_earlier_one(
    golden_bundle: Bundle, desk: Desk, photos: tuple[Photo, ...], tmp_path: Path
) -> None:
    again = Photo("copy.jpg", tmp_path / "copy.jpg")
    again.path.write_bytes(photos[0].read())
    with _run(golden_bundle, desk) as (run, _, _):
        tally = run.over((photos[0], again))
    assert (tally.answered, tally.known, tally.twice) == (1, 0, 1)


def test_nothing_that_is_posted_names_the_photo_or_its_place(
    golden_bundle: Bundle, desk: Desk, photos: tuple[Photo, ...]
) -> None:
    with _run(golden_bundle, desk) as (run, _, _):
        run.over(photos)
    for body in desk.stored.values():
        assert not any(photo.name.encode() in body or bytes(photo.path) in body for photo in photos)


def test_a_second_run_asks_nothing_again(
    golden_bundle: Bundle, desk: Desk, photos: tuple[Photo, ...], tmp_path: Path
) -> None:
    path = tmp_path / "run" / "journal.jsonl"
    with _run(golden_bundle, desk, path) as (run, _, _):
        run.meet()
        run.over(photos[:2])
    before = desk.posts
    with _run(golden_bundle, desk, path) as (run, _, _):
        run.meet()
        tally = run.over(photos)
    assert (tally.known, tally.answered) == (2, 1)
    assert desk.posts == before + 1


def test_another_file_on_the_server_is_asked_anew(
    golden_bundle: Bundle, desk: Desk, photos: tuple[Photo, ...], tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"
    with _run(golden_bundle, desk, path) as (run, _, _):
        run.meet()
        run.over(photos)
    desk.served = "6" * 64
    with _run(golden_bundle, desk, path) as (run, _, _):
        run.meet()
        assert run.over(photos).answered == len(photos)
    assert len(desk.stored) == 2 * len(photos)


def test_offline_the_phone_answers_and_the_posts_wait(
    golden_bundle: Bundle, desk: Desk, photos: tuple[Photo, ...], tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"
    desk.gone = True
    with _run(golden_bundle, desk, path) as (run, journal, _):
        assert "does not answer" in run.meet()
        tally = run.over(photos)
        assert (tally.waiting, len(journal.waiting())) == (3, 3)
    desk.gone = False
    with _run(golden_bundle, desk, path) as (run, journal, _):
        assert run.flush().answered == 3
        assert not journal.waiting()
        assert run.flush().answered == 0
    assert len(desk.stored) == desk.posts == 3


def test_without_a_folder_nothing_can_wait(golden_bundle: Bundle, desk: Desk, photos: tuple[Photo, ...]) -> None:
    desk.gone = True
    with _run(golden_bundle, desk) as (run, _, _):
        with pytest.raises(UnreachableError, match="does not answer"):
            run.meet()
        with pytest.raises(UnreachableError):
            run.over(photos)


def test_an_answer_that_was_lost_is_not_stored_twice(
    golden_bundle: Bundle, desk: Desk, photos: tuple[Photo, ...], tmp_path: Path
) -> None:
    """The server had stored it, the network broke before the answer came: the same key and the same words go again."""
    path = tmp_path / "journal.jsonl"
    with _run(golden_bundle, desk, path) as (run, _, _):
        run.over(photos[:1])
    kept = path.read_text().splitlines()
    path.write_text(kept[0] + "\n" + kept[1][:40])  # as a power cut leaves it
    with _run(golden_bundle, desk, path, send="both") as (run, _, _):
        tally = run.over(photos[:1])
    assert tally.answered == 1
    assert desk.posts == 2
    assert len(desk.stored) == 1
    assert [line["kind"] for line in _lines(path)] == ["asked", "answered"]


def test_a_busy_server_is_asked_again(golden_bundle: Bundle, desk: Desk, photos: tuple[Photo, ...]) -> None:
    desk.troubles = [problem(429, "rate", **{"Retry-After": "1"}), problem(503, "overloaded")]
    with _run(golden_bundle, desk) as (run, journal, _):
        assert run.over(photos).answered == 3
        trips = [answered.round_trip for _, answered in journal if answered]
    assert desk.posts == 5
    assert all(trip is not None and 0 < trip < 900 for trip in trips)  # waiting is not in it


def test_a_server_that_fails_keeps_the_photo_waiting(
    golden_bundle: Bundle, desk: Desk, photos: tuple[Photo, ...], tmp_path: Path
) -> None:
    desk.troubles = [problem(500, "internal")]
    with _run(golden_bundle, desk, tmp_path / "journal.jsonl") as (run, journal, _):
        tally = run.over(photos)
        assert (tally.answered, tally.waiting, len(journal.waiting())) == (2, 1, 1)
        assert "said the desk: internal" in tally.trouble
    desk.troubles = [problem(500, "internal")]
    with _run(golden_bundle, desk) as (run, _, _), pytest.raises(ServerError, match="said the desk"):
        run.over(photos)


@pytest.mark.parametrize("refusal", [problem(404, "not-found"), problem(403, "key-scope")])
def test_without_comparisons_the_server_predicts(
    golden_bundle: Bundle, desk: Desk, photos: tuple[Photo, ...], refusal: httpx.Response
) -> None:
    desk.comparisons = refusal
    with _run(golden_bundle, desk) as (run, journal, jetson):
        run.over(photos)
        assert "said the desk" in jetson.predicts_only
        answers = [answered for _, answered in journal if answered]
    assert len(answers) == desk.predictions == 3
    assert desk.posts <= 2  # of two threads
    assert {answer.comparison for answer in answers} == {None}
    assert isinstance(answers[0].server, Prediction)
    assert answers[0].server.milliseconds == 9.0


def test_a_refused_key_ends_the_run(golden_bundle: Bundle, desk: Desk, photos: tuple[Photo, ...]) -> None:
    desk.comparisons = problem(401, "no-key")
    with _run(golden_bundle, desk) as (run, _, _), pytest.raises(ServerError, match="refuses: said the desk: no-key"):
        run.over(photos)


def test_what_the_phone_refuses_is_asked_of_the_server_too(golden_bundle: Bundle, desk: Desk) -> None:
    with _run(golden_bundle, desk) as (run, journal, _):
        run.over(find_photos([FOLDER / "photos" / "not-a-photo.gif"]))
        ((asked, answered),) = journal
    assert answered is not None
    assert isinstance(asked.phone, Refusal)
    assert isinstance(answered.server, Refusal)
    assert asked.phone.code == answered.server.code == "unsupported-type"


def test_prepared_sends_no_photo(golden_bundle: Bundle, desk: Desk, photos: tuple[Photo, ...]) -> None:
    with _run(golden_bundle, desk, send="prepared") as (run, journal, _):
        run.over([*photos, *find_photos([FOLDER / "photos" / "cut.jpg"])])
        refused = [answered.server for asked, answered in journal if answered and asked.photo == "cut.jpg"]
    assert len(desk.stored) == 3
    assert not any(photo.read() in body for photo in photos for body in desk.stored.values())
    assert refused == [Refusal(code="not-sent", message="It was not sent.")]


def test_a_photo_that_changed_or_went_keeps_waiting(golden_bundle: Bundle, desk: Desk, tmp_path: Path) -> None:
    source = FOLDER / "photos"
    for name in ("plain.jpg", "grey.jpg"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    desk.gone = True
    with _run(golden_bundle, desk, tmp_path / "journal.jsonl") as (run, _, _):
        run.meet()
        run.over(find_photos([tmp_path / "plain.jpg", tmp_path / "grey.jpg"]))
    desk.gone = False
    (tmp_path / "plain.jpg").unlink()
    (tmp_path / "grey.jpg").write_bytes((source / "cmyk.jpg").read_bytes())
    with _run(golden_bundle, desk, tmp_path / "journal.jsonl") as (run, _, _):
        tally = run.flush()
    assert (tally.waiting, desk.posts) == (2, 0)
    assert "cannot be read" in tally.trouble or "another photo" in tally.trouble


def test_a_run_that_is_interrupted_keeps_what_is_done(
    golden_bundle: Bundle, desk: Desk, photos: tuple[Photo, ...], tmp_path: Path
) -> None:
    def interrupt(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    path = tmp_path / "journal.jsonl"
    with _run(golden_bundle, desk, path) as (run, _, _), pytest.raises(KeyboardInterrupt):
        run.over(photos * 50, interrupt)
    lines = _lines(path)
    assert 0 < len(desk.stored) == sum(line["kind"] == "answered" for line in lines) <= len(photos)
    with _run(golden_bundle, desk, path) as (run, _, _):
        run.over(photos)
    assert {line["photo"] for line in _lines(path) if line["kind"] == "asked"} == {photo.name for photo in photos}


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl"), pytest.raises(UsageError, match="Another run"):
        Journal(tmp_path / "journal.jsonl")


def test_a_journal_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text('{"kind": "note"}\n')
    with pytest.raises(DataError, match="line 1, is none"):
        Journal(tmp_path / "journal.jsonl")


class Clock:
    def __init__(self) -> None:
        self.time, self.waits = 0.0, list[float]()

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.time += seconds
        return False

    def backoff(self) -> Backoff:
        return Backoff(wait=self.wait, now=lambda: self.time, draw=lambda: 1.0)


def _busy(retry_after: float | None = None) -> RequestError:
    return RequestError("busy", code="overloaded", status=503, retry_after=retry_after)


def _after(*errors: Exception) -> tuple[list[Exception], object]:
    left = list(errors)

    def question() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return left, question


def test_waits_grow_and_are_bounded() -> None:
    clock = Clock()
    _, question = _after(*[_busy()] * 7)
    assert clock.backoff().ask(question) == "answer"  # type: ignore[arg-type]
    assert clock.waits == [0.5, 1, 2, 4, 8, 16, 20]


def test_retry_after_holds_up_everybody() -> None:
    clock = Clock()
    backoff = clock.backoff()
    _, question = _after(_busy(retry_after=30))
    assert backoff.ask(question) == "answer"  # type: ignore[arg-type]
    assert clock.time == 30


def test_unbearable_waits_and_endless_ones_count_as_unreachable() -> None:
    for errors in ([_busy(retry_after=4000)], [_busy()] * 8):
        with pytest.raises(UnreachableError, match="no time: busy"):
            Clock().backoff().ask(_after(*errors)[1])  # type: ignore[arg-type]
    left, question = _after(*[UnreachableError("gone")] * 3)
    with pytest.raises(UnreachableError, match="gone"):
        Clock().backoff().ask(question)  # type: ignore[arg-type]
    assert len(left) == 1


def test_a_stopped_run_waits_for_nobody() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(UnreachableError, match="stopped"):
        Backoff(wait=stop.wait).ask(_after(_busy())[1])  # type: ignore[arg-type]


def test_other_refusals_are_not_asked_again() -> None:
    with pytest.raises(RequestError, match="no"):
        Clock().backoff().ask(_after(RequestError("no", code="x", status=422))[1])  # type: ignore[arg-type]
