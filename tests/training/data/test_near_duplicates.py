from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import tensor_of
from dermport.errors import DataError
from dermport.training.data.dataset import Dataset, read_dataset
from dermport.training.data.near_duplicates import DISTANCE, SIDE, find_links, joined_groups, perceptual_hash
from dermport.training.data.records import Record
from dermport.training.data.sources import open_dataset
from dermport.training.data.splits import read_split, split_dataset, write_split
from dermport.training.data.tasks import load_task
from tests.training.data.photos import drawn, save, write_csv

HAM7 = load_task("ham7")


def hash_of(image: Image.Image) -> str:
    return perceptual_hash(tensor_of(image.convert("RGB"), Preprocessing(size=SIDE)))


def differing(one: Image.Image, other: Image.Image) -> int:
    return (int(hash_of(one), 16) ^ int(hash_of(other), 16)).bit_count()


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.resize((60, 45)),
        lambda image: ImageEnhance.Brightness(image).enhance(0.8),
        lambda image: ImageEnhance.Color(image).enhance(0.5),
        lambda image: image.crop((0, 0, 119, 90)),
    ],
)
def test_the_same_picture_in_other_bytes_is_near(change: Callable[[Image.Image], Image.Image]) -> None:
    assert max(differing(drawn(seed), change(drawn(seed))) for seed in range(5)) <= DISTANCE


def test_other_pictures_are_far() -> None:
    assert min(differing(drawn(seed), drawn(seed + 1)) for seed in range(20)) > 2 * DISTANCE


def test_links_are_all_pairs_within_the_bound_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    bits = random.integers(0, 2, (40, 256), np.uint8)
    bits[7] = bits[31]
    bits[20] = bits[31]
    bits[20, :DISTANCE] ^= 1
    bits[7, 100] ^= 1
    hashes = [np.packbits(one).tobytes().hex() for one in bits]
    monkeypatch.setattr("dermport.training.data.near_duplicates._CELLS", 200)  # several blocks
    links = {(link.first, link.second, link.distance) for link in find_links(hashes)}
    assert links == {(7, 31, 1), (20, 31, DISTANCE)}  # 7 and 20 differ in one bit too many
    assert find_links([]) == ()


def test_groups_are_joined_over_several_pairs_and_over_groups_that_have_no_photo_left() -> None:
    groups = ("d", "a", "c", "b", "e", "d")
    assert joined_groups(groups, [("d", "c"), ("b", "c")]) == ("b", "a", "b", "b", "e", "b")
    assert joined_groups(groups, [("d", "A gone"), ("e", "A gone")]) == ("d", "a", "c", "b", "d", "d")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty photos of forty lesions; of the first twelve there is a darker copy under another name."""
    root = tmp_path_factory.mktemp("near")
    for seed in range(40):
        save(root / ("mel" if seed % 2 else "nv") / f"{seed:02d}.jpg", drawn(seed))
    for seed in range(12):
        save(
            root / ("mel" if seed % 2 else "nv") / f"{seed:02d}-copy.jpg",
            ImageEnhance.Brightness(drawn(seed)).enhance(0.9),
            60,
        )
    return root


def apart(dataset: Dataset, seed: int) -> int:
    """How many copies are in another part than their original."""
    split = split_dataset(dataset, seed=seed)
    part = dict(zip((record.photo_id for record in dataset.records), split.parts, strict=True))
    return sum(part[name] != part[name.replace("-copy", "")] for name in part if "-copy" in name)


def test_near_duplicates_are_kept_in_one_part_where_a_split_is_drawn(folder: Path) -> None:
    plain, joined = read_dataset(folder, HAM7), read_dataset(folder, HAM7, near_duplicates=True)
    assert sum(apart(plain, seed) for seed in range(5)) > 0
    assert sum(apart(joined, seed) for seed in range(5)) == 0
    assert len(set(joined.groups())) == 40
    assert len(joined.report.near_duplicates) == 12
    assert "kept in one part: 12 pairs" in joined.report.to_text()
    assert joined.fingerprint == plain.fingerprint
    assert plain.links == ()


def test_a_link_moves_no_photo_but_those_it_joins(folder: Path) -> None:
    plain, joined = read_dataset(folder, HAM7), read_dataset(folder, HAM7, near_duplicates=True)
    before, after = split_dataset(plain, seed=3), split_dataset(joined, seed=3)
    moved = [
        record.photo_id
        for record, one, other in zip(plain.records, before.parts, after.parts, strict=True)
        if one != other
    ]
    linked = {name for pair in joined.report.near_duplicates for name in pair}
    assert moved
    assert set(moved) <= linked


def test_a_split_that_was_saved_before_is_read_back_as_it_is(folder: Path, tmp_path: Path) -> None:
    before = split_dataset(read_dataset(folder, HAM7), seed=3)
    write_split(before, tmp_path / "split.csv")
    assert read_split(tmp_path / "split.csv", read_dataset(folder, HAM7, near_duplicates=True)).parts == before.parts


def test_all_photos_of_a_patient_are_in_one_part(tmp_path: Path) -> None:
    for seed in range(30):
        save(tmp_path / "nv" / f"{seed:02d}.jpg", drawn(seed))
    dataset = read_dataset(open_dataset(tmp_path), HAM7)
    records = tuple(
        Record(one.photo_id, one.path, one.lesion_id, "nv", group_id=f"patient {index % 6}")
        for index, one in enumerate(dataset.records)
    )
    split = split_dataset(Dataset("made-up", HAM7, records, dataset.report, dataset.fingerprint))
    parts = {(record.group, part) for record, part in zip(records, split.parts, strict=True)}
    assert len(parts) == 6
    assert len({part for _, part in parts}) == 3


def test_of_photos_that_cannot_be_read_no_hash_is_asked(tmp_path: Path) -> None:
    (tmp_path / "nv").mkdir()
    (tmp_path / "nv/broken.jpg").write_bytes(b"no photo")
    with pytest.raises(DataError, match="no photo can be used"):
        read_dataset(tmp_path, HAM7, near_duplicates=True)


def test_a_photo_that_is_listed_in_two_lesions_joins_them(tmp_path: Path) -> None:
    photo = save(tmp_path / "photos/0.jpg", drawn(0))
    (tmp_path / "photos/1.jpg").write_bytes(photo.read_bytes())
    for seed in range(2, 60):
        save(tmp_path / f"photos/{seed}.jpg", drawn(seed))
    # Lesion a has photos 0 and 2, lesion b the same photo 0 (as 1) and 3.
    lesions = {0: "a", 1: "b", 2: "a", 3: "b"}
    rows = [(f"photos/{n}.jpg", "nv", lesions.get(n, f"other {n}")) for n in range(60)]
    dataset = read_dataset(
        write_csv(tmp_path / "list.csv", [("path", "label", "lesion"), *rows]), HAM7, near_duplicates=True
    )
    assert dataset.joins == (("a", "b"),)
    for seed in range(6):
        split = split_dataset(dataset, seed=seed)
        ends = [one for one, record in zip(split.parts, dataset.records, strict=True) if record.group in {"a", "b"}]
        assert len(ends) == 3
        assert len(set(ends)) == 1
