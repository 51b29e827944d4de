from __future__ import annotations

import pytest

from dermport.exporters.benchmark.published import COMPRESSION, NOT_FOUND, papers
from dermport.statistics.table_arithmetic import always_yes_f1, f1_score, implied_prevalence


def test_every_figure_names_its_source() -> None:
    for paper in papers().values():
        assert paper.values
        for value in paper.values:
            assert value.source
            assert value.value is not None or value.words
        assert paper.address.startswith("https://") or "not found" in paper.limits


def test_the_compression_paper_as_the_issue_cites_it() -> None:
    paper = papers()[COMPRESSION]
    quality = {one.metric: one.value for one in paper.of("quality")}
    assert quality == {"f1": 0.8718, "precision": 0.9318, "recall": 0.8191, "roc_auc": 0.8905, "accuracy": 0.8148}
    assert paper.says("size", "size_ratio", "smallest") == "0.41"


def test_f1_follows_from_precision_and_recall() -> None:
    quality = {one.metric: one.value or 0.0 for one in papers()[COMPRESSION].of("quality")}
    assert f1_score(quality["precision"], quality["recall"]) == pytest.approx(quality["f1"], abs=1e-4)


def test_what_we_did_not_find_is_called_so_and_never_guessed() -> None:
    paper = papers()[COMPRESSION]
    assert paper.says("size", "megabytes", "int8") == NOT_FOUND
    assert paper.find("speed", "p50_ms", "fp16") is None
    assert paper.says("speed", "latency_ratio", "int8") == "no lower-precision speed-up"


def test_the_prevalence_behind_three_figures() -> None:
    positives, negatives, hits, alarms = 300, 90, 240, 18
    accuracy = (hits + negatives - alarms) / (positives + negatives)
    share = implied_prevalence(hits / (hits + alarms), hits / positives, accuracy)
    assert share == pytest.approx(positives / (positives + negatives))
    assert always_yes_f1(share) == pytest.approx(2 * positives / (2 * positives + negatives))
