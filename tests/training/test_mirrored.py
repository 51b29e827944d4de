"""Two devices train as one does; in a process of its own, since devices are made before TensorFlow starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dermport.errors import UsageError
from dermport.training.phases.twin import check_device
from dermport.training.recipe import TrainingRecipe

_CODE = """
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
import sys

import keras
import numpy as np

from tests.training.test_twin import PHOTOS, PLAIN, _network
from dermport.training.phases.loop import Targets, TrainingLoop
from dermport.training.phases.mirrored import devices
from dermport.training.phases.recipes import all_phase
from dermport.training.phases.twin import trained_in_place_of

class Quiet:
    say = staticmethod(lambda text: None)
    bar = staticmethod(lambda what: nullcontext(lambda done, total: None))

def trained(distribute, folder, epochs):
    network = _network()
    recipe = replace(PLAIN, distribute=distribute, fine_tune_epochs=epochs)
    truth = np.arange(len(PHOTOS)) % 7
    targets = Targets(truth, truth, np.linspace(0.5, 2, 7, dtype=np.float32))
    loop = TrainingLoop(folder, targets, recipe.batch, 0, 0, Quiet)
    with trained_in_place_of(network, **recipe.computed) as model:
        step, seen = model.train_step, set()
        model.train_step = lambda batch: seen.add(batch[0].shape[0]) or step(batch)
        history = loop.run(all_phase(model, recipe, PHOTOS, PHOTOS))
        assert distribute == "none" or seen == {len(PHOTOS) // 2}, seen
    return network, history

assert len(devices()) == 2
folder = Path(sys.argv[1])
one, alone = trained("none", folder / "one", 2)
two, shared = trained("mirrored", folder / "two", 2)
for mine, theirs in zip(shared, alone, strict=True):
    np.testing.assert_allclose(mine.loss, theirs.loss, rtol=1e-3)
    np.testing.assert_allclose(mine.val_loss, theirs.val_loss, rtol=1e-3)
assert len({epoch.loss for epoch in shared}) == 2
for mine, theirs in zip(two.get_weights(), one.get_weights(), strict=True):
    np.testing.assert_allclose(mine, theirs, atol=5e-3)
assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(two.get_weights(), _network().get_weights()))
"""


def test_two_devices_train_as_one_does(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _CODE, str(tmp_path)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_what_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dermport.training.phases.mirrored.devices", lambda: ["GPU:0", "GPU:1", "GPU:2"])
    with pytest.raises(UsageError, match="32 photos cannot be shared evenly by 3"):
        check_device(TrainingRecipe("x", fine_tune="all", batch=32, distribute="mirrored"))
    with pytest.raises(UsageError, match="statistics alone"):
        check_device(TrainingRecipe("x", fine_tune="all", batch=33, distribute="mirrored", fused_norm=True))
