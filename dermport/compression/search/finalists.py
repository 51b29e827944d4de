"""Finalists: candidates trained on all photos, as bundles like any other, and scored once on the test part.

Nothing before this reads a test photo, and nothing is chosen by what is found here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.atomic import write_json
from dermport.bundle.notice import NOTICE
from dermport.bundle.parity import in_bundle_order
from dermport.bundle.store import Bundle, Export
from dermport.compression.pipeline import CompressionRequest, compress, split_of
from dermport.compression.recipe import CompressionRecipe
from dermport.compression.search.builder import exported
from dermport.compression.search.candidate import MeasuredCandidate
from dermport.compression.search.search import Search
from dermport.compression.search.space import original_structure, trained
from dermport.contract import Contract
from dermport.exporters.registry import get_target
from dermport.exporters.verify import run
from dermport.progress import Progress
from dermport.statistics.bootstrap import paired_intervals
from dermport.statistics.estimates import Delta
from dermport.training.data.splits import Split
from dermport.training.parts import PartPhotos

FOLDER = "finalists"
_TOLD = ("balanced_accuracy", "accuracy")


class Finalist(Contract):
    """A candidate that was finished.

    `bundle` is its folder; that of a start where the candidate is the start as it was. `test` holds the artifact's
    figures on the test part beside those of the parent's float32 export, with a paired bootstrap interval by lesion.
    """

    number: int
    name: str
    bundle: str
    export: str
    artifact_bytes: int
    size_ratio: float
    epochs: int
    photos: int
    agreement: float
    test: dict[str, Delta]


@dataclass(frozen=True)
class FinalEvaluation:
    """The test part, and what the parent's float32 export answers there.

    Attributes:
        split: All photos, parted as the parent's were.
        search: The search that is over.
        answers: The base's probabilities, float32 [N, C].
    """

    split: Split
    search: Search
    answers: NDArray[np.float32]

    @classmethod
    def of(cls, search: Search, progress: Progress) -> FinalEvaluation:
        """Read the test photos, and ask the base about them."""
        request, parent = search.request, search.starts[0].bundle
        split = split_of(parent, request.data, jobs=request.jobs or None, progress=progress)
        base = search.evaluator.builder.make(original_structure(search.starts[0])).export(search.evaluator.base_export)
        photos = _test(split, parent, search, progress)
        return cls(split, search, _answers(base, photos, parent, search.request.threads))

    def score(self, bundle: Bundle, export: Export, progress: Progress) -> tuple[float, dict[str, Delta]]:
        """Return an artifact's agreement with the base, and its figures beside the base's."""
        parent = self.search.starts[0].bundle
        photos = _test(self.split, bundle, self.search, progress)
        answers = _answers(export, photos, parent, self.search.request.threads)
        deltas = paired_intervals(
            self.answers,
            answers,
            photos.targets,
            tuple(record.lesion_id for record in photos.records),
            positive=parent.manifest.task.positive_indices,
            threshold=parent.manifest.threshold,
        )
        agreement = float(np.mean(answers.argmax(axis=1) == self.answers.argmax(axis=1)))
        return agreement, {name: deltas[name] for name in _TOLD}


def train_finalists(
    search: Search, chosen: Sequence[MeasuredCandidate], *, epochs: int, progress: Progress
) -> tuple[Finalist, ...]:
    """Train candidates on all training photos, write their bundles, and score their artifacts on the test part.

    What was found is written to ``finalists.json``. A bundle that is there already is taken as it is, and a training
    that was killed goes on where it was.

    Args:
        search: The search that found them.
        chosen: The candidates.
        epochs: Of training; the weights of the quick training are not used.
        progress: What a person sees.
    """
    bundles = [_bundle(search, one, epochs, progress) for one in chosen]
    evaluation = FinalEvaluation.of(search, progress)
    finalists = [
        _scored(evaluation, one, bundle, epochs, progress) for one, bundle in zip(chosen, bundles, strict=True)
    ]
    documents = [one.model_dump(mode="json") for one in finalists]
    write_json(search.request.out / "finalists.json", {"notice": NOTICE, "finalists": documents})
    return tuple(finalists)


def _bundle(search: Search, one: MeasuredCandidate, epochs: int, progress: Progress) -> Bundle:
    structure, request = one.candidate.structure, search.request
    space = search.space
    start = next(start for start in search.starts if start.name == structure.start)
    if structure == original_structure(start):
        return start.bundle
    folder = request.out / FOLDER / structure.name
    if folder.exists():
        return Bundle.open(folder)
    recipe = CompressionRecipe(
        name="search",
        summary=f"No. {one.number} of a search over {len(search.study.measured)} candidates: {one.candidate.name}",
        size=structure.size,
        step=(*space.changes(structure), trained(space.finish, epochs, search.starts[0].bundle.path)),
    )
    return compress(
        CompressionRequest(
            parent=start.bundle.path,
            recipe=recipe,
            data=request.data,
            out=folder,
            name=structure.name[:64],
            seed=request.seed,
            jobs=request.jobs or None,
            command=request.command,
        ),
        progress,
    )


def _scored(
    evaluation: FinalEvaluation, one: MeasuredCandidate, bundle: Bundle, epochs: int, progress: Progress
) -> Finalist:
    search = evaluation.search
    untouched = any(bundle is start.bundle for start in search.starts)
    # A start is never written to: its copy is exported.
    home = search.evaluator.builder.make(one.candidate.structure).bundle if untouched else bundle
    export = exported(home, one.export)
    agreement, test = evaluation.score(home, export, progress)
    return Finalist(
        number=one.number,
        name=one.candidate.name,
        bundle=str(bundle.path),
        export=one.export,
        artifact_bytes=export.record.artifact_bytes,
        size_ratio=round(export.record.artifact_bytes / search.evaluator.base.artifact_bytes, 5),
        epochs=0 if untouched else epochs,
        photos=len(evaluation.answers),
        agreement=agreement,
        test=test,
    )


def _test(split: Split, bundle: Bundle, search: Search, progress: Progress) -> PartPhotos:
    return PartPhotos(split, "test", bundle.manifest.preprocessing, search.request.jobs or None, progress)


def _answers(export: Export, photos: PartPhotos, parent: Bundle, threads: int) -> NDArray[np.float32]:
    execution = get_target(export.record.target).execution(export.path, threads)
    with execution.runtime as runtime:
        return in_bundle_order(run(runtime, photos.tensors), runtime.labels, parent.manifest.task.ids)
