"""A model against another: the paired figures, the tests, and what the other has seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermport.bundle.evaluation_report import ModelComparison, TrainingOverlap
from dermport.bundle.manifest import ModelRef
from dermport.errors import DataError
from dermport.statistics.bootstrap import Bootstrap, paired_intervals
from dermport.statistics.metrics import Predictions
from dermport.training.evaluation.model_comparison import compare_models, training_overlap

MODEL = ModelRef(name="other", version="1.0.0", model_sha256="0" * 64)
LESIONS = [str(index // 2) for index in range(300)]
TRUTH = (np.random.default_rng(0).random(150) < 0.4).repeat(2).astype(int)


def scored(skill: float, seed: int = 0) -> Predictions:
    score = 1 / (1 + np.exp(-np.random.default_rng(seed).normal(size=300) - skill * (TRUTH - 0.5)))
    return Predictions(np.stack([1 - score, score], axis=1), TRUTH, (1,), 0.5)


def compared(this: Predictions, other: Predictions) -> ModelComparison:
    return compare_models(
        this,
        other,
        LESIONS,
        model=MODEL,
        seen=TrainingOverlap(train=0, validation=0),
        bootstrap=Bootstrap(resamples=200),
    )


def test_a_better_model_is_better_by_every_test() -> None:
    this, other = scored(3.0), scored(1.0)
    found = compared(this, other)
    expected = paired_intervals(
        other.probabilities,
        this.probabilities,
        TRUTH,
        LESIONS,
        positive=(1,),
        threshold=0.5,
        bootstrap=Bootstrap(resamples=200),
    )
    for name, one in expected.items():
        got = found.figures[name]
        assert (got.other, got.this, got.change, got.low, got.high) == (
            one.original,
            one.artifact,
            one.change,
            one.low,
            one.high,
        )
    assert found.auc is not None
    assert found.auc.change == pytest.approx(found.figures["decision_roc_auc"].change)
    assert 0 < found.auc.low < found.auc.change < found.auc.high
    assert max(found.auc.p, found.top_class.p, found.decision.p) < 0.001
    right, wrong = this.predicted == TRUTH, other.predicted != TRUTH
    assert found.top_class.this_only == (right & wrong).sum()
    assert not found.overlaps


def test_a_model_does_not_differ_from_itself() -> None:
    found = compared(scored(1.0), scored(1.0))
    assert {(one.change, one.low, one.high) for one in found.figures.values()} == {(0.0, 0.0, 0.0)}
    assert found.auc is not None
    assert (found.auc.p, found.top_class.p, found.top_class.this_only) == (1, 1, 0)


def test_photos_and_other_photos_of_their_lesions_have_been_seen(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_text("photo_id,lesion_id,label,part\na,1,mel,train\nb,1,mel,train\nc,2,nv,validation\nd,3,nv,test\n")
    seen = training_overlap(path, ["a", "x", "c", "d", "y"], ["1", "1", "2", "3", "9"])
    assert (seen.train, seen.validation) == (2, 1), "x is another photo of a's lesion"
    path.write_text("photo_id,part\na,train\n")
    assert training_overlap(path, ["a", "b"], ["1", "1"]).train == 1
    path.write_text("nothing\n")
    with pytest.raises(DataError, match="no column"):
        training_overlap(path, ["a"], ["1"])
