"""The whole of an import: open, find out, rebuild, prove, and write the bundle."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.manifest import Preprocessing
from dermport.bundle.model_origin import FoundFact, ModelOrigin, OriginalInput, OriginProof
from dermport.bundle.store import Bundle
from dermport.importing.ending import NetworkEnding, cut_ending
from dermport.importing.findings import find_scaling, find_size
from dermport.importing.formats.registry import open_original
from dermport.importing.front import with_raw_input
from dermport.importing.labels import found_labels, refuse_positive, task_of, without_decision
from dermport.importing.original import Original, OriginalHints
from dermport.importing.photos import ImportPhotos, read_import_photos
from dermport.importing.proof import BOUND, ProvenChange, check_proof, compare_answers, first_difference
from dermport.importing.rebuild.graph import read_graph
from dermport.importing.rebuild.network import RebuiltNetwork, rebuild
from dermport.importing.request import ImportRequest
from dermport.importing.scaling import PixelScaling
from dermport.importing.write import ImportedModel, write_labelled, write_unlabelled
from dermport.progress import Progress
from dermport.training.data.tasks import Task
from dermport.training.model.network import calibrated_model, predict
from dermport.training.request import refuse_existing

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ImportedNetwork:
    """An original with what was found out of it.

    Attributes:
        original: As it came.
        hints: What it says of itself.
        size: Side of its input, pixels.
        network: What it does, of plain layers: float32 [N, S, S, 3] as the original takes it, to logits.
        ending: What stood behind the logits.
        rebuilt: Its graph in Keras; None where it was taken as it is.
        findings: How all this was found.
    """

    original: Original
    hints: OriginalHints
    size: int
    network: keras.Model
    ending: NetworkEnding
    rebuilt: RebuiltNetwork | None
    findings: tuple[FoundFact, ...]

    @property
    def preprocessing(self) -> Preprocessing:
        """What photos go through before it."""
        return Preprocessing(size=self.size)


def import_model(request: ImportRequest, progress: Progress) -> Bundle:
    """Make a bundle of a trained image classifier, proved against the original.

    Raises:
        UsageError: The bundle exists, or an option cannot be meant.
        ModelError: The model cannot be taken over, or the rebuilt one does not answer as it.
        DataError: The photos cannot be used.
    """
    refuse_existing(request.out, ImportRequest)
    started = time.perf_counter()
    model = open_network(request)
    labels, how, words = found_labels(request, model.hints, model.ending.classes)
    findings = [*model.findings]
    if how != "none":
        findings.append(FoundFact(of="labels", how=how, words=words))
    else:
        progress.say(f"labels: {words}".format(labels="--labels"))
    task = task_of(request, labels)
    with tempfile.TemporaryDirectory() as drawn:
        known = task if how != "none" else None
        photos = read_import_photos(request, known, Path(drawn), progress)
        if photos.split is None:
            refuse_positive(request)
        scaling, finding = find_scaling(request, model.hints, model.network, lambda: _some(photos, model.preprocessing))
        findings.insert(2, finding)
        for one in findings:
            progress.say(f"{one.of}: {one.words}")
        network = with_raw_input(model.network, scaling, model.size)
        proven = prove(model, scaling, network, photos, progress)
        origin = _origin(request, model, scaling, findings, proven)
        seconds = time.perf_counter() - started
        made = ImportedModel(origin, model.original.architecture, model.preprocessing, network, task.spec, seconds)
        return _written(request, made, task, photos, progress)


def open_network(request: ImportRequest) -> ImportedNetwork:
    """Open a model and return what it does, of plain layers.

    Raises:
        ModelError: It cannot be taken over.
    """
    original = open_original(request)
    hints = original.hints()
    size, by_size = find_size(request, original, hints)
    network, rebuilt = original.network(), None
    if network is None or network.input.shape[1] is None:
        rebuilt = rebuild(read_graph(original.onnx(), original.path.name), size)
        network = rebuilt.model
    logits, ending = cut_ending(network, original.path)
    findings = (
        by_size,
        FoundFact(of="layout", how="graph", words=f"{original.layout}, {_taken(rebuilt)}"),
        FoundFact(of="output", how="graph", words=ending.words),
    )
    return ImportedNetwork(original, hints, size, logits, ending, rebuilt, findings)


def _taken(rebuilt: RebuiltNetwork | None) -> str:
    return "taken as it is" if rebuilt is None else f"rebuilt of {sum(rebuilt.operators.values())} operators"


def _some(photos: ImportPhotos, preprocessing: Preprocessing) -> NDArray[np.uint8] | None:
    return None if photos.drawn else photos.photos.spread(64).tensors(preprocessing)


def prove(
    model: ImportedNetwork,
    scaling: PixelScaling,
    network: keras.Model,
    photos: ImportPhotos,
    progress: Progress,
) -> ProvenChange:
    """Compare the original with what the bundle will hold, uncalibrated, on all photos.

    Raises:
        ModelError: A probability changes by more than 1e-4.
    """
    ours, theirs, total = [], [], len(photos.photos)
    worst: tuple[float, NDArray[np.uint8] | None] = (-1.0, None)
    uncalibrated = calibrated_model(network, 1.0)
    with progress.bar("Comparing with the original") as update:
        for tensors in photos.batches(model.preprocessing):
            theirs.append(model.ending.probabilities(model.original.run(scaling.apply(tensors))))
            ours.append(predict(uncalibrated, tensors))
            change = np.abs(theirs[-1] - ours[-1]).max(axis=1)
            worst = max(worst, (float(change.max()), tensors[change.argmax()][None]), key=lambda pair: pair[0])
            update(sum(map(len, ours)), total)
    proven = compare_answers(np.concatenate(theirs), np.concatenate(ours))
    where = ""
    if proven.max_change > BOUND and model.rebuilt is not None and worst[1] is not None:
        where = first_difference(model.original, model.rebuilt, scaling, worst[1])
    check_proof(proven, where)
    progress.say(
        f"proof: a probability changes by {proven.max_change:.2g} at the most on {proven.photos:,} photos"
        f"{' drawn by dermport' * photos.drawn}; the first label is the same on {proven.agreement.count:,}"
    )
    return proven


def _origin(
    request: ImportRequest,
    model: ImportedNetwork,
    scaling: PixelScaling,
    findings: list[FoundFact],
    proven: ProvenChange,
) -> ModelOrigin:
    original, framework = model.original, model.original.framework
    return ModelOrigin(
        file=original.path.name,
        sha256=original.sha256,
        format=original.format,
        framework=framework.name,
        framework_version=framework.version,
        licence=request.licence or model.hints.licence or "unknown",
        input=OriginalInput(
            size=model.size,
            layout=original.layout,
            channels=scaling.channels,
            scaling=scaling.name,
            mean=scaling.mean,
            std=scaling.std,
        ),
        output=model.ending.kind,
        findings=tuple(findings),
        proof=OriginProof(
            photos=proven.photos,
            max_change=proven.max_change,
            mean_change=proven.mean_change,
            agreement=proven.agreement,
            bound=BOUND,
        ),
    )


def _written(
    request: ImportRequest, model: ImportedModel, task: Task, photos: ImportPhotos, progress: Progress
) -> Bundle:
    if photos.split is None:
        return write_unlabelled(request, replace(model, task=without_decision(task).spec), photos)
    return write_labelled(request, model, photos.parts(model.preprocessing, progress), progress)
