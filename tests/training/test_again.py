from __future__ import annotations

from pathlib import Path

import pytest

from dermport.bundle.manifest import Manifest
from dermport.bundle.store import Bundle
from dermport.training.data.dataset import Dataset, read_dataset, reopen_dataset
from dermport.training.data.sources import open_dataset
from tests.training.test_readers import HAM7, save_photo, write_ham


@pytest.fixture
def manifest(tiny_bundle: Bundle) -> Manifest:
    return tiny_bundle.manifest.model_copy(update={"task": HAM7.spec})


def trained_on(manifest: Manifest, dataset: Dataset, lesion_pattern: str | None = None) -> Manifest:
    said = {
        "fingerprint": dataset.fingerprint,
        "dropped": dict(dataset.report.dropped),
        "lesion_pattern": lesion_pattern,
    }
    return manifest.model_copy(update={"dataset": manifest.dataset.model_copy(update=said)})


def test_photos_left_out_for_their_metadata_are_left_out_again(tmp_path: Path, manifest: Manifest) -> None:
    write_ham(tmp_path, [("L1", "I1", "mel", ""), ("L2", "I2", "nv", "3")], ("images",))
    before = read_dataset(tmp_path, HAM7, require_metadata=True)
    assert reopen_dataset(trained_on(manifest, before), tmp_path).fingerprint == before.fingerprint


def test_another_data_set_keeps_its_incomplete_rows(tmp_path: Path, manifest: Manifest) -> None:
    write_ham(tmp_path / "own", [("L1", "I1", "mel", ""), ("L2", "I2", "nv", "3")], ("images",))
    write_ham(tmp_path / "other", [("L1", "J1", "nv", "8"), ("L2", "J2", "mel", "")], ("images",))
    before = read_dataset(tmp_path / "own", HAM7, require_metadata=True)
    assert len(reopen_dataset(trained_on(manifest, before), tmp_path / "other").records) == 2


def test_lesions_are_told_from_file_names_as_they_were(tmp_path: Path, manifest: Manifest) -> None:
    for index, name in enumerate(("mel/a_1.png", "mel/a_2.png", "nv/b_1.png")):
        save_photo(tmp_path / name, index)
    before = read_dataset(open_dataset(tmp_path, lesion_pattern=r"([a-z]+)_"), HAM7)
    again = reopen_dataset(trained_on(manifest, before, r"([a-z]+)_"), tmp_path)
    assert [record.lesion_id for record in again.records] == ["a", "a", "b"]
    assert again.fingerprint == before.fingerprint
