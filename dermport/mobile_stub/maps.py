"""Class activation maps of both sides: their largest difference, and both drawn over the photo."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare
from dermport.errors import PhotoError
from dermport.figures.overlay import blended
from dermport.mobile_stub.prediction import Prediction, Side

_SIDE = 160  # pixels of a drawn photo


@dataclass(frozen=True)
class Overlays:
    """Both maps of one label over the photo, on one scale of colours.

    Attributes:
        label: The phone's label.
        phone: The phone's map over the photo, as a data URI.
        server: The Jetson's.
        low: The least value of both maps: the darkest colour.
        high: The largest value: the brightest.
    """

    label: str
    phone: str
    server: str
    low: float
    high: float


def map_change(phone: Side, server: Side) -> float | None:
    """Return the largest |difference| of a cell over all labels, in units of the logit.

    None where a side refused or gave no map, or where the two have other cells.
    """
    if not (isinstance(phone, Prediction) and isinstance(server, Prediction)):
        return None
    if phone.activation_map is None or server.activation_map is None:
        return None
    pairs = [
        (np.asarray(grid), np.asarray(server.activation_map.get(label, ())))
        for label, grid in phone.activation_map.items()
    ]
    if any(one.shape != other.shape for one, other in pairs):
        return None
    return max(float(np.abs(one - other).max()) for one, other in pairs)


def overlays(data: bytes, spec: Preprocessing, phone: Side, server: Side) -> Overlays | None:
    """Return both maps of the phone's label over the model's input; None where :func:`map_change` is.

    Args:
        data: The photo.
        spec: The bundle's preprocessing.
        phone: The phone's side.
        server: The Jetson's.
    """
    if map_change(phone, server) is None or not (isinstance(phone, Prediction) and isinstance(server, Prediction)):
        return None
    try:
        picture = Image.fromarray(prepare(data, spec).tensor).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    except PhotoError:
        return None
    label = phone.label
    ours, theirs = (np.asarray((side.activation_map or {})[label]) for side in (phone, server))
    low, high = float(min(ours.min(), theirs.min())), float(max(ours.max(), theirs.max()))
    phones, servers = (data_uri(blended(picture, grid, low, high)) for grid in (ours, theirs))
    return Overlays(label, phones, servers, low, high)


def data_uri(picture: Image.Image) -> str:
    """Return a picture as a JPEG in a data URI."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
