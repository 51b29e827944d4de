"""A small network that tells drawn photos apart, and what a step needs around it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dermport.compression.step import StepContext
from dermport.training.model.network import CLASSIFIER, build_network, trunk_of
from dermport.training.recipe import TrainingRecipe
from tests.compression.conftest import Said
from tests.drawn_network import draw_trunk, solve_classifier
from tests.factories import LABELS, SIZE, draw_set, tensors_of
from tests.shallow import shallow_networks


def part(tensors: np.ndarray, truth: np.ndarray) -> Any:
    """One part of a split, in memory."""
    return SimpleNamespace(tensors=tensors, records=tuple(truth), targets=truth, some_tensors=tensors.__getitem__)


@pytest.fixture(scope="session")
def drawn_parts() -> Any:
    drawn = [draw_set(per_label, seed) for per_label, seed in ((24, 0), (12, 500))]
    train, validation = (part(tensors_of(photos), truth) for photos, truth in drawn)
    return SimpleNamespace(train=train, validation=validation)


@pytest.fixture(scope="session")
def network(drawn_parts: Any) -> Any:
    """A shallow MobileNetV2 (alpha 0.35, 64 pixels) with the layers' names of `dermport train`; do not change it."""
    photos, truth = drawn_parts.train.tensors, drawn_parts.train.targets
    with shallow_networks():
        network = build_network(TrainingRecipe(weights="none", alpha=0.35, size=SIZE, fine_tune="all"), len(LABELS))
    draw_trunk(network, photos)
    _, pooled = trunk_of(network).predict_on_batch(photos.astype(np.float32))
    network.get_layer(CLASSIFIER).set_weights(solve_classifier(pooled, truth, len(LABELS)))
    return network


@pytest.fixture
def context(drawn_parts: Any, tmp_path: Path) -> StepContext:
    """What a step works with."""
    parent = SimpleNamespace(manifest=SimpleNamespace(task=SimpleNamespace(ids=LABELS)))
    return StepContext(parent, drawn_parts, tmp_path / "step", tmp_path / "cache", 0, Said())
