"""Channel pruning: the network becomes narrower, so that every runtime computes less and every file holds less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dermport.compression.context import Context, Outcome
from dermport.compression.pruning.compensation import compensate
from dermport.compression.pruning.importance import Importance, worth_of
from dermport.compression.pruning.sample import Sample, draw_sample
from dermport.compression.pruning.selection import Kept, Target, choose
from dermport.compression.pruning.spaces import Space, spaces_of
from dermport.compression.pruning.statistics import recalibrate
from dermport.compression.pruning.surgery import narrowed
from dermport.compression.step import Step
from dermport.errors import UsageError
from dermport.training.model.cost import Cost, cost_of
from dermport.training.model.network import class_logits, predict

if TYPE_CHECKING:
    import keras

Share = Annotated[float, Field(gt=0, le=1)]


class PruneChannels(Step):
    """Remove whole channels of inverted residuals, of the first and the last convolution; no weight is trained.

    What stays takes over from what goes as far as it can (least squares), and batch normalisation is measured anew.
    Fine-tuning or distillation afterwards is a step of its own.
    """

    kind: Literal["prune-channels"] = "prune-channels"
    macs: Annotated[Share, Field(description="share to keep of the multiply-accumulates that the network has")] = 1.0
    parameters: Annotated[Share, Field(description="share to keep of the parameters that it has")] = 1.0
    importance: Importance = "taylor"
    multiple: Annotated[Literal[8, 16, 32], Field(description="16: what TensorRT's int8 kernels work in")] = 16
    minimum: Annotated[int, Field(ge=1, description="channels of the narrowest layer")] = 16
    stream: Annotated[bool, Field(description="whether what skip connections tie together is narrowed too")] = False
    rounds: Annotated[int, Field(ge=1, description="in how many goes; importance is measured anew before each")] = 1
    photos: Annotated[int, Field(ge=8, description="training photos that everything is measured on")] = 512
    compensate: Annotated[bool, Field(description="whether least squares corrects what reads narrowed layers")] = True

    def run(self, network: keras.Model, context: Context) -> Outcome:
        """Prune the network; see :class:`dermport.compression.step.Step`."""
        if self.macs == self.parameters == 1:
            raise UsageError("prune-channels removes nothing.", remedy="Set `macs` or `parameters`: the share to keep.")
        validation = context.parts.validation
        sample = draw_sample(context, self.photos)
        original, before = cost_of(network), _answers(network, validation.tensors)
        for number in range(1, self.rounds + 1):
            network = self._round(network, self._target(original, cost_of(network), number), sample)
        after = _answers(network, validation.tensors)
        figures = {
            **_costs(original, cost_of(network)),
            "agreement_before_training": float(np.mean(before == after)),
            "accuracy_before_training": float(np.mean(after == validation.targets)),
        }
        return Outcome(network, figures, notes=(widths_in_words(network),))

    def _round(self, network: keras.Model, target: Target, sample: Sample) -> keras.Model:
        spaces = [space for space in spaces_of(network) if space.hidden or self.stream]
        kept = choose(network, spaces, worth_of(self.importance, network, spaces, sample), target)
        return pruned(network, spaces, kept, sample.photos, with_compensation=self.compensate)

    def _target(self, original: Cost, now: Cost, number: int) -> Target:
        """Return what to keep in one round; each takes the same share of what the one before left."""
        macs = self.macs ** (number / self.rounds) * original.macs / now.macs
        parameters = self.parameters ** (number / self.rounds) * original.parameters / now.parameters
        return Target(macs, parameters, self.multiple, self.minimum)


def pruned(
    network: keras.Model,
    spaces: Sequence[Space],
    kept: Kept,
    photos: NDArray[np.uint8],
    *,
    with_compensation: bool = True,
) -> keras.Model:
    """Return the network with the kept channels alone, its readers compensated and its statistics measured anew.

    Args:
        network: Its readers' weights change.
        spaces: That are narrowed.
        kept: The channels that stay, by space.
        photos: Training photos, uint8 [N, S, S, 3].
        with_compensation: Whether least squares corrects what reads narrowed spaces.
    """
    if with_compensation:
        compensate(network, spaces, kept, photos)
    smaller = narrowed(network, spaces, kept)
    recalibrate(smaller, photos)
    return smaller


def _answers(network: keras.Model, photos: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.asarray(class_logits(predict(network, photos)).argmax(axis=1), dtype=np.int64)


def _costs(before: Cost, after: Cost) -> dict[str, float]:
    return {
        "macs_before": before.macs,
        "macs_after": after.macs,
        "macs_share": after.macs / before.macs,
        "parameters_before": before.parameters,
        "parameters_after": after.parameters,
        "parameters_share": after.parameters / before.parameters,
    }


def widths_in_words(network: keras.Model) -> str:
    """Return the widths that pruning may change, for people."""
    spaces = [space for space in spaces_of(network) if space.hidden]
    return "channels: " + ", ".join(f"{space.name.removesuffix('_expand')} {space.width}" for space in spaces)
