"""Which photos each arm trains and tests on, and how many of the latter it has seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dermport.errors import DataError
from dermport.training.data.dataset import Dataset, read_dataset
from dermport.training.data.records import Record
from dermport.training.data.slcd import CLASSES
from dermport.training.data.tasks import load_task
from dermport.training.protocols.draws import Draw, draws_of, oversampled
from dermport.training.protocols.overlap import expected_copies, find_overlap
from dermport.training.protocols.protocol import Arm, load_protocol
from tests.training.data.photos import drawn, save

SCOPE, ENGINE = load_protocol("digiscope"), load_protocol("compression-engine")
ARMS = {arm.name: arm for arm in SCOPE.arm}
BY_PHOTO = Arm(name="as-published", title="Parted by photo", split="by-photo", oversample="training")


@pytest.fixture(scope="module")
def dataset(sample_folder: Path) -> Dataset:
    """400 photos of 200 lesions of the seven classes, made of the records of a drawn set; none is ever opened."""
    real = read_dataset(sample_folder, load_task("ham7"))
    shares = dict(zip(real.task.spec.ids, (30, 40, 60, 20, 60, 170, 20), strict=True))
    labels = [label for label, count in shares.items() for _ in range(count)]
    records = tuple(
        Record(f"photo-{index:03d}", Path("nowhere"), f"lesion-{index // 2}", label, sha256=f"{index:064x}")
        for index, label in enumerate(labels)
    )
    return replace(real, records=records, links=(), joins=())


def test_oversampling_makes_classes_equal_and_loses_no_photo() -> None:
    targets = np.array([0, 0, 0, 0, 1, 2, 2])
    indices = oversampled(targets, seed=1)
    assert Counter(targets[indices].tolist()) == {0: 4, 1: 4, 2: 4}
    assert set(indices.tolist()) == set(range(7))
    assert np.array_equal(indices, oversampled(targets, seed=1))


def test_copies_are_parted_as_if_they_were_photos(dataset: Dataset) -> None:
    (draw,) = draws_of(SCOPE, ARMS["as-published"], dataset, 0)
    targets = dataset.targets()
    entries = np.concatenate([draw.train, draw.validation, draw.test])
    assert set(np.bincount(targets[entries]).tolist()) == {170}
    assert len(draw.test) / len(entries) == pytest.approx(0.2, abs=0.01)
    expected = expected_copies(np.bincount(targets).tolist(), 0.64)
    assert find_overlap(dataset, draw).same_photo.mean() == pytest.approx(expected, abs=0.05)


def test_parted_by_photo_a_lesion_is_on_both_sides_but_no_photo_is(dataset: Dataset) -> None:
    (draw,) = draws_of(SCOPE, BY_PHOTO, dataset, 0)
    twins = find_overlap(dataset, draw)
    assert not twins.same_photo.any()
    assert twins.same_lesion.mean() > 0.4
    assert len(set(np.bincount(dataset.targets()[draw.train]).tolist())) == 1
    assert len(np.unique(draw.test)) == len(draw.test)


def test_the_honest_arm_has_no_twin(dataset: Dataset) -> None:
    (draw,) = draws_of(SCOPE, ARMS["honest"], dataset, 0)
    twins = find_overlap(dataset, draw)
    assert not twins.same_photo.any()
    assert not twins.same_lesion.any()
    assert set(draw.train) | set(draw.validation) | set(draw.test) == set(range(len(dataset.records)))
    assert np.bincount(dataset.targets()[draw.test]).max() > np.bincount(dataset.targets()[draw.test]).min()


def test_near_duplicates_count_as_twins(dataset: Dataset) -> None:
    joined = replace(dataset, joins=(("lesion-0", "lesion-100"),))
    draw = Draw(np.array([0]), np.array([5]), np.array([200, 300]))
    assert find_overlap(joined, draw).same_lesion.tolist() == [True, False]
    assert find_overlap(dataset, draw).same_lesion.tolist() == [False, False]


def test_expected_copies_of_one_class_and_of_two() -> None:
    assert expected_copies([10], 0.64) == 0
    drawn_again = [find_one_copy(seed) for seed in range(300)]
    assert np.mean(drawn_again) == pytest.approx(expected_copies([40, 10], 0.6), abs=0.02)


def find_one_copy(seed: int) -> float:
    random = np.random.default_rng(seed)
    entries = random.permutation(oversampled(np.array([0] * 40 + [1] * 10), seed))
    train, test = np.split(entries, [48])
    return float(np.isin(test, train).mean())


def _slcd(folder: Path) -> Path:
    """SLCD's classes with three photos of three lesions each; of Monkeypox, two patients more, with copies."""
    for number, name in enumerate(CLASSES):
        for photo in range(3):
            save(folder / "train" / name / f"ISIC_00{number:02d}{photo:03d}.jpg", drawn(10 * number + photo))
    for seed, copy in enumerate(("MKP_17_01_ORIGINAL", "MKP_17_01_3", "MKP_18_01_ORIGINAL", "MKP_18_01_2"), start=200):
        save(folder / ("test" if seed % 2 else "train") / "Monkeypox" / f"{copy}.jpg", drawn(seed))
    return folder


def test_the_engines_folds_share_the_test_photos_and_nothing_else(tmp_path: Path) -> None:
    dataset = read_dataset(_slcd(tmp_path), load_task(ENGINE.data.task))
    assert dataset.report.reader in ENGINE.data.readers
    for arm in ENGINE.arm:
        draws = draws_of(ENGINE, arm, dataset, 0)
        assert len(draws) == 5
        assert len({tuple(draw.test) for draw in draws}) == 1
        chosen = np.concatenate([draw.validation for draw in draws])
        assert sorted([*chosen, *draws[0].test]) == list(range(len(dataset.records)))
        assert all(not set(draw.train) & set(draw.validation) for draw in draws)
    groups = np.asarray(dataset.groups())
    for draw in draws:
        assert not set(groups[draw.train]) & (set(groups[draw.validation]) | set(groups[draw.test]))


def test_too_few_photos_are_refused(dataset: Dataset) -> None:
    few = replace(dataset, records=dataset.records[:30] + dataset.records[-2:])
    with pytest.raises(DataError, match="no photo of bcc"):
        draws_of(SCOPE, Arm(name="honest", title="", split="by-lesion"), few, 0)
