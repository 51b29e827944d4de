"""Spoilt photos, photos of something else, risk and coverage, and the bundle that gets a rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermport.bundle.manifest import Manifest, ModelRef, Preprocessing
from dermport.bundle.notice import NOTICE
from dermport.bundle.photo_set import PhotoSet
from dermport.bundle.robustness_report import RobustnessReport
from dermport.bundle.store import Bundle, file_entries, write_manifest
from dermport.errors import DataError, UsageError
from dermport.figures.robustness import draw_risk_coverage, draw_robustness
from dermport.statistics.bootstrap import Bootstrap
from dermport.training.abstained import write_abstaining
from dermport.training.evaluation.abstention import fit_abstention, survey_inputs
from dermport.training.robustness.corruptions import CORRUPTIONS, SEVERITIES, corrupted
from dermport.training.robustness.measure import Measurement, RobustnessFigures
from dermport.training.robustness.others import drawn_photos, other_photos
from dermport.training.robustness.report import to_markdown
from tests.factories import draw_set, manifest_of, tensors_of

SPEC = Preprocessing(size=64)
QUICK = Bootstrap(resamples=20)


@pytest.fixture(scope="module")
def photos() -> PhotoSet:
    drawn, truth = draw_set(6)
    lesions = tuple(f"lesion-{index}" for index in range(len(truth)))
    people = tuple({"sex": "female" if index % 2 else "male"} for index in range(len(truth)))
    tensors = tensors_of(drawn)
    return PhotoSet(
        "drawn", lesions, lambda spec, indices: tensors[indices], truth=truth, groups=lesions, metadata=people
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "model.keras").write_text("a model")
    (folder / "split.csv").write_text("photo_id\n")
    (folder / "evaluation").mkdir()
    (folder / "evaluation" / "model_card.md").write_text("# tiny\n\n## Caveats\n\nMany.\n")
    write_manifest(folder, manifest_of(folder, "tiny", 1))
    return Bundle.open(folder)


def reddish(tensors: np.ndarray) -> np.ndarray:
    """Four probabilities that follow the light of the middle."""
    middle = tensors[:, 24:40, 24:40].mean(axis=(1, 2, 3))
    logits = -np.abs(middle[:, None] - np.array([110, 170, 60, 120])) / 15
    raised = np.exp(logits)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def measured(manifest: Manifest, photos: PhotoSet) -> RobustnessFigures:
    measurement = Measurement(manifest, reddish, photos, bootstrap=QUICK)
    return measurement.over((1, 5), drawn_photos(SPEC, 0, count=6), lambda done, of: None)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_repeatable_and_grows(name: str, photos: PhotoSet) -> None:
    some = photos.tensors(SPEC)[:4]
    spoilt = [corrupted(some, name, severity, seed=1) for severity in SEVERITIES]
    assert all(one.shape == some.shape and one.dtype == np.uint8 for one in spoilt)
    assert np.array_equal(spoilt[2], corrupted(some, name, 3, seed=1))
    away = [np.abs(one.astype(int) - some).mean() for one in spoilt]
    assert away[-1] > away[0] > 0


def test_other_photos_are_read_by_folder(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    for path in (tmp_path / "cats" / "a.jpg", tmp_path / "b.png"):
        Image.new("RGB", (80, 60), (90, 120, 30)).save(path)
    groups = other_photos(tmp_path, SPEC)
    assert {name: tensors.shape for name, tensors in groups.items()} == {
        tmp_path.name: (1, 64, 64, 3),
        "cats": (1, 64, 64, 3),
    }
    (tmp_path / "c.jpg").write_bytes(b"no photo")
    with pytest.raises(DataError, match=r"c\.jpg"):
        other_photos(tmp_path, SPEC)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no"):
        other_photos(tmp_path / "empty", SPEC)


def test_without_a_rule_everything_is_answered(bundle: Bundle, photos: PhotoSet) -> None:
    found = measured(bundle.manifest, photos)
    assert [one.corruption for one in found.conditions][:3] == ["as they are", "noise", "noise"]
    assert all(one.answered is None for one in found.conditions)
    assert all(one.refused is None and one.auc_distance is None for one in found.others)


def test_a_rule_refuses_what_looks_otherwise(bundle: Bundle, photos: PhotoSet, tmp_path: Path) -> None:
    rule = fit_abstention(survey_inputs(photos.tensors(SPEC)), 0.9)
    manifest = bundle.manifest.model_copy(update={"abstention": rule})
    found = measured(manifest, photos)
    clean, dark = found.conditions[0], found.conditions[8]
    assert clean.answered
    assert clean.answered.count == np.ceil(0.9 * len(photos.truth))
    assert (dark.corruption, dark.severity) == ("under-exposure", 5)
    assert dark.answered
    assert dark.answered.count == 0
    assert dark.accuracy_answered is None
    assert all(one.refused and one.refused.count >= 5 for one in found.others)
    by_label = {one.group: one.answered for one in found.groups if one.kind == "label"}
    assert sum(one.count for one in by_label.values()) == clean.answered.count
    assert {one.of for one in by_label.values()} == {6}
    assert {one.group for one in found.groups if one.kind == "sex"} == {"female", "male"}
    _check_files(_report(manifest, found, photos), tmp_path)


def _report(manifest: Manifest, found: RobustnessFigures, photos: PhotoSet) -> RobustnessReport:
    return RobustnessReport(
        model=ModelRef(name=manifest.name, version=manifest.version, model_sha256="0" * 64),
        data="drawn",
        part="test",
        photos=len(photos.truth),
        lesions=len(photos.truth),
        seed=0,
        confidence=0.95,
        rule=manifest.abstention,
        conditions=found.conditions,
        groups=found.groups,
        others=found.others,
        aurc=found.aurc,
        coverage=found.coverage,
    )


def _check_files(report: RobustnessReport, folder: Path) -> None:
    text = to_markdown(report)
    assert NOTICE in text
    assert text.count("\n| under-exposure |") == 2
    assert "drawn: textures" in text
    draw_robustness(folder / "robustness.png", report)
    draw_risk_coverage(folder / "risk.png", report)
    assert all((folder / name).stat().st_size > 10_000 for name in ("robustness.png", "risk.png"))
    assert RobustnessReport.model_validate_json(report.model_dump_json(by_alias=True)) == report


def test_a_bundle_gets_a_rule_in_a_copy(bundle: Bundle, photos: PhotoSet, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in bundle.path.rglob("*") if path.is_file()}
    first = write_abstaining(bundle, fit_abstention(survey_inputs(photos.tensors(SPEC)), 0.9), tmp_path / "first")
    second = write_abstaining(first, fit_abstention(survey_inputs(photos.tensors(SPEC)), 0.5), tmp_path / "second")
    assert {path: path.read_bytes() for path in before} == before
    assert second.manifest.abstention
    assert second.manifest.abstention.answer_rate == 0.5
    assert second.model_sha256 == bundle.model_sha256
    assert {entry.path for entry in second.manifest.files} == {entry.path for entry in file_entries(bundle.path)} - {
        "bundle.json"
    }
    card = second.file("evaluation/model_card.md").read_text()
    assert card.count("## When it cannot tell") == 1
    assert "At least 50%" in card
    assert card.index("## Caveats") < card.index("## When")
    with pytest.raises(UsageError, match="exists already"):
        write_abstaining(bundle, second.manifest.abstention, tmp_path / "first")
