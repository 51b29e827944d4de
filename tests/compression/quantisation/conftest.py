"""A small network that has learnt drawn photos, and what a step needs around it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dermport.compression.step import StepContext
from dermport.training.model.network import build_network
from dermport.training.recipe import TrainingRecipe
from tests.compression.conftest import Said
from tests.factories import LABELS, SIZE, draw_set, learn, tensors_of


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
    """MobileNetV2 (alpha 0.35, 64 pixels) with the layers' names of `dermport train`; do not change it."""
    import keras

    keras.utils.set_random_seed(0)
    network = build_network(TrainingRecipe(weights="none", alpha=0.35, size=SIZE, fine_tune="all"), len(LABELS))
    for layer in network.layers:
        if hasattr(layer, "momentum"):
            layer.momentum = 0.7  # the default forgets too slowly for two hundred steps
    learn(network, drawn_parts.train.tensors, drawn_parts.train.targets, from_logits=True)
    return network


@pytest.fixture
def context(drawn_parts: Any, tmp_path: Path) -> StepContext:
    """What a step works with."""
    parent = SimpleNamespace(manifest=SimpleNamespace(task=SimpleNamespace(ids=LABELS)))
    return StepContext(parent, drawn_parts, tmp_path / "step", tmp_path / "cache", 0, Said())
