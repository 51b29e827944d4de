from __future__ import annotations

import keras
import numpy as np
import pytest

from dermport.compression.distillation.student import Student
from dermport.compression.network import network_of
from dermport.compression.step import StepContext
from dermport.errors import DataError, UsageError
from dermport.training.model.network import build_network
from dermport.training.recipe import TrainingRecipe

pytestmark = pytest.mark.usefixtures("shallow")


def _network(alpha: float, context: StepContext) -> keras.Model:
    recipe = TrainingRecipe(weights="none", alpha=alpha, size=64, fine_tune="all", dropout=0.3)
    return build_network(recipe, context.classes)


def _shapes(network: keras.Model) -> dict[str, list[tuple[int, ...]]]:
    return {layer.name: [w.shape for w in layer.get_weights()] for layer in network.layers if layer.weights}


def test_a_student_of_the_parent_has_the_widths_of_its_alpha_and_the_parents_weights(context: StepContext) -> None:
    parent, fresh = _network(0.75, context), _network(0.5, context)
    layer = parent.get_layer("bn_Conv1")
    gamma, *others = layer.get_weights()
    layer.set_weights([np.arange(len(gamma)) + 1, *others])
    outcome = Student(alpha=0.5, importance="bn-scale", rounds=1, photos=16).run(parent, context)
    assert _shapes(outcome.network) == _shapes(fresh)
    assert outcome.alpha == 0.5
    assert outcome.network.get_layer("dropout").rate == 0.3
    np.testing.assert_array_equal(outcome.network.get_layer("bn_Conv1").gamma, np.arange(9, 25))
    kernel, parents = (net.get_layer("Conv1").get_weights()[0] for net in (outcome.network, parent))
    np.testing.assert_array_equal(kernel, parents[..., 8:])
    assert outcome.figures["parameters_kept"] == outcome.network.count_params() / parent.count_params()


def test_a_student_cut_in_rounds_by_what_its_channels_are_worth_ends_at_the_widths_of_its_alpha(
    context: StepContext,
) -> None:
    said = [
        Student(alpha=0.35, rounds=rounds, photos=16).run(_network(0.5, context), context).network for rounds in (1, 2)
    ]
    assert _shapes(said[0]) == _shapes(said[1]) == _shapes(_network(0.35, context))
    photos = context.parts.test.tensors[:4].astype(np.float32)
    first, second = (one.predict_on_batch(photos) for one in said)
    assert np.isfinite(first).all()
    assert not np.allclose(first, second)


def test_a_student_of_the_parents_width_is_the_parent(context: StepContext) -> None:
    parent = network_of(context.parent)
    student = Student(alpha=0.35).run(parent, context).network
    photos = context.parts.test.tensors[:4].astype(np.float32)
    np.testing.assert_allclose(student.predict_on_batch(photos), parent.predict_on_batch(photos), atol=1e-5)


def test_a_student_wider_than_its_parent_is_refused(context: StepContext) -> None:
    with pytest.raises(UsageError, match="channels after"):
        Student(alpha=0.75).run(network_of(context.parent), context)


def test_a_fresh_student_takes_the_networks_input_and_is_the_same_each_time(context: StepContext) -> None:
    network = network_of(context.parent, size=96)
    first, second = (Student(alpha=0.75, weights="none").run(network, context).network for _ in range(2))
    assert first.input.shape[1] == 96
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_that_do_not_exist_are_refused(context: StepContext) -> None:
    with pytest.raises(DataError, match="does not exist"):
        Student(weights="nowhere.weights.h5").run(network_of(context.parent), context)
