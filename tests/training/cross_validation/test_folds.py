"""Which fold tests which photo: by group, stratified, written down, and refused where it was changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dermport.errors import BundleError, DataError, IntegrityError, UsageError
from dermport.training.cross_validation.folds import HELD_OUT, Folds, draw_folds, read_folds, write_folds
from dermport.training.cross_validation.plan import TABLE, open_plan, read_plan
from dermport.training.cross_validation.request import CrossValidationRequest
from dermport.training.data.dataset import Dataset, fingerprint
from dermport.training.data.records import Record
from dermport.training.data.report import build_report
from dermport.training.data.splits import PARTS, read_split, write_split
from dermport.training.data.tasks import load_task
from dermport.training.recipe import TrainingRecipe
from dermport.training.request import TrainingRequest

LESIONS = 240


def made(lesions: int = LESIONS) -> Dataset:
    """Lesions of one to three photos, two labels in ten to one; lesions 0 and 1 are near-duplicates of each other."""
    task = load_task("ham7")
    records = tuple(
        Record(f"photo-{lesion:03d}-{view}", Path("none"), f"lesion-{lesion:03d}", "mel" if lesion % 10 == 3 else "nv")
        for lesion in range(lesions)
        for view in range(1 + lesion % 3)
    )
    report = build_report("made", "made", task, records, (), links=())
    joins = (("lesion-000", "lesion-001"),)
    return Dataset("made", task, records, report, fingerprint(records), (), joins)


def drawn(dataset: Dataset, **options: float) -> Folds:
    return draw_folds(dataset, 5, **{"held_out": 0.1, "validation": 0.2, "seed": 3, **options})  # type: ignore[arg-type]


def test_a_group_is_in_one_fold_and_every_fold_has_each_labels_share() -> None:
    dataset = made()
    folds = drawn(dataset)
    of_group: dict[str, set[int]] = {}
    for group, fold in zip(dataset.groups(), folds.of_photo, strict=True):
        of_group.setdefault(group, set()).add(int(fold))
    assert all(len(found) == 1 for found in of_group.values())
    assert set(folds.of_photo) == {HELD_OUT, 1, 2, 3, 4, 5}
    assert 0.07 < len(folds.held_out) / len(dataset.records) < 0.13
    share = np.array([record.label == "mel" for record in dataset.records])
    for fold in range(1, 6):
        assert abs(share[folds.of_photo == fold].mean() - share.mean()) < 0.05


def test_each_photo_is_tested_once_and_held_out_photos_have_no_part(tmp_path: Path) -> None:
    dataset = made()
    folds = drawn(dataset)
    tested: Counter[str] = Counter()
    for fold in range(1, 6):
        split = folds.split(fold)
        of_group: dict[str, set[str | None]] = {}
        for group, part in zip(dataset.groups(), split.parts, strict=True):
            of_group.setdefault(group, set()).add(part)
        assert all(len(found) == 1 for found in of_group.values())
        tested.update(record.photo_id for record in split.records("test"))
        counts = split.photos()
        assert 0.15 < counts["validation"] / (counts["train"] + counts["validation"]) < 0.25
        assert [index for index, part in enumerate(split.parts) if part is None] == folds.held_out.tolist()
        write_split(split, tmp_path / f"{fold}.csv")
        assert read_split(tmp_path / f"{fold}.csv", dataset).parts == split.parts
    seen = {record.photo_id for i, record in enumerate(dataset.records) if i not in set(folds.held_out.tolist())}
    assert dict(tested) == dict.fromkeys(seen, 1)
    assert set(PARTS) == set(folds.split(1).photos())


def test_the_seed_decides_and_the_table_keeps_it(tmp_path: Path) -> None:
    dataset = made()
    folds = drawn(dataset)
    assert np.array_equal(folds.of_photo, drawn(dataset).of_photo)
    assert not np.array_equal(folds.of_photo, drawn(dataset, seed=4).of_photo)
    write_folds(folds, tmp_path / TABLE)
    read = read_folds(tmp_path / TABLE, dataset, count=5, validation=0.2, seed=3)
    assert np.array_equal(read.of_photo, folds.of_photo)
    with pytest.raises(DataError, match="other photos"):
        read_folds(tmp_path / TABLE, made(LESIONS - 1), count=5, validation=0.2, seed=3)


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(DataError, match="too few for 5 folds"):
        drawn(made(5), held_out=0.0)


def asked(out: Path, **recipe: int) -> CrossValidationRequest:
    training = TrainingRequest(
        Path("photos"), out, "mine", "ham7", TrainingRecipe(weights="none", fine_tune="all", **recipe)
    )  # type: ignore[arg-type]
    return CrossValidationRequest(training, folds=3)


def test_a_plan_is_drawn_once_and_refuses_other_options_and_photos(tmp_path: Path) -> None:
    out, dataset = tmp_path / "cv", made()
    plan, folds = open_plan(asked(out), dataset)
    again, read = open_plan(asked(out), dataset)
    assert again == plan == read_plan(out)
    assert np.array_equal(read.of_photo, folds.of_photo)
    with pytest.raises(UsageError, match=r"another recipe.batch \(32 then, 16 now\)"):
        open_plan(asked(out, batch=16), dataset)
    with pytest.raises(UsageError, match=r"another folds \(3 then, 4 now\)"):
        open_plan(replace(asked(out), folds=4), dataset)
    with pytest.raises(UsageError, match="another dataset"):
        open_plan(asked(out), made(LESIONS - 1))
    kept = replace(asked(out), keep="median", by="accuracy")
    assert open_plan(kept, dataset)[0] == plan, "what is kept changes no fold"


def test_a_table_that_was_changed_is_refused(tmp_path: Path) -> None:
    open_plan(asked(tmp_path), made())
    table = tmp_path / TABLE
    table.write_text(table.read_text().replace(",1\n", ",2\n", 1))
    with pytest.raises(IntegrityError, match=r"folds\.csv is not the table"):
        open_plan(asked(tmp_path), made())


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds no cross-validation"):
        open_plan(asked(tmp_path), made())
    with pytest.raises(BundleError, match="not the plan"):
        read_plan(tmp_path)


@pytest.mark.parametrize(("option", "value"), [("folds", 1), ("held_out", 0.6), ("validation", 0.0), ("by", "beauty")])
def test_numbers_out_of_range_are_refused(option: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{option} cannot be meant"):
        replace(asked(tmp_path), **{option: value})


def test_an_answer_rate_is_part_of_the_plan_and_not_for_an_ensemble(tmp_path: Path) -> None:
    plain = asked(tmp_path / "cv")
    open_plan(plain, made())
    answering = replace(plain, training=replace(plain.training, answer_rate=0.95))
    with pytest.raises(UsageError, match="another answer_rate"):
        open_plan(answering, made())
    with pytest.raises(UsageError, match="no answer_rate"):
        replace(answering, keep="ensemble")
