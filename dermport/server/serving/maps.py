"""Class activation maps of the live model: whether it gives them, which are asked for, and how they are told."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.export_record import ExportRecord
from dermport.bundle.manifest import Manifest
from dermport.bundle.wire import ActivationMap, grids_of
from dermport.errors import RequestError
from dermport.figures.overlay import draw_overlay
from dermport.runtimes.base import ACTIVATION_MAP
from dermport.server.serving.jobs import InferenceResult
from dermport.server.serving.live import LiveModel

TOP, ALL = "top", "all"


def gives_map(record: ExportRecord) -> bool:
    """Whether an artifact has a class activation map as its second output."""
    return any(output.name == ACTIVATION_MAP for output in record.outputs)


def check_map(live: LiveModel, wanted: str, *, one: bool = False) -> None:
    """See that a map can be had, before anything is decoded.

    Args:
        live: What answers.
        wanted: ``top``, ``all``, or a label's id.
        one: Whether only one label's map will do.

    Raises:
        RequestError: 409: the artifact gives none; 422: there is no such label.
    """
    if not gives_map(live.export.record):
        raise _no_map()
    ids = live.bundle.manifest.task.ids
    known = (TOP, *([] if one else [ALL]), *ids)
    if wanted not in known:
        raise RequestError(
            f"There is no map of {wanted[:64]!r}.",
            code="no-such-label",
            status=422,
            remedy=f"Ask for one of: {', '.join(known)}. {TOP} is the likeliest label.",
        )


def map_of(done: InferenceResult, manifest: Manifest, wanted: str) -> ActivationMap:
    """Return the maps that were asked for, as the answer tells them: values to six significant digits."""
    cells = _cells(done)
    labels = manifest.task.ids if wanted == ALL else (_label(done, manifest, wanted),)
    places = [manifest.task.ids.index(label) for label in labels]
    return ActivationMap(grids=grids_of(cells[..., places], labels), shape=cells.shape[:2])


def overlay_png(done: InferenceResult, manifest: Manifest, wanted: str) -> bytes:
    """Return a PNG: the model's input, the same under the map of one label, a legend and the notice.

    Args:
        done: An answer with its map.
        manifest: The bundle's.
        wanted: ``top`` or a label's id.
    """
    cells, label = _cells(done), _label(done, manifest, wanted)
    place = manifest.task.ids.index(label)
    drawn = draw_overlay(done.tensor, cells[..., place], manifest.task.labels[place].name, done.probabilities[place])
    file = io.BytesIO()
    drawn.save(file, "PNG")
    return file.getvalue()


def _label(done: InferenceResult, manifest: Manifest, wanted: str) -> str:
    return manifest.task.ids[int(np.argmax(done.probabilities))] if wanted == TOP else wanted


def _cells(done: InferenceResult) -> NDArray[np.float32]:
    if done.cells is None:  # the record promises what the artifact does not give
        raise _no_map()
    return done.cells


def _no_map() -> RequestError:
    return RequestError(
        "The model that is served gives no class activation map.",
        code="no-activation-map",
        status=409,
        remedy="Export it with `dermport export BUNDLE --maps`, and start the server, or activate the model, again.",
    )
