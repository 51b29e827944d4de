from __future__ import annotations

import numpy as np
import pytest

from dermport.bundle.store import Bundle
from dermport.compression.network import network_of
from dermport.errors import UsageError
from dermport.training.model.network import CLASSIFIER, DROPOUT, POOL, calibrated_model, predict

pytestmark = pytest.mark.usefixtures("shallow")


def test_network_answers_as_the_bundle(shared_parent: Bundle) -> None:
    golden = shared_parent.golden()
    network = network_of(shared_parent)
    assert all(layer.trainable for layer in network.layers)
    again = predict(calibrated_model(network, 1.0), golden.tensors)
    np.testing.assert_allclose(again, golden.probabilities, atol=1e-6)
    assert [network.get_layer(name).name for name in (POOL, DROPOUT, CLASSIFIER)] == [POOL, DROPOUT, CLASSIFIER]


def test_network_of_another_size_has_the_same_weights(shared_parent: Bundle) -> None:
    same, larger = network_of(shared_parent), network_of(shared_parent, size=96)
    assert larger.input_shape == (None, 96, 96, 3)
    for ours, theirs in zip(same.get_weights(), larger.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_size_that_would_change_the_padding_is_refused(shared_parent: Bundle) -> None:
    with pytest.raises(UsageError, match="no multiple of 32"):
        network_of(shared_parent, size=80)


def test_a_nested_trunk_is_opened(shared_bundle: Bundle) -> None:
    network, golden = network_of(shared_bundle), shared_bundle.golden()
    assert not any(hasattr(layer, "layers") for layer in network.layers)
    again = predict(calibrated_model(network, 1.0), golden.tensors)
    np.testing.assert_allclose(again, golden.probabilities, atol=1e-6)
