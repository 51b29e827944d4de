"""Channel pruning: the network becomes narrower, so that every runtime computes less and every file holds less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dermport.compression.pruning.channel_groups import channel_groups
from dermport.compression.pruning.importance import Importance, PruningSample, draw_sample, importance_scores
from dermport.compression.pruning.selection import PruningTarget, choose
from dermport.compression.pruning.surgery import pruned
from dermport.compression.step import CompressionStep, StepContext, StepResult
from dermport.errors import UsageError
from dermport.training.model.cost import Cost, cost_of
from dermport.training.model.network import class_logits, predict

if TYPE_CHECKING:
    import keras

Share = Annotated[float, Field(gt=0, le=1)]


class PruneChannels(CompressionStep):
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

    def run(self, network: keras.Model, context: StepContext) -> StepResult:
        """Prune the network; see :class:`dermport.compression.step.CompressionStep`."""
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
        return StepResult(network, figures, notes=(widths_in_words(network),))

    def _round(self, network: keras.Model, target: PruningTarget, sample: PruningSample) -> keras.Model:
        groups = [group for group in channel_groups(network) if group.hidden or self.stream]
        if not groups:
            raise UsageError("No hidden channels of the network may go.", remedy="Set `stream`, if it has others.")
        kept = choose(network, groups, importance_scores(self.importance, network, groups, sample), target)
        return pruned(network, groups, kept, sample.photos, with_compensation=self.compensate)

    def _target(self, original: Cost, now: Cost, number: int) -> PruningTarget:
        """Return what to keep in one round; each takes the same share of what the one before left."""
        macs = self.macs ** (number / self.rounds) * original.macs / now.macs
        parameters = self.parameters ** (number / self.rounds) * original.parameters / now.parameters
        return PruningTarget(macs, parameters, self.multiple, self.minimum)


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
    groups = [group for group in channel_groups(network) if group.hidden]
    return "channels: " + ", ".join(f"{group.name.removesuffix('_expand')} {group.width}" for group in groups)
