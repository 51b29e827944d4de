"""The evaluation folder as its readers meet it: JSON without NaN, exact CSV, charts, the model card."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dermport.bundle.evaluation_report import EvaluationReport, read_report
from dermport.bundle.manifest import Decision, Label, Manifest, TaskSpec
from dermport.bundle.notice import NOTICE
from dermport.bundle.photo_set import PhotoSet
from dermport.errors import BundleError
from dermport.statistics.bootstrap import Bootstrap
from dermport.statistics.subgroups import grouped
from dermport.training.evaluation.evaluation import Evaluation, evaluate
from dermport.training.evaluation.files import read_tuning, write_evaluation
from dermport.training.evaluation.model_card import read_licence, render_model_card
from dermport.training.evaluation.threshold import TuningSet

TASK = TaskSpec(
    name="cancer",
    labels=tuple(Label(id=one, name=f"Name of {one}") for one in ("Skin Cancer", "Other", "never seen")),
    positive=("Skin Cancer",),
)
CHARTS = tuple(
    f"{name}.png"
    for name in (
        "confusion",
        "roc",
        "precision_recall",
        "decision_curve",
        "reliability",
        "decision_reliability",
        "fairness",
    )
)


def score(classes: int = 2, temperature: float = 1.5) -> Evaluation:
    """Score drawn probabilities of photos that show the first `classes` classes only."""
    generator = np.random.default_rng(0)
    truth = np.arange(60) % classes
    probabilities = generator.dirichlet(np.ones(3), size=60).astype(np.float32)
    ids, lesions = [f"photo, {i}" for i in range(60)], [str(i // 2) for i in range(60)]
    people = [{"sex": "female" if i < 56 else "male", "age": "70"} for i in range(60)]
    photos = np.full((60, 8, 8, 3), 200, np.uint8)
    scored = PhotoSet("drawn", ids, part="test", truth=truth, groups=lesions)
    return evaluate(
        probabilities,
        scored,
        TASK,
        Decision(threshold=0.4, target_sensitivity=0.9),
        temperature=temperature,
        subgroups=tuple(grouped(people, photos)),
        tuning=TuningSet(ids, lesions, probabilities[:, 0].astype(np.float64), truth == 0),
        bootstrap=Bootstrap(resamples=40),
    )


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return score()


@pytest.fixture(scope="module")
def folder(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("evaluation") / "written"
    write_evaluation(path, evaluation, card="# A card\n")
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_folder_holds_exactly_what_is_promised(folder: Path) -> None:
    names = {"metrics.json", "predictions.csv", "per_class.csv", "validation.csv", "model_card.md", *CHARTS}
    assert {path.name for path in folder.iterdir()} == names
    assert (folder / "model_card.md").read_text() == "# A card\n"


def test_metrics_json_has_no_nan_and_reads_back(folder: Path, evaluation: Evaluation) -> None:
    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} in metrics.json")

    document = json.loads((folder / "metrics.json").read_text(), parse_constant=refuse)
    assert document["schema"] == "dermport-evaluation/1"
    assert document["notice"] == NOTICE
    assert document["classes"][2]["recall"] == {"value": None, "low": None, "high": None}
    report = read_report(folder / "metrics.json")
    assert report == evaluation.report
    assert report.absent == ("never seen",)


def test_the_metrics_of_earlier_versions_still_read(folder: Path, tmp_path: Path) -> None:
    document = json.loads((folder / "metrics.json").read_text())
    for added in ("threshold", "decision_curve", "fairness", "against"):
        del document[added]
    for added in ("decision_before", "decision_after"):
        del document["calibration"][added]
    for one in (document["decision"], *document["classes"]):
        del one["average_precision"]
    for added in ("decision_ece", "decision_adaptive_ece", "decision_brier", "adaptive_ece"):
        del document["figures"][added]
    (tmp_path / "metrics.json").write_text(json.dumps(document))
    report = read_report(tmp_path / "metrics.json")
    assert (report.threshold, report.fairness, report.calibration.decision_after) == (None, None, None)
    card = render_model_card(manifest_for(score()), report, {})
    assert "Groups of people" not in card
    assert "On everybody" not in card
    assert "None" not in card


def test_what_chose_the_threshold_reads_back_to_the_last_bit(
    folder: Path, evaluation: Evaluation, tmp_path: Path
) -> None:
    written, read = evaluation.tuning, read_tuning(folder / "validation.csv")
    assert written is not None
    assert (written.scores == read.scores).all()
    assert (written.positive == read.positive).all()
    assert (list(written.photo_ids), list(written.lesions)) == (read.photo_ids, read.lesions)
    (tmp_path / "validation.csv").write_text("photo_id,score\na,b\n")
    with pytest.raises(BundleError, match="is not a table of validation scores"):
        read_tuning(tmp_path / "validation.csv")


def test_another_document_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(BundleError, match="is not an evaluation"):
        read_report(tmp_path / "metrics.json")


def test_predictions_are_kept_to_the_last_bit(folder: Path, evaluation: Evaluation) -> None:
    table = rows(folder / "predictions.csv")
    kept = np.array([[float(row[f"p_{label}"]) for label in TASK.ids] for row in table], dtype=np.float32)
    assert (kept == evaluation.predictions.probabilities).all()
    assert [row["photo_id"] for row in table] == list(evaluation.photos.ids)
    assert [row["truth"] for row in table[:2]] == ["Skin Cancer", "Other"]
    for row in table:
        assert row["predicted"] == max(TASK.ids, key=lambda label: float(row[f"p_{label}"]))
        assert row["positive"] == str(int(float(row["score"]) >= 0.4))


def test_per_class_table(folder: Path, evaluation: Evaluation) -> None:
    cancer, _, absent = rows(folder / "per_class.csv")
    metric = evaluation.report.classes[0].precision
    assert (cancer["label"], cancer["photos"], cancer["lesions"]) == ("Skin Cancer", "30", "30")
    assert [float(cancer[f"precision{end}"]) for end in ("", "_low", "_high")] == [
        metric.value,
        metric.low,
        metric.high,
    ]
    assert (absent["recall"], absent["recall_low"]) == ("", "")


@pytest.mark.parametrize("name", CHARTS)
def test_charts_are_drawn(name: str, folder: Path) -> None:
    with Image.open(folder / name) as image:
        width, height = image.size
        colours = image.convert("RGB").resize((200, 200)).getcolors(40_000)
    assert width > 700
    assert height > 400
    assert len(colours) > 50  # not an empty page


def test_written_again_every_file_is_the_same(folder: Path, evaluation: Evaluation, tmp_path: Path) -> None:
    write_evaluation(tmp_path, evaluation)
    again = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert again == {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "model_card.md"}


def test_charts_of_a_single_class(tmp_path: Path) -> None:
    write_evaluation(tmp_path, score(classes=1))
    assert all((tmp_path / name).stat().st_size > 5000 for name in CHARTS)


def manifest_for(evaluation: Evaluation, **changes: Any) -> Manifest:
    report = evaluation.report
    counts = {"train": 30, "validation": 10, "test": 60}
    document: dict[str, Any] = {
        "name": "drawn-model",
        "version": "1.2.3",
        "task": TASK.model_dump(),
        "preprocessing": {"size": 96},
        "model": {"alpha": 0.35, "parameters": 1234567, "weights": "none"},
        "calibration": {"temperature": 1.5},
        "decision": {"threshold": 0.4, "target_sensitivity": 0.9},
        "dataset": {
            "name": "drawn",
            "reader": "folders",
            "fingerprint": "f" * 64,
            "photos": 100,
            "lesions": 50,
            "dropped": {"unreadable photo": 7},
            "split": {"file": "split.csv", "seed": 11, "photos": counts, "lesions": counts},
            **changes,
        },
        "metrics": evaluation.metrics("test").model_dump(),
        "provenance": {
            "created": "2026-01-01T00:00:00+00:00",
            "command": "dermport train --data drawn | tee log",
            "seed": 11,
            "git_commit": "c" * 40,
            "python": "3.11.9",
            "platform": "Linux",
            "packages": {"keras": "3.15.0"},
            "seconds": 90.0,
        },
        "files": [{"path": path, "size": 1, "sha256": "0" * 64} for path in ("model.keras", "split.csv")],
    }
    assert report.photos == 60
    return Manifest.model_validate(document)


def test_model_card_says_everything(evaluation: Evaluation) -> None:
    card = render_model_card(manifest_for(evaluation), evaluation.report, {"Optimiser": "Adam, 0.001"})
    headings = [line.removeprefix("## ") for line in card.splitlines() if line.startswith("## ")]
    assert headings == [
        "Model details",
        "Intended use",
        "Out-of-scope use",
        "Factors",
        "Metrics",
        "Data",
        "Training",
        "Quantitative analyses",
        "Limits and ethical considerations",
        "How to make it again",
    ]
    said = [NOTICE, "| Optimiser | Adam, 0.001 |", "f" * 64, "7 (unreadable photo)", "1,234,567 parameters"]
    said += [
        "| test | 60 | 60 |",
        "dermport train --data drawn | tee log",
        "c" * 40,
        "| keras | 3.15.0 |",
        "1.5 minutes",
    ]
    said += ["No photo shows never seen", "temperature 1.500", "p(Skin Cancer) ≥ 0.4", "Skin tone", "Not recorded. Ask"]
    assert [text for text in said if text not in card] == []
    assert "HAM10000" not in card
    accuracy = evaluation.report.figures["accuracy"]
    assert f"| Accuracy | {accuracy.value:.3f} ({accuracy.low:.3f}–{accuracy.high:.3f}) |" in card
    for row, one in zip(evaluation.report.confusion_matrix, evaluation.report.classes, strict=True):
        assert f"| `{one.id}` | {' | '.join(map(str, row))} |" in card


def test_model_card_tables_are_whole(evaluation: Evaluation) -> None:
    """Each table has as many cells in every row, and none is torn by an empty line."""
    card = render_model_card(manifest_for(evaluation), evaluation.report, {"Epochs": 50, "Batch": 32})
    blocks = [block.splitlines() for block in card.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 14
    for block in blocks:
        assert len({line.count("|") for line in block}) == 1, block
        assert set(block[1]) <= set("|-:")


def test_model_card_of_ham10000_names_its_population_and_licence(evaluation: Evaluation) -> None:
    card = render_model_card(manifest_for(evaluation, reader="ham10000"), evaluation.report, {})
    assert "Vienna" in card
    assert "CC BY-NC 4.0" in card


def test_the_licence_of_the_data_is_quoted(evaluation: Evaluation, tmp_path: Path) -> None:
    assert read_licence(tmp_path) == ""
    (tmp_path / "LICENSE.txt").write_text("CC0 1.0\nDrawn by a program.\n")
    (tmp_path / "photos.csv").touch()
    licence = read_licence(tmp_path / "photos.csv")
    assert licence == read_licence(tmp_path)
    card = render_model_card(manifest_for(evaluation, reader="ham10000"), evaluation.report, {}, licence)
    assert "> CC0 1.0\n> Drawn by a program.\n" in card
    assert "CC BY-NC" not in card


def test_report_refuses_nan(evaluation: Evaluation) -> None:
    document = evaluation.report.model_dump(by_alias=True)
    document["calibration"]["temperature"] = float("nan")
    with pytest.raises(ValueError, match="finite"):
        EvaluationReport.model_validate(document)


def test_many_classes_without_a_decision_have_abridged_tables_and_no_word_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dermport.statistics.metrics.MOST_SHOWN", 3)
    labels = tuple(Label(id=f"n{index:03}", name=f"Fruit {index}") for index in range(1000))
    generator = np.random.default_rng(0)
    truth = np.r_[np.repeat(np.arange(3), 20), np.arange(400, 440)]
    task = TaskSpec(name="fruit", labels=labels)
    photos = PhotoSet("drawn", [str(one) for one in range(100)], truth=truth, groups=[str(one) for one in range(100)])
    probabilities = generator.dirichlet(np.ones(1000), size=100).astype(np.float32)
    found = evaluate(probabilities, photos, task, None, temperature=1.0, bootstrap=Bootstrap(resamples=4))
    assert len(found.report.classes) == 1000
    assert found.report.figures["decision_sensitivity"].value is None
    write_evaluation(tmp_path, found)
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"confusion.png", "metrics.json", "per_class.csv", "precision_recall.png", "predictions.csv"} | {
        "reliability.png",
        "roc.png",
    }
    assert read_report(tmp_path / "metrics.json") == found.report
    known = manifest_for(score()).model_dump(mode="json", by_alias=True)
    labels_only = {"task": task.model_dump(), "decision": None, "calibration": None}
    for report in (found.report, None):
        card = render_model_card(Manifest.model_validate({**known, **labels_only}), report, {})
        assert "the 3 of 1,000 classes with the most photos" in card or report is None
        assert "| Decision | none: it names a label |" in card
        assert "threshold" not in card.lower().replace("threshold is", "")
        assert len(card.splitlines()) < 250
