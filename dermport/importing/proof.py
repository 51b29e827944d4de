"""The original against the bundle's ``model.keras``, each in its own framework, on the same photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ModelError
from dermport.importing.original import Original
from dermport.importing.rebuild.network import RebuiltNetwork
from dermport.importing.scaling import PixelScaling
from dermport.runtimes.onnxruntime import open_session
from dermport.statistics.estimates import Share, share_of

BOUND = 1e-4
_DIFFERS = 1e-3  # of a layer's own range: float32 sums in another order stay far below


@dataclass(frozen=True)
class ProvenChange:
    """How far ``model.keras`` is from the original.

    Attributes:
        photos: How many were compared.
        max_change: Largest |change| of a probability.
        mean_change: Mean |change| of a probability.
        agreement: Photos with the same first label.
    """

    photos: int
    max_change: float
    mean_change: float
    agreement: Share


def compare_answers(original: NDArray[np.floating], ours: NDArray[np.floating]) -> ProvenChange:
    """Compare probabilities, [N, classes] each."""
    change = np.nan_to_num(np.abs(original - ours), nan=1.0)
    same = int((original.argmax(axis=1) == ours.argmax(axis=1)).sum())
    return ProvenChange(len(ours), float(change.max()), float(change.mean()), share_of(same, len(ours)))


def first_difference(
    original: Original, rebuilt: RebuiltNetwork, scaling: PixelScaling, photo: NDArray[np.uint8]
) -> str:
    """Return the first layer whose values are not those of the original's ONNX graph, in words.

    Args:
        original: The original.
        rebuilt: Its graph as Keras.
        scaling: What both take.
        photo: Prepared, uint8 [1, S, S, 3].
    """
    import keras

    image = scaling.apply(photo)
    names = [name for name, value in rebuilt.values.items() if not value.order][1:]
    theirs = _onnx_values(original, names, original.arranged(image))
    ours = keras.Model(rebuilt.model.input, [rebuilt.values[name].tensor for name in names]).predict_on_batch(image)
    for name, mine in zip(names, ours, strict=True):
        value = rebuilt.values[name]
        if name in theirs and not _alike(value.spread(theirs[name]), mine):
            return f"The first layer that differs is {value.tensor._keras_history.operation.name} (ONNX: {name})."
    return "No layer differs from its ONNX graph: the conversion to ONNX itself changes the answers."


def _alike(theirs: NDArray[np.float32], mine: NDArray[np.float32]) -> bool:
    scale = max(1e-6, float(np.abs(theirs).max()))
    return theirs.shape == mine.shape and bool(np.abs(theirs - mine).max() <= _DIFFERS * scale)


def _onnx_values(original: Original, names: list[str], image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Return values inside the original's graph, one photo, by name; those that are there under that name."""
    from onnx import ValueInfoProto

    model = type(original.onnx()).FromString(original.onnx().SerializeToString())
    written = {name for node in model.graph.node for name in node.output}
    kept = [name for name in names if name in written]
    model.graph.output.extend(ValueInfoProto(name=name) for name in kept)
    session = open_session(model.SerializeToString())
    return dict(zip(kept, session.run(kept, {session.get_inputs()[0].name: image}), strict=True))


def check_proof(proven: ProvenChange, where: str) -> None:
    """Refuse a model that does not answer as the original.

    Raises:
        ModelError: A probability changes by more than 1e-4; the message says which layer differs first.
    """
    if proven.max_change > BOUND:
        raise ModelError(
            f"The rebuilt model does not answer as the original: a probability changes by {proven.max_change:.2g}, "
            f"more than {BOUND:g}, on {proven.photos} photos. {where}",
            remedy="Nothing was written. File an issue that names the layer.",
        )
