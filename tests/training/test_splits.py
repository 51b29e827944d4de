from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from dermport.errors import DataError, UsageError
from dermport.training.data.dataset import Dataset, fingerprint, read_dataset
from dermport.training.data.records import Record
from dermport.training.data.report import build_report
from dermport.training.data.splits import DEFAULT_FRACTIONS, PARTS, Split, read_split, split_dataset, write_split
from dermport.training.data.tasks import load_task

HAM7 = load_task("ham7")


def dataset_of(records: list[Record]) -> Dataset:
    return Dataset("made-up", HAM7, tuple(records), build_report("x", "x", HAM7, records, []), fingerprint(records))


def made_up(lesions_by_label: dict[str, int], seed: int = 0) -> Dataset:
    """Lesions of 1 to 6 photos, most of one, as in HAM10000."""
    rng, records = random.Random(seed), []
    for label, lesions in lesions_by_label.items():
        for lesion in range(lesions):
            photos = range(rng.choice([1, 1, 1, 1, 2, 2, 3, 6]))
            records += [Record(f"{label}{lesion}-{photo}", Path(), f"{label}{lesion}", label) for photo in photos]
    return dataset_of(records)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return made_up({"nv": 1200, "mel": 200, "bkl": 180, "bcc": 90, "akiec": 60, "vasc": 25, "df": 20})


def parts_by_lesion(split: Split) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for record, part in zip(split.dataset.records, split.parts, strict=True):
        found[record.lesion_id].add(part)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_no_lesion_is_in_two_parts(dataset: Dataset, seed: int) -> None:
    split = split_dataset(dataset, seed=seed)
    assert all(len(parts) == 1 for parts in parts_by_lesion(split).values())
    assert sum(split.photos().values()) == len(dataset.records)
    assert sum(split.lesions().values()) == len(parts_by_lesion(split))


@pytest.mark.parametrize("seed", range(5))
def test_every_label_has_its_share_of_every_part(dataset: Dataset, seed: int) -> None:
    split = split_dataset(dataset, seed=seed)
    totals = Counter(record.label for record in dataset.records)
    for part in PARTS:
        counts = Counter(record.label for record in split.records(part))
        for label, total in totals.items():
            # A lesion has at most six photos, and none is torn apart.
            assert abs(counts[label] - DEFAULT_FRACTIONS[part] * total) <= 6
        assert abs(split.photos()[part] / len(dataset.records) - DEFAULT_FRACTIONS[part]) < 0.01


def test_three_lesions_of_a_label_suffice_for_every_part() -> None:
    split = split_dataset(made_up({"nv": 50, "df": 3, "vasc": 2, "akiec": 1}), seed=4)
    held = {part: {record.label for record in split.records(part)} for part in PARTS}
    assert held["train"] == {"nv", "df", "vasc", "akiec"}
    assert held["test"] == {"nv", "df", "vasc"}
    assert held["validation"] == {"nv", "df"}


def test_the_split_depends_on_the_seed_alone(dataset: Dataset) -> None:
    first = split_dataset(dataset, seed=1)
    assert split_dataset(dataset, seed=1).parts == first.parts
    assert split_dataset(dataset, seed=2).parts != first.parts
    shuffled = list(dataset.records)
    random.Random(5).shuffle(shuffled)
    again = split_dataset(dataset_of(shuffled), seed=1)
    assert parts_by_lesion(again) == parts_by_lesion(first)


def test_the_split_is_the_same_on_every_machine() -> None:
    split = split_dataset(made_up({"nv": 6, "mel": 5}), seed=0)
    assert {lesion: parts.pop() for lesion, parts in parts_by_lesion(split).items()} == {
        **dict.fromkeys(("mel1", "mel4", "nv1", "nv2", "nv4"), "train"),
        **dict.fromkeys(("mel2", "nv0"), "validation"),
        **dict.fromkeys(("mel0", "mel3", "nv3", "nv5"), "test"),
    }


def test_a_lesion_with_photos_of_different_labels_stays_together() -> None:
    records = [Record(f"{n}", Path(), "mixed", label) for n, label in enumerate(["nv", "mel", "mel"])]
    records += [Record(f"n{n}", Path(), f"n{n}", "nv") for n in range(20)]
    split = split_dataset(dataset_of(records))
    # It counts as "mel": the first of its kind, so it trains.
    assert parts_by_lesion(split)["mixed"] == {"train"}
    assert Counter(record.label for record in split.records("train"))["mel"] == 2


def test_other_fractions(dataset: Dataset) -> None:
    split = split_dataset(dataset, {"train": 0.8, "validation": 0.2, "test": 0.0})
    assert split.photos()["test"] == 0
    assert abs(split.photos()["train"] / len(dataset.records) - 0.8) < 0.01
    assert sorted([*split.indices("train"), *split.indices("validation")]) == list(range(len(dataset.records)))
    for wrong in ({"train": 0.5, "validation": 0.2, "test": 0.2}, {"train": 0, "validation": 0.5, "test": 0.5}):
        with pytest.raises(UsageError, match="is not a split"):
            split_dataset(dataset, wrong)


def test_written_and_read_back(dataset: Dataset, tmp_path: Path) -> None:
    split = split_dataset(dataset, seed=9)
    write_split(split, tmp_path / "split.csv")
    lines = (tmp_path / "split.csv").read_text().splitlines()
    assert lines[0] == "photo_id,lesion_id,label,part"
    assert lines[1] == f"{dataset.records[0].photo_id},{dataset.records[0].lesion_id},nv,{split.parts[0]}"
    assert read_split(tmp_path / "split.csv", dataset).parts == split.parts


def test_a_users_split_needs_only_photo_and_part(tmp_path: Path) -> None:
    dataset = dataset_of([Record(name, Path(), name[0], "nv") for name in ("a1", "a2", "b1")])
    path = tmp_path / "mine.csv"
    path.write_text("photo_id,part\na1,Train\na2,train\nb1,val\nleft-out,test\n")
    assert read_split(path, dataset).parts == ("train", "train", "validation")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a1,train\na2,test\nb1,val", "the lesion a has photos in train and in test"),
        ("a1,train\nb1,val", "names no part for 1 of 3 photos, e.g. a2"),
        ("a1,train\na2,learn\nb1,val", "'learn' is no part"),
        ("a1,train\na1,test\na2,train\nb1,val", "the photo a1 is in two parts"),
    ],
)
def test_a_split_that_cannot_be_used_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    dataset = dataset_of([Record(name, Path(), name[0], "nv") for name in ("a1", "a2", "b1")])
    (tmp_path / "mine.csv").write_text(f"photo_id,part\n{rows}\n")
    with pytest.raises(DataError, match=message):
        read_split(tmp_path / "mine.csv", dataset)


def test_the_drawn_sample_splits_with_every_class_in_every_part(sample_folder: Path) -> None:
    dataset = read_dataset(sample_folder, HAM7)
    split = split_dataset(dataset)
    for part in PARTS:
        assert {record.label for record in split.records(part)} == set(HAM7.spec.ids)
    moved = replace(dataset, records=tuple(reversed(dataset.records)))
    assert parts_by_lesion(split_dataset(moved)) == parts_by_lesion(split)
