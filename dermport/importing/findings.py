"""What was found out about a model, and how: nothing is asked that can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.model_origin import FoundFact
from dermport.errors import ModelError
from dermport.importing.front import NetworkHead, head_of_input
from dermport.importing.original import Original, OriginalHints
from dermport.importing.probe import PHOTOS, decided, probe
from dermport.importing.request import ImportRequest
from dermport.importing.scaling import RAW, SCALINGS, PixelScaling, named_scaling

if TYPE_CHECKING:
    import keras

_SIZES = (32, 1024)
_WIDE = (0.5, 12.0)  # what a network is fed spans about 1 to 5, whichever scaling it was trained with
_MEANS = (60.0, 180.0)  # of photos, in levels of 0..255


def find_size(request: ImportRequest, original: Original, hints: OriginalHints) -> tuple[int, FoundFact]:
    """Return the side of the input, and how it was found.

    Raises:
        ModelError: Nothing says it, or it is out of range.
    """
    fixed = original.shape[1] if original.layout == "NHWC" else original.shape[2]
    if fixed is not None:
        if request.size not in (None, fixed):
            raise ModelError(
                f"{original.path} takes {fixed} pixels, and no others.", remedy="Leave {size} out.", of=ImportRequest
            )
        size, how, words = fixed, "graph", f"{fixed} pixels, its input's"
    elif request.size is not None:
        size, how, words = request.size, "asked", f"{request.size} pixels, as asked"
    elif hints.size is not None:
        size, how, words = hints.size, "config", f"{hints.size} pixels, by {hints.source}"
    else:
        raise ModelError(
            f"{original.path} takes images of any size, and nothing says which it was trained with.",
            remedy="Say it: {size} 224.",
            of=ImportRequest,
        )
    if not _SIZES[0] <= size <= _SIZES[1]:
        raise ModelError(f"{original.path} takes {size} pixels; {_SIZES[0]} to {_SIZES[1]} can be prepared.")
    return size, FoundFact(of="size", how=how, words=words)


def find_scaling(
    request: ImportRequest, hints: OriginalHints, network: keras.Model, photos: Callable[[], NDArray[np.uint8] | None]
) -> tuple[PixelScaling, FoundFact]:
    """Return what the original takes, and how it was found: said, read from the graph or a file, or probed.

    Args:
        request: What is asked.
        hints: What the model says of itself.
        network: Of plain layers; takes what the original takes.
        photos: Gives some prepared photos, uint8 [N, S, S, 3]; None where there are no real ones.

    Raises:
        ModelError: It cannot be found out.
    """
    if request.scaling:
        scaling = named_scaling(request.scaling)
        return scaling, _scaling(scaling, "asked", "as asked")
    head = head_of_input(network)
    if found := of_head(head):
        return found, _scaling(found, "graph", f"the graph itself begins with {_affine_words(head)}")
    if hints.scaling is not None:
        return hints.scaling, _scaling(hints.scaling, "config", f"by {hints.source}")
    return _probed(network, photos())


def of_head(head: NetworkHead) -> PixelScaling | None:
    """Return what a network takes, by what it does to it first; None where that does not say it."""
    if not head.layers:
        return None
    low, high = _WIDE
    spans = np.abs(head.scale)
    if np.all((spans * 255 >= low) & (spans * 255 <= high)):
        return RAW
    if np.allclose(spans, 1) and np.all((-head.offset >= _MEANS[0]) & (-head.offset <= _MEANS[1])):
        return RAW
    return SCALINGS["0..1"] if np.all((spans >= low) & (spans <= high) & (np.abs(head.offset) <= high)) else None


def _affine_words(head: NetworkHead) -> str:
    scale, offset = (
        ", ".join(f"{value:.4g}" for value in dict.fromkeys(map(float, values))) for values in (head.scale, head.offset)
    )
    return f"x * ({scale}) + ({offset})"


def _probed(network: keras.Model, photos: NDArray[np.uint8] | None) -> tuple[PixelScaling, FoundFact]:
    scores = probe(network, photos[:PHOTOS]) if photos is not None else {}
    if name := decided(scores):
        _, second = list(scores)[:2]
        words = (
            f"batch normalisation reads what it stored (distance {scores[name]:.3g}; the next best, {second}, "
            f"{scores[second]:.3g}; {min(PHOTOS, len(photos if photos is not None else ()))} photos)"
        )
        return SCALINGS[name], _scaling(SCALINGS[name], "probe", words)
    why = "it has no batch normalisation to tell it by"
    if photos is None:
        why = "there are no photos to probe it with ({data})"
    elif scores:
        why = "the probe cannot decide: " + ", ".join(f"{name} {score:.3g}" for name, score in list(scores.items())[:4])
    raise ModelError(
        f"Nothing says what the model takes (0..255, 0..1, -1..1, ...), and {why}.",
        remedy=f"Say it: {{scaling}}, one of {', '.join(SCALINGS)}; or mean and standard deviation.",
        of=ImportRequest,
    )


def _scaling(scaling: PixelScaling, how: str, words: str) -> FoundFact:
    return FoundFact(of="scaling", how=how, words=f"{scaling.name}, {scaling.channels}: {words}")
