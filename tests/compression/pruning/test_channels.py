"""Channel pruning: what is cut is what zeros would have been, names stay, targets are met, ports agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.bundle.macs import count_macs
from dermport.bundle.store import Bundle
from dermport.compression.network import network_of
from dermport.compression.pruning.channel_groups import ChannelGroup, channel_groups
from dermport.compression.pruning.importance import PruningSample, losses_without
from dermport.compression.pruning.prune_channels import PruneChannels
from dermport.compression.pruning.selection import KeptChannels, PruningTarget, choose
from dermport.compression.pruning.surgery import compensate, narrowed
from dermport.compression.step import StepContext
from dermport.errors import UsageError
from dermport.exporters.contract import Source
from dermport.exporters.targets.onnx import Onnx
from dermport.exporters.targets.tflite import TFLite
from dermport.training.model.cost import cost_of
from dermport.training.model.network import calibrated_model, predict

pytestmark = pytest.mark.usefixtures("shallow")


def every_second(groups: tuple[ChannelGroup, ...]) -> KeptChannels:
    return {group.name: np.arange(0, group.width, 2) for group in groups}


def silence(network: object, group: ChannelGroup, gone: NDArray[np.int64]) -> None:
    """Let the readers of a group see nothing of some channels."""
    for name in group.readers:
        layer = network.get_layer(name)  # type: ignore[attr-defined]
        kernel, *bias = layer.get_weights()
        kernel[..., gone, :] = 0
        layer.set_weights([kernel, *bias])


@pytest.fixture
def photos(context: StepContext) -> NDArray[np.uint8]:
    return context.parts.train.tensors


def test_spaces_tie_a_residual_block_and_a_stream_together(shared_parent: Bundle) -> None:
    groups = {group.name: group for group in channel_groups(network_of(shared_parent))}
    block, stream = groups["block_4_expand"], groups["block_3_project"]
    assert (block.writers, block.readers) == (("block_4_expand",), ("block_4_project",))
    assert block.carriers == ("block_4_expand_BN", "block_4_depthwise", "block_4_depthwise_BN")
    assert stream.writers == ("block_3_project", "block_4_project", "block_5_project")
    assert stream.readers == ("block_4_expand", "block_5_expand", "block_6_expand")
    assert stream.gates == ("block_3_project_BN", "block_4_project_BN", "block_5_project_BN")
    assert not stream.hidden
    assert groups["Conv1"].readers == ("expanded_conv_project",)
    assert groups["Conv_1"].readers == ("classifier",)
    assert "classifier" not in groups


def test_the_narrowed_network_answers_as_the_whole_one_with_those_channels_silent(
    shared_parent: Bundle, photos: NDArray[np.uint8]
) -> None:
    whole = network_of(shared_parent)
    groups = tuple(group for group in channel_groups(whole) if group.hidden)
    smaller = narrowed(whole, groups, every_second(groups))
    for group in groups:
        silence(whole, group, np.arange(1, group.width, 2))
    np.testing.assert_allclose(predict(smaller, photos), predict(whole, photos), atol=2e-4)
    assert [layer.name for layer in smaller.layers] == [layer.name for layer in whole.layers]
    halved = [one.get_layer("block_3_depthwise").output.shape[-1] for one in (smaller, whole)]
    assert halved[0] == halved[1] // 2
    assert all(layer.trainable for layer in smaller.layers)


def test_streams_are_cut_through_all_their_additions(shared_parent: Bundle, photos: NDArray[np.uint8]) -> None:
    whole = network_of(shared_parent)
    [stream] = [group for group in channel_groups(whole) if group.name == "block_3_project"]
    smaller = narrowed(whole, [stream], every_second((stream,)))
    silence(whole, stream, np.arange(1, stream.width, 2))
    np.testing.assert_allclose(predict(smaller, photos), predict(whole, photos), atol=2e-4)


@pytest.mark.parametrize(("macs", "parameters"), [(0.5, 1.0), (1.0, 0.5), (0.6, 0.4)])
def test_targets_are_met_closely_in_multiples_of_eight(shared_parent: Bundle, macs: float, parameters: float) -> None:
    network = network_of(shared_parent)
    groups = [group for group in channel_groups(network) if group.hidden]
    worth = {group.name: np.random.default_rng(7).random(group.width) for group in groups}
    kept = choose(network, groups, worth, PruningTarget(macs, parameters, multiple=8, minimum=8))
    smaller = narrowed(network, groups, kept)
    cost, before = cost_of(smaller), cost_of(network)
    shares = cost.macs / before.macs - macs, cost.parameters / before.parameters - parameters
    assert max(shares) <= 0
    assert max(shares) > -0.02
    assert all(len(kept[s.name]) % 8 == 0 and len(kept[s.name]) >= 8 for s in groups if len(kept[s.name]) < s.width)
    best = np.sort(np.argsort(-worth["Conv_1"])[: len(kept["Conv_1"])])
    np.testing.assert_array_equal(kept["Conv_1"], best)


def test_a_target_out_of_reach_is_refused(shared_parent: Bundle) -> None:
    network = network_of(shared_parent)
    groups = [group for group in channel_groups(network) if group.hidden]
    worth = {group.name: np.ones(group.width) for group in groups}
    with pytest.raises(UsageError, match="no layer narrower than 32"):
        choose(network, groups, worth, PruningTarget(macs=0.1, minimum=32))


def test_a_channel_that_nothing_reads_is_worth_nothing(shared_parent: Bundle, context: StepContext) -> None:
    network = network_of(shared_parent)
    groups = channel_groups(network)
    [block] = [group for group in groups if group.name == "block_5_expand"]
    targets = context.targets()
    some = np.arange(24)
    sample = PruningSample(context.parts.train.tensors[some], targets.encoded(some), np.ones(len(some), np.float32))
    worth = losses_without(network, groups, sample)
    best = np.argsort(worth["block_5_expand"])[-2:]
    assert (worth["block_5_expand"][best] > 0).all()
    silence(network, block, best)
    again = losses_without(network, groups, sample)
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
    [group] = [group for group in channel_groups(network) if group.name == "Conv_1"]
    kept = {"Conv_1": np.delete(np.arange(group.width), 1)}
    without = np.abs(predict(narrowed(network, [group], kept), photos) - wanted).max()
    compensate(network, [group], kept, photos)
    assert np.abs(predict(narrowed(network, [group], kept), photos) - wanted).max() < without / 5


def test_the_step_tells_what_it_did_and_its_network_exports(context: StepContext, tmp_path: Path) -> None:
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


def test_a_step_that_would_remove_nothing_is_refused(context: StepContext) -> None:
    with pytest.raises(UsageError, match="removes nothing"):
        PruneChannels().run(network_of(context.parent), context)
