from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.distillation import PREDICTIONS, BundlePair, compare, main, text_of, verdict
from dermport.bundle.manifest import Compression, ModelRef
from dermport.bundle.store import Bundle, file_entries, write_manifest
from dermport.errors import DataError, UsageError
from dermport.statistics.estimates import Delta
from dermport.statistics.paired import mcnemar_exact
from tests.factories import LABELS


def _child(bundle: Bundle, path: Path, wrong: int, parent: str = "0", photos: int = 200) -> Bundle:
    """Write a bundle that answers `wrong` of its test photos wrongly, the first ones."""
    (path / "evaluation").mkdir(parents=True)
    with (path / PREDICTIONS).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["photo_id", "lesion_id", "truth", *(f"p_{label}" for label in LABELS)])
        for i in np.random.default_rng(wrong).permutation(photos):
            top = i + 1 if i < wrong else i
            answers = [0.7 if c == top % 4 else 0.1 for c in range(4)]
            writer.writerow([f"photo-{i:03d}", f"lesion-{i // 2}", LABELS[i % 4], *answers])
    for name in ("model.keras", "split.csv"):
        (path / name).write_bytes(bundle.file(name).read_bytes())
    origin = ModelRef(name="parent", version="1.0.0", model_sha256=parent * 64)
    made = Compression(parent=origin, recipe=path.name, summary="drawn", steps=())
    write_manifest(
        path, bundle.manifest.model_copy(update={"files": file_entries(path), "name": path.name, "compression": made})
    )
    return Bundle.open(path)


def test_fewer_errors_are_better_by_paired_test(shared_bundle: Bundle, tmp_path: Path) -> None:
    taught, alone = _child(shared_bundle, tmp_path / "taught", 10), _child(shared_bundle, tmp_path / "alone", 40)
    document = compare([BundlePair.of(taught, alone)], resamples=300)
    assert document["pairs"][0]["mcnemar"] == {
        "only_first_right": 30,
        "only_second_right": 0,
        "p": mcnemar_exact(30, 0),
    }
    accuracy = document["changes"]["accuracy"]
    assert (accuracy["original"], accuracy["artifact"], accuracy["verdict"]) == (0.8, 0.95, "better")
    assert document["changes"]["nll"]["verdict"] == "better"
    assert "Balanced accuracy" in text_of(document)
    assert document["lesions"] == 100
    assert compare([BundlePair.of(alone, taught)], resamples=300)["changes"]["accuracy"]["verdict"] == "worse"


def test_a_few_photos_show_no_difference(
    shared_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, wrong in (("taught", 19), ("alone", 20)):
        _child(shared_bundle, tmp_path / name, wrong)
    monkeypatch.setattr(
        sys,
        "argv",
        ["distillation", *(str(tmp_path / name) for name in ("taught", "alone")), "--out", str(tmp_path / "o")],
    )
    assert main() == 1
    assert "McNemar's exact p 1" in capsys.readouterr().out
    assert json.loads((tmp_path / "o").read_text())["changes"]["accuracy"]["verdict"] == "no difference shown"


def test_accuracy_needs_both_tests() -> None:
    delta = Delta(original=0.8, artifact=0.9, change=0.1, low=0.01, high=0.2)
    assert [verdict("accuracy", delta, p) for p in (0.04, 0.06, None)] == ["better", "no difference shown", "better"]
    assert [verdict(name, delta, 1.0) for name in ("ece", "decision_brier", "macro_f1")] == ["worse", "worse", "better"]


def test_strangers_are_refused(shared_bundle: Bundle, tmp_path: Path) -> None:
    first = _child(shared_bundle, tmp_path / "first", 10)
    with pytest.raises(UsageError, match="two children of one parent"):
        BundlePair.of(first, _child(shared_bundle, tmp_path / "other", 10, parent="1"))
    with pytest.raises(UsageError, match="has no parent"):
        BundlePair.of(first, shared_bundle)
    with pytest.raises(DataError, match="different photos"):
        BundlePair.of(first, _child(shared_bundle, tmp_path / "fewer", 10, photos=100))


def test_several_pairs_are_judged_by_their_means(shared_bundle: Bundle, tmp_path: Path) -> None:
    """What one pair cannot show, two can; photos that only one pair was tested on count in neither."""

    def pair(name: str, wrong: tuple[int, int], photos: int = 200) -> BundlePair:
        made = (_child(shared_bundle, tmp_path / f"{name}-{n}", n, photos=photos, parent=name) for n in wrong)
        return BundlePair.of(*made)

    ours = pair("1", (12, 16)), pair("2", (20, 26), photos=240)
    document = compare(ours, resamples=300)
    accuracy = document["changes"]["accuracy"]
    assert (document["photos"], document["lesions"]) == (200, 100)
    assert (accuracy["original"], accuracy["artifact"]) == (pytest.approx(1 - 21 / 200), pytest.approx(1 - 16 / 200))
    common = set(ours[0].ours.photos)
    singly = [compare([one.only(common)], resamples=300)["changes"]["accuracy"]["change"] for one in ours]
    assert accuracy["change"] == pytest.approx(np.mean(singly))
    assert [one["mcnemar"]["only_first_right"] for one in document["pairs"]] == [4, 6]
    assert "means over 2 pairs" in text_of(document)


def test_what_is_no_pair_is_refused(
    shared_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _child(shared_bundle, tmp_path / "one", 10)
    monkeypatch.setattr(sys, "argv", ["distillation", str(tmp_path / "one")])
    assert main() == 2
    assert "1 bundles are no pairs" in capsys.readouterr().err
