"""Comparisons from end to end, on SQLite: kept once, kept whole, deleted in time."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dermport.bundle.wire import ComparisonAnswer
from dermport.errors import RequestError, StorageError
from dermport.server.comparing.case import Sent
from dermport.server.comparing.comparisons import ComparisonService, Keeping
from dermport.server.comparing.photos import KeptPhotos
from dermport.server.config import StorageConfig
from dermport.server.storage.comparisons import ComparisonStore, Filters
from dermport.server.storage.database import open_database
from tests.server.comparing import linear
from tests.server.comparing.linear import LinearLive, LinearModels, phone_says, tensor_of
from tests.server.comparing.made import NOON

PHOTO = linear.photo()
DAY = timedelta(days=1)


@dataclass
class Desk:
    """Comparisons with all their parts, below a folder."""

    folder: Path
    keeping: Keeping = field(default_factory=Keeping)
    heard: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        self.bundle = linear.make_bundle(self.folder / "bundle")
        self.phones = linear.export(self.bundle, "tflite")
        self.live = LinearLive(self.bundle, linear.export(self.bundle, "onnx"))
        self.database = open_database(StorageConfig(self.folder / "state"))
        self.photos = self.folder / "state" / "photos"
        self.now = NOON
        self.doubted: list[tuple[datetime, datetime | None]] = []
        self.comparisons = ComparisonService(
            LinearModels(self.live),
            ComparisonStore(self.database),
            linear.runner_of(self.bundle),
            KeptPhotos(self.photos),
            keeping=self.keeping,
            listeners=self.heard,
            now=lambda: self.now,
            believes=lambda *asked: asked not in self.doubted,
        )

    def sent(self, **other: Any) -> Sent:
        return Sent(phone_says(self.phones, tensor_of(PHOTO, self.bundle), PHOTO, **other), PHOTO, None)

    def compare(self, key: str | None = None, **other: Any) -> tuple[ComparisonAnswer, bool]:
        return self.comparisons.compare(self.sent(**other), key, "request-1")

    def stored(self) -> list[str]:
        return [answer.id for answer in self.comparisons.store.all(Filters())]

    def files(self) -> list[str]:
        return sorted(path.name for path in self.photos.glob("*")) + sorted(p.name for p in self.photos.glob(".*.part"))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.comparisons.close()
    made.database.close()


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Desk]:
    """A desk that keeps photos, for 30 days."""
    made = Desk(tmp_path, Keeping(photos=True, days=30))
    yield made
    made.database.close()


def _age(folder: Path) -> None:
    """Let what is in a folder be from another day, so that no process may still be storing it."""
    for path in folder.iterdir():
        os.utime(path, (0, 0))


def test_a_comparison_is_answered_and_stored_alike(desk: Desk) -> None:
    answer, new = desk.compare()
    assert new
    assert answer.verdict.cause == "same"
    assert (answer.created, answer.request_id, answer.photo_kept) == (NOON, "request-1", False)
    assert desk.comparisons.store.get(answer.id) == answer
    assert desk.files() == [], "photos are kept only where that was asked for"


def test_a_request_sent_again_is_the_same_comparison(desk: Desk) -> None:
    first, _ = desk.compare("key")
    again, new = desk.compare("key")
    assert (again, new) == (first, False)
    assert len(desk.live.jobs) == 1, "and costs no second prediction"
    with pytest.raises(RequestError) as error:
        desk.compare("key", app_version="2.0")
    assert error.value.status == 422
    assert desk.compare("another key")[1]
    assert len(desk.stored()) == 2


def test_a_request_sent_several_times_at_once_is_one_comparison(keeper: Desk) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: keeper.compare("key"), range(8)))
    assert len({answer.id for answer, _ in answers}) == 1
    assert sum(new for _, new in answers) == 1
    assert keeper.files() == [f"{answers[0][0].id}.png"]


def test_another_photo_or_form_is_another_request(desk: Desk) -> None:
    said = desk.sent().said
    prepared = linear.png(tensor_of(PHOTO, desk.bundle))
    sent = [
        Sent(said, PHOTO, None),
        Sent(said, None, prepared),
        Sent(said, PHOTO, prepared),
        Sent(said, prepared, None),
    ]
    assert len({one.fingerprint for one in sent}) == 4
    assert Sent(said, PHOTO, None).fingerprint == sent[0].fingerprint


def test_kept_photos_are_pixels_and_nothing_else(keeper: Desk) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker of phones"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)  # GPSLatitude
    file = io.BytesIO()
    Image.open(io.BytesIO(PHOTO)).save(file, "JPEG", exif=exif, comment=b"Jane Doe")
    data = file.getvalue()
    assert b"Maker of phones" in data
    tensor = tensor_of(data, keeper.bundle)
    answer, _ = keeper.comparisons.compare(Sent(phone_says(keeper.phones, tensor, data), data, None), None, "r")
    assert answer.photo_kept
    [kept] = keeper.photos.iterdir()
    assert kept.name == f"{answer.id}.png"
    assert keeper.photos.stat().st_mode & 0o777 == 0o700
    picture = Image.open(kept)
    assert np.array_equal(np.asarray(picture), tensor)
    assert dict(picture.getexif()) == {}
    assert picture.info == {}
    everything = b"".join(path.read_bytes() for path in (keeper.folder / "state").rglob("*") if path.is_file())
    for secret in (b"Maker of phones", b"Jane Doe", b"Exif", data[:600]):
        assert secret not in everything


def _differing(desk: Desk, data: bytes = PHOTO) -> Sent:
    tensor = linear.shifted(tensor_of(data, desk.bundle))
    return Sent(phone_says(desk.phones, tensor, data), data, linear.png(tensor))


def test_the_picture_of_a_difference_is_answered_when_asked_and_not_stored(desk: Desk) -> None:
    answer, _ = desk.comparisons.compare(_differing(desk), "key", "r", picture=True)
    assert answer.input_difference is not None
    picture = Image.open(io.BytesIO(base64.b64decode(answer.difference_png or "")))
    assert int(picture.text["max_level"]) == answer.input_difference.max_level  # type: ignore[attr-defined]
    stored = desk.comparisons.store.get(answer.id)
    assert stored.difference_png is None
    assert stored == answer.model_copy(update={"difference_png": None})
    assert desk.files() == []
    again, _ = desk.comparisons.compare(_differing(desk), "key", "r", picture=True)
    assert again.difference_png is None
    same, _ = desk.comparisons.compare(desk.sent(), None, "r", picture=True)
    assert (same.difference_png, same.input_difference) == (None, None)
    with pytest.raises(RequestError) as error:
        desk.comparisons.picture(answer.id)
    assert (error.value.status, error.value.code) == (404, "no-difference-picture")


def test_kept_tensors_give_the_picture_later_and_go_with_the_comparison(keeper: Desk) -> None:
    answer, _ = keeper.comparisons.compare(_differing(keeper), "key", "r", picture=True)
    assert keeper.files() == [f"{answer.id}.phone.png", f"{answer.id}.png"]
    assert base64.b64encode(keeper.comparisons.picture(answer.id)).decode() == answer.difference_png
    again, new = keeper.comparisons.compare(_differing(keeper), "key", "r", picture=True)
    assert (again.difference_png, new) == (answer.difference_png, False)
    keeper.comparisons.purge(NOON)
    assert len(keeper.files()) == 2
    keeper.comparisons.delete(answer.id)
    assert keeper.files() == []
    (keeper.photos / f"{answer.id}.phone.png").write_bytes(b"of a killed request")
    _age(keeper.photos)
    keeper.comparisons.purge(NOON)
    assert keeper.files() == []
    with pytest.raises(RequestError) as error:
        keeper.comparisons.picture(answer.id)
    assert error.value.code == "no-such-comparison"


def test_the_answer_to_an_earlier_photo_is_known_by_its_hash(desk: Desk) -> None:
    desk.compare()
    arrived = linear.photo(seed=8)
    said = phone_says(desk.phones, tensor_of(PHOTO, desk.bundle), arrived)
    answer, _ = desk.comparisons.compare(Sent(said, arrived, None), None, "r")
    assert answer.verdict.cause == "photo-changed"
    assert [(fault.code, fault.exact) for fault in answer.faults] == [("stale-photo", True)]


def test_comparisons_of_an_older_server_are_read(desk: Desk) -> None:
    answer, _ = desk.compare()
    new = ("decomposition", "faults", "input_difference", "difference_png")
    old = {name: value for name, value in answer.model_dump(mode="json", by_alias=True).items() if name not in new}
    with desk.database.writing() as session:
        session.connection().exec_driver_sql("UPDATE comparisons SET document = ?", (json.dumps(old),))
    assert desk.comparisons.store.get(answer.id) == answer


def test_deleting_takes_the_photo_along(keeper: Desk) -> None:
    answer, _ = keeper.compare("key")
    other, _ = keeper.compare()
    keeper.comparisons.delete(answer.id)
    assert keeper.stored() == [other.id]
    assert keeper.files() == [f"{other.id}.png"]
    with pytest.raises(RequestError) as error:
        keeper.comparisons.delete(answer.id)
    assert error.value.status == 404


def test_purging_deletes_what_is_too_old(keeper: Desk) -> None:
    old, _ = keeper.compare()
    keeper.now = NOON + 10 * DAY
    new, _ = keeper.compare()
    assert keeper.comparisons.purge(NOON + 30 * DAY) == 0
    assert keeper.comparisons.purge(NOON + 30 * DAY + timedelta(seconds=1)) == 1
    assert keeper.stored() == [new.id]
    assert keeper.files() == [f"{new.id}.png"]
    assert keeper.comparisons.purge(NOON - 1000 * DAY) == 0, "a clock that jumped back deletes nothing"
    assert old.id not in keeper.stored()


def test_purging_goes_beyond_a_batch(keeper: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dermport.server.storage.comparisons.BATCH", 2)
    monkeypatch.setattr("dermport.server.comparing.comparisons.BATCH", 2)
    for _ in range(5):
        keeper.compare()
    assert keeper.comparisons.purge(NOON + 31 * DAY) == 5
    assert (keeper.stored(), keeper.files()) == ([], [])


def test_without_retention_nothing_is_too_old(desk: Desk) -> None:
    desk.compare()
    assert desk.comparisons.purge(NOON + 36500 * DAY) == 0
    assert len(desk.stored()) == 1


def test_purging_removes_photos_without_comparison(keeper: Desk) -> None:
    answer, _ = keeper.compare()
    orphan = "0" * 32
    (keeper.photos / f"{orphan}.png").write_bytes(b"of a killed request")
    (keeper.photos / f".{orphan}.png.abc123.part").write_bytes(b"half of one")
    (keeper.photos / "notes.png").write_bytes(b"somebody else's file")
    before = keeper.files()
    keeper.comparisons.purge(NOON)
    assert keeper.files() == before, "another process may be storing the comparison"
    _age(keeper.photos)
    keeper.comparisons.purge(NOON)
    assert keeper.files() == sorted([f"{answer.id}.png", "notes.png"])


def test_nothing_is_too_old_by_a_clock_that_is_not_believed(keeper: Desk) -> None:
    answer, _ = keeper.compare()
    keeper.doubted = [(NOON + 31 * DAY, answer.created)]
    assert keeper.comparisons.purge(NOON + 31 * DAY) == 0
    assert keeper.comparisons.purge(NOON + 32 * DAY) == 1


def test_a_photo_that_cannot_be_stored_stores_nothing(keeper: Desk) -> None:
    keeper.photos.parent.joinpath("photos").write_bytes(b"a file where the folder should be")
    with pytest.raises(StorageError, match="it is a file"):
        keeper.compare()
    assert keeper.stored() == []


def test_a_comparison_that_cannot_be_stored_leaves_no_photo(keeper: Desk) -> None:
    with keeper.database.writing() as session:
        session.connection().exec_driver_sql("DROP TABLE comparisons")
    with pytest.raises(StorageError):
        keeper.compare()
    assert keeper.files() == []


def test_listeners_hear_what_is_stored_and_cannot_fail_it(tmp_path: Path) -> None:
    heard: list[ComparisonAnswer] = []

    def fail(answer: ComparisonAnswer) -> None:
        raise RuntimeError

    desk = Desk(tmp_path, heard=(fail, heard.append))
    answer, _ = desk.compare("key")
    desk.compare("key")
    assert heard == [answer]


_WRITER = """
import sys
from pathlib import Path
from dermport.server.comparing.comparisons import Keeping
from tests.server.comparing.test_comparisons import Desk
desk = Desk(Path(sys.argv[1]), Keeping(photos=True))
while True:
    print(desk.compare()[0].id, flush=True)
"""


def test_kill_9_while_comparing_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline().strip() for _ in range(12)]
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += [line.strip() for line in writer.stdout if len(line) == 33]
    database = open_database(StorageConfig(tmp_path / "state"))
    store, photos = ComparisonStore(database), KeptPhotos(tmp_path / "state" / "photos")
    after = ComparisonService(LinearModels(Desk(tmp_path / "after").live), store, linear.runner_of(), photos)
    stored = {answer.id for answer in store.all(Filters())}
    assert set(acknowledged) <= stored
    assert len(stored) - len(acknowledged) in (0, 1)
    _age(tmp_path / "state" / "photos")
    after.purge(NOON)
    assert {comparison_id for comparison_id, _ in photos.files(NOON)} == stored
    for _, path in photos.files(NOON):
        Image.open(path).load()
    database.close()
