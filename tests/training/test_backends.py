"""The same code trains on Keras' other backends, where they are installed."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

_CODE = """
import sys
from contextlib import nullcontext
from pathlib import Path
import numpy as np
from dermport.training.features import FeatureCache, PhotoSource
from dermport.training.model.network import calibrated_model
from dermport.training.model.network import build_network, predict, trunk_of
from dermport.training.phases.loop import Targets, TrainingLoop
from dermport.training.phases.recipes import all_phase, head_phase
from dermport.training.recipe import TrainingRecipe

class Quiet:
    say = staticmethod(lambda text: None)
    bar = staticmethod(lambda what: nullcontext(lambda done, total: None))

folder = Path(sys.argv[1])
photos = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
truth = np.arange(16) % 7
recipe = TrainingRecipe("none", alpha=0.35, size=32, fine_tune="all", fine_tune_epochs=1, batch=8)
network = build_network(recipe, 7)
cache = FeatureCache(folder, trunk_of(network), 0)
views = [cache.view(PhotoSource({}, 16, lambda: photos), view, lambda: Quiet.bar("")) for view in (0, 1)]
loop = TrainingLoop(folder, Targets(truth, truth, np.ones(7, np.float32)), 8, 0, 0, Quiet)
before = predict(network, photos)
loop.run(head_phase(network, recipe.__class__("x", alpha=0.35, size=32, epochs=2, batch=8), views, views[0]))
(epoch,) = loop.run(all_phase(network, recipe, photos, photos))
assert np.isfinite(epoch.loss) and np.isfinite(epoch.val_loss), epoch
assert np.abs(predict(network, photos) - before).max() > 1e-5
calibrated_model(network, 1.5).save(folder / "model.keras")
"""


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_it_trains_on_another_backend(backend: str, tmp_path: Path) -> None:
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _CODE, str(tmp_path)],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.keras").is_file()
