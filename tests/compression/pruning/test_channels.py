"""Channel pruning: what is cut is what zeros would have been, names stay, targets are met, ports agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.bundle.store import Bundle
from dermport.compression.context import Context
from dermport.compression.network import network_of
from dermport.compression.pruning.compensation import compensate
from dermport.compression.pruning.importance import losses_without
from dermport.compression.pruning.prune_channels import PruneChannels
from dermport.compression.pruning.sample import Sample
from dermport.compression.pruning.selection import Kept, Target, choose
from dermport.compression.pruning.spaces import Space, spaces_of
from dermport.compression.pruning.surgery import narrowed
from dermport.errors import UsageError
from dermport.exporters.benchmark.macs import count_macs
from dermport.exporters.contract import Source
from dermport.exporters.targets.onnx import Onnx
from dermport.exporters.targets.tflite import TFLite
from dermport.training.model.cost import cost_of
from dermport.training.model.network import calibrated_model, predict


def every_second(spaces: tuple[Space, ...]) -> Kept:
    return {space.name: np.arange(0, space.width, 2) for space in spaces}


def silence(network: object, space: Space, gone: NDArray[np.int64]) -> None:
    """Let the readers of a space see nothing of some channels."""
    for name in space.readers:
        layer = network.get_layer(name)  # type: ignore[attr-defined]
        kernel, *bias = layer.get_weights()
        kernel[..., gone, :] = 0
        layer.set_weights([kernel, *bias])


@pytest.fixture
def photos(context: Context) -> NDArray[np.uint8]:
    return context.parts.train.tensors


def test_spaces_tie_a_residual_block_and_a_stream_together(shared_parent: Bundle) -> None:
    spaces = {space.name: space for space in spaces_of(network_of(shared_parent))}
    block, stream = spaces["block_4_expand"], spaces["block_3_project"]
    assert (block.writers, block.readers) == (("block_4_expand",), ("block_4_project",))
    assert block.carriers == ("block_4_expand_BN", "block_4_depthwise", "block_4_depthwise_BN")
    assert stream.writers == ("block_3_project", "block_4_project", "block_5_project")
    assert stream.readers == ("block_4_expand", "block_5_expand", "block_6_expand")
    assert stream.gates == ("block_3_project_BN", "block_4_project_BN", "block_5_project_BN")
    assert not stream.hidden
    assert spaces["Conv1"].readers == ("expanded_conv_project",)
    assert spaces["Conv_1"].readers == ("classifier",)
    assert "classifier" not in spaces


def test_the_narrowed_network_answers_as_the_whole_one_with_those_channels_silent(
    shared_parent: Bundle, photos: NDArray[np.uint8]
) -> None:
    whole = network_of(shared_parent)
    spaces = tuple(space for space in spaces_of(whole) if space.hidden)
    smaller = narrowed(whole, spaces, every_second(spaces))
    for space in spaces:
        silence(whole, space, np.arange(1, space.width, 2))
    np.testing.assert_allclose(predict(smaller, photos), predict(whole, photos), atol=2e-4)
    assert [layer.name for layer in smaller.layers] == [layer.name for layer in whole.layers]
    halved = [one.get_layer("block_3_depthwise").output.shape[-1] for one in (smaller, whole)]
    assert halved[0] == halved[1] // 2
    assert all(layer.trainable for layer in smaller.layers)


def test_streams_are_cut_through_all_their_additions(shared_parent: Bundle, photos: NDArray[np.uint8]) -> None:
    whole = network_of(shared_parent)
    [stream] = [space for space in spaces_of(whole) if space.name == "block_6_project"]
    smaller = narrowed(whole, [stream], every_second((stream,)))
    silence(whole, stream, np.arange(1, stream.width, 2))
    np.testing.assert_allclose(predict(smaller, photos), predict(whole, photos), atol=2e-4)


@pytest.mark.parametrize(("macs", "parameters"), [(0.5, 1.0), (1.0, 0.5), (0.6, 0.4)])
def test_targets_are_met_closely_in_multiples_of_eight(shared_parent: Bundle, macs: float, parameters: float) -> None:
    network = network_of(shared_parent)
    spaces = [space for space in spaces_of(network) if space.hidden]
    worth = {space.name: np.random.default_rng(7).random(space.width) for space in spaces}
    kept = choose(network, spaces, worth, Target(macs, parameters, multiple=8, minimum=8))
    smaller = narrowed(network, spaces, kept)
    cost, before = cost_of(smaller), cost_of(network)
    shares = cost.macs / before.macs - macs, cost.parameters / before.parameters - parameters
    assert max(shares) <= 0
    assert max(shares) > -0.02
    assert all(len(kept[s.name]) % 8 == 0 and len(kept[s.name]) >= 8 for s in spaces if len(kept[s.name]) < s.width)
    best = np.sort(np.argsort(-worth["Conv_1"])[: len(kept["Conv_1"])])
    np.testing.assert_array_equal(kept["Conv_1"], best)


def test_a_target_out_of_reach_is_refused(shared_parent: Bundle) -> None:
    network = network_of(shared_parent)
    spaces = [space for space in spaces_of(network) if space.hidden]
    worth = {space.name: np.ones(space.width) for space in spaces}
    with pytest.raises(UsageError, match="no layer narrower than 32"):
        choose(network, spaces, worth, Target(macs=0.1, minimum=32))


def test_a_channel_that_nothing_reads_is_worth_nothing(shared_parent: Bundle, context: Context) -> None:
    network = network_of(shared_parent)
    spaces = spaces_of(network)
    [block] = [space for space in spaces if space.name == "block_5_expand"]
    targets = context.targets()
    some = np.arange(24)
    sample = Sample(context.parts.train.tensors[some], targets.encoded(some), np.ones(len(some), np.float32))
    worth = losses_without(network, spaces, sample)
    best = np.argsort(worth["block_5_expand"])[-2:]
    assert (worth["block_5_expand"][best] > 0).all()
    silence(network, block, best)
    again = losses_without(network, spaces, sample)
    assert (again["block_5_expand"][best] == 0).all()
    assert again["block_6_project"].max() > 0


def test_compensation_makes_up_for_a_channel_that_others_repeat(
    shared_parent: Bundle, photos: NDArray[np.uint8]
) -> None:
    """The classifier reads channel 0 twice as channel 1: leaving out 1, its weights have to move to 0."""
    network = network_of(shared_parent)
    trunk = network.get_layer("Conv_1_bn")
    values = [value.copy() for value in trunk.get_weights()]
    kernel = network.get_layer("Conv_1").get_weights()[0]
    kernel[..., 1] = kernel[..., 0]
    network.get_layer("Conv_1").set_weights([kernel])
    for value in values:
        value[1] = value[0]
    trunk.set_weights(values)
    wanted = predict(network, photos)
    [space] = [space for space in spaces_of(network) if space.name == "Conv_1"]
    kept = {"Conv_1": np.delete(np.arange(space.width), 1)}
    without = np.abs(predict(narrowed(network, [space], kept), photos) - wanted).max()
    compensate(network, [space], kept, photos)
    assert np.abs(predict(narrowed(network, [space], kept), photos) - wanted).max() < without / 5


def test_the_step_tells_what_it_did_and_its_network_exports(context: Context, tmp_path: Path) -> None:
    step = PruneChannels(macs=0.6, multiple=8, minimum=8, photos=40)
    outcome = step.run(network_of(context.parent), context)
    assert 0.58 < outcome.figures["macs_share"] <= 0.6
    assert outcome.figures["parameters_after"] == outcome.network.count_params()
    assert outcome.figures["macs_before"] == count_macs(context.parent.file("model.keras"))
    assert 0 <= outcome.figures["agreement_before_training"] <= 1
    assert "block_16" in outcome.notes[0]
    model = calibrated_model(outcome.network, 1.0)
    model.save(tmp_path / "model.keras")
    assert outcome.figures["macs_after"] == count_macs(tmp_path / "model.keras")
    tensors = context.parts.validation.tensors
    source = Source(model, context.parent.manifest, "0" * 64, lambda: tensors)
    for target in (Onnx(), TFLite()):
        target.convert(source, (target.capabilities.recipe("fp32"),), {"fp32": tmp_path})
        with target.execution(tmp_path).runtime as runtime:
            np.testing.assert_allclose(runtime.predict(tensors), predict(model, tensors), atol=1e-4)


def test_a_step_that_would_remove_nothing_is_refused(context: Context) -> None:
    with pytest.raises(UsageError, match="removes nothing"):
        PruneChannels().run(network_of(context.parent), context)
