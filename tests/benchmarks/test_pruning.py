"""What the pruning benchmark says: a gain only where the whole interval shows one; zeros as the file holds them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.pruning import MeasuredFile, sparsity, verdicts
from dermport.bundle.benchmark_record import Ratio
from dermport.exporters.tflite.calibrate import Probe
from dermport.exporters.tflite.convert import float_model


def measured(to_parent: Ratio | None, zeros: float = 0.0) -> MeasuredFile:
    return MeasuredFile("child", "LiteRT", 100, 90, zeros, 10, 1.0, to_parent)


@pytest.mark.parametrize(
    ("ratio", "zeros", "said"),
    [
        (Ratio(value=0.6, low=0.55, high=0.65), 0.0, "faster, 0.60"),
        (Ratio(value=0.9, low=0.8, high=0.99), 0.0, "no gain in time, 0.90"),
        (Ratio(value=1.0, low=0.99, high=1.01), 0.8, "no gain in time for its 80% zeros"),
    ],
)
def test_a_gain_is_claimed_only_where_the_interval_shows_one(ratio: Ratio, zeros: float, said: str) -> None:
    [sentence] = verdicts([measured(None), measured(ratio, zeros)])
    assert said in sentence


def test_zeros_are_counted_and_their_encoding_keeps_the_answers(tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    wide = keras.layers.Conv2D(64, 1, name="wide")
    sparse = keras.layers.Conv2D(64, 1, name="sparse")
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(sparse(wide(image))))
    kernel, bias = sparse.get_weights()
    kernel[..., np.arange(64) % 10 > 0, :] = 0
    sparse.set_weights([kernel, bias + 0.1])
    wide.set_weights([wide.get_weights()[0], wide.get_weights()[1] + 0.1])
    plain, encoded = float_model(model), float_model(model, sparse=True)
    (tmp_path / "plain.tflite").write_bytes(plain)
    assert sparsity(tmp_path / "plain.tflite") == pytest.approx(57 * 64 / (64 * 64 + 3 * 64))
    assert len(encoded) < 0.6 * len(plain)
    photo = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), np.uint8)
    answers = []
    for data in (plain, encoded):
        probe = Probe(data)
        for _ in probe.run(photo):
            detail = probe._interpreter.get_output_details()[0]
            answers.append(probe._interpreter.get_tensor(detail["index"]))
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-6)
