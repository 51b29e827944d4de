"""What is asked of a model, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Decoding = Literal["exact", "draft"]
Form = Literal["photo", "prepared", "tensor"]


@dataclass(frozen=True)
class InferenceJob:
    """One photo to answer.

    Attributes:
        data: A JPEG or PNG; for form ``tensor``, the uint8 bytes of [S, S, 3] RGB.
        form: ``photo`` is decoded and resized; ``prepared`` is a PNG of exactly the model's input; ``tensor`` is that
            input itself.
        decoding: ``draft`` lets libjpeg decode at a fraction of the size, which is faster and not ``dermport-prep/1``.
        map_too: Whether the class activation map is wanted beside the probabilities.
    """

    data: bytes
    form: Form = "photo"
    decoding: Decoding = "exact"
    map_too: bool = False


@dataclass(frozen=True)
class InferenceResult:
    """The answer to a job.

    Attributes:
        probabilities: In the order of the model's labels.
        input_sha256: Of the prepared tensor.
        width: Stored width of the photo, pixels.
        height: Stored height of the photo, pixels.
        orientation: The EXIF orientation that was applied, 1..8.
        milliseconds: By stage: "wait" for a slot, "prepare", "infer".
        tensor: The prepared tensor, uint8 [S, S, 3].
        batch: How many photos the runtime answered in the same run.
        cells: The class activation map, float32 [h, w, C]; None where it was not asked for, or there is none.
        values: What the prepared tensor looks like (:func:`dermport.bundle.photo_quality.survey_input`); None where the
            bundle has no rule for it.
    """

    probabilities: tuple[float, ...]
    input_sha256: str
    width: int
    height: int
    orientation: int
    milliseconds: Mapping[str, float]
    tensor: NDArray[np.uint8]
    batch: int = 1
    cells: NDArray[np.float32] | None = None
    values: Mapping[str, float | None] | None = None
