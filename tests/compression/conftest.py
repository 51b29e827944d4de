"""A bundle that `dermport train` wrote, of drawn photos: what compression starts from."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dermport.bundle.store import Bundle
from dermport.compression.pipeline import split_of
from dermport.compression.step import StepContext
from dermport.training.parts import PartPhotos, SplitPhotos
from dermport.training.sample.sample_set import draw_sample_set
from tests.conftest import made_once
from tests.drawn_network import save_trunk
from tests.factories import tensors_of
from tests.shallow import shallow_networks

SIZE = 64


@dataclass
class Said:
    """A progress that keeps what it is told."""

    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)

    def bar(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        self.lines.append(what)
        return nullcontext(lambda done, total: None)


@pytest.fixture(scope="session")
def drawn(shared_parent: Bundle) -> Path:
    """The photos that the parent was trained on; do not change them."""
    return shared_parent.path.parent / "photos"


@pytest.fixture(scope="session")
def shared_parent(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A shallow MobileNetV2 (alpha 0.35, 64 pixels) on 84 drawn photos, its head alone trained; do not change it."""

    def make(path: Path) -> None:
        from dermport.training.pipeline import train
        from dermport.training.recipe import TrainingRecipe
        from dermport.training.request import TrainingRequest

        folder, weights = path.parent / "photos", str(path.parent / "trunk.weights.h5")
        draw_sample_set(folder, photos=84, seed=5, size=(96, 72))
        save_trunk(Path(weights), tensors_of([photo.read_bytes() for photo in sorted(folder.rglob("*.jpg"))], SIZE))
        head = TrainingRecipe(weights, alpha=0.35, size=SIZE, batch=16, epochs=40, learning_rate=0.01, fine_tune="none")
        train(TrainingRequest(folder, path, "drawn", "ham7", head), Said())

    def make_shallow(path: Path) -> None:
        with shallow_networks():
            make(path)

    return made_once(tmp_path_factory, "parent", make_shallow)


@pytest.fixture
def context(shared_parent: Bundle, drawn: Path, tmp_path: Path) -> StepContext:
    """What a step works with, on the parent's own photos."""
    said = Said()
    split = split_of(shared_parent, drawn, jobs=None, progress=said)
    spec = shared_parent.manifest.preprocessing
    parts = SplitPhotos(*(PartPhotos(split, part, spec, None, said) for part in ("train", "validation", "test")))
    return StepContext(shared_parent, parts, tmp_path / "step", tmp_path / "cache", 0, said)
