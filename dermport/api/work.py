"""What is done with photos and bundles: each function does what the command of its name does, by the same workflow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dermport.api.bundle import BundleLike, ExportList, OpenBundle, PathLike
from dermport.bundle.store import Bundle
from dermport.progress import SILENT, Printed, Progress

if TYPE_CHECKING:
    from flask_openapi3 import OpenAPI

    from dermport.bundle.benchmark_record import BenchmarkSettings
    from dermport.server.config import AccessConfig, ServingConfig
    from dermport.training.recipe import TrainingRecipe
    from dermport.workflows.benchmark import BenchmarkReport
    from dermport.workflows.evaluate import EvaluationResult
    from dermport.workflows.verify import Verification

Names = str | Sequence[str] | None
Watched = Progress | bool


def train(
    photos: PathLike,
    out: PathLike,
    *,
    recipe: TrainingRecipe | None = None,
    progress: Watched = SILENT,
    **options: Any,
) -> OpenBundle:
    """Train a model and write its bundle; a training that was stopped goes on where it was when asked again.

    Args:
        photos: HAM10000's layout, ISIC's, a folder per class, a CSV, or a TOML of several.
        out: The bundle's folder; must not exist.
        recipe: How to train; None for the published recipe, which needs ImageNet weights.
        progress: A :class:`dermport.Progress`, or True for lines on stderr.
        options: Other fields of :class:`dermport.TrainingRequest`, such as ``task="cancer"``.

    Raises:
        UsageError: A field is out of range, or the folder exists.
        DataError: The photos, the task or the weights cannot be used.
    """
    from dermport.training.pipeline import train as run
    from dermport.training.recipe import TrainingRecipe
    from dermport.training.request import TrainingRequest

    request = TrainingRequest(Path(photos), Path(out), recipe=recipe or TrainingRecipe(), **options)
    return OpenBundle.open(run(request, _watched(progress)))


def import_model(
    model: PathLike, out: PathLike, *, data: PathLike | None = None, progress: Watched = SILENT, **options: Any
) -> OpenBundle:
    """Make a bundle of a trained image classifier, proved against the original.

    Args:
        model: A ``.keras``, ``.onnx`` or other file or folder that `dermport import` reads.
        out: The bundle's folder; must not exist.
        data: Photos, with labels of the model's or without; None for drawn ones.
        progress: A :class:`dermport.Progress`, or True for lines on stderr, which say what was found out.
        options: Other fields of :class:`dermport.ImportRequest`, such as ``labels="mel,nv"``.

    Raises:
        UsageError: A field cannot be meant, or the folder exists.
        ModelError: The model cannot be taken over, or the rebuilt one does not answer as it.
        DataError: The photos cannot be used.
    """
    from dermport.importing.pipeline import import_model as run
    from dermport.importing.request import ImportRequest

    request = ImportRequest(Path(model), Path(out), Path(data) if data else None, **options)
    return OpenBundle.open(run(request, _watched(progress)))


def evaluate(
    bundle: BundleLike,
    data: PathLike | None = None,
    part: str | None = None,
    *,
    against: BundleLike | None = None,
    out: PathLike | None = None,
    progress: Watched = SILENT,
) -> EvaluationResult:
    """Return how good a model is: scored on photos, or as saved with the bundle where none are given.

    Args:
        bundle: Whose model.
        data: Photos; None for the saved figures.
        part: train, validation or test by the bundle's split, or all; None for test, or all of another data set.
        against: A bundle to compare with on the same photos.
        out: Folder for figures, tables and charts; must not exist.
        progress: A :class:`dermport.Progress`, or True for lines on stderr.

    Raises:
        UsageError: The part is unknown, the other bundle tells other things apart, or `out` exists.
        DataError: The photos cannot be read, or are not those of the bundle's split.
    """
    from dermport.workflows import evaluate as workflow

    opened = OpenBundle.open(bundle)
    if data is None:
        return workflow.saved_evaluation(opened)
    other = OpenBundle.open(against) if against else None
    where = Path(out) if out else None
    return workflow.evaluate(opened, Path(data), part, against=other, out=where, progress=_watched(progress))


def export(
    bundle: BundleLike,
    to: Names = None,
    precision: Names = None,
    *,
    maps: bool = False,
    force: bool = False,
    jobs: int = 1,
    progress: Watched = SILENT,
) -> ExportList:
    """Convert a bundle's model; what is there and unchanged costs nothing. Return the exports that were asked for.

    Args:
        bundle: Whose model.
        to: Targets, such as ``"tflite"``; None for all.
        precision: Precisions, such as ``"int8"``; None for all.
        maps: Whether artifacts give class activation maps as a second output.
        force: Whether to convert even what is unchanged.
        jobs: Processes; 0 for one per core (a script then needs ``if __name__ == "__main__":``).
        progress: A :class:`dermport.Progress`, or True for lines on stderr.

    Raises:
        UsageError: A target or precision is unknown.
        ArtifactsFailedError: Some artifacts could not be made, each for its reason; the others are there.
    """
    from dermport.workflows.export import export as run
    from dermport.workflows.export import require_all

    opened, watched = OpenBundle.open(bundle), _watched(progress)
    names = _names(to), _names(precision)
    outcomes = run(opened, *names, maps=maps, force=force, jobs=jobs, progress=watched)
    require_all(outcomes)
    return ExportList(outcome.export for outcome in outcomes)


def verify(
    bundle: BundleLike,
    data: PathLike | None = None,
    part: str | None = None,
    *,
    to: Names = None,
    precision: Names = None,
    progress: Watched = SILENT,
) -> Verification:
    """Read every export back from disk, execute it, hold it against the original, and record the proof.

    Args:
        bundle: What was exported.
        data: Photos to compare on; None for the golden set.
        part: Of `data`, by the bundle's split, or all; None for test, or all of another data set.
        to: Targets; None for all.
        precision: Precisions; None for all.
        progress: A :class:`dermport.Progress`, or True for lines on stderr.

    Raises:
        UsageError: There is no such export.
        IntegrityError: An artifact's bytes are not the recorded ones.
        UnavailableError: Nothing on this machine can execute an artifact.
        ExportError: An artifact was made from another model, or answers in another shape.
    """
    from dermport.workflows.verify import verify as run

    where, watched = Path(data) if data else None, _watched(progress)
    return run(OpenBundle.open(bundle), where, part, to=_names(to), precision=_names(precision), progress=watched)


def benchmark(
    bundles: BundleLike | Sequence[BundleLike],
    data: PathLike | None = None,
    part: str | None = None,
    *,
    to: Names = None,
    precision: Names = None,
    settings: BenchmarkSettings | None = None,
    progress: Watched = SILENT,
) -> BenchmarkReport:
    """Measure size, speed (ms), memory (MiB), energy (mJ) and accuracy of exports side by side, each in its process.

    Args:
        bundles: One or several; the others are held against the first one.
        data: Photos that accuracy is measured on; None measures agreement on the golden set.
        part: Of `data`: train, validation, test, or all; None for test, or all of another data set.
        to: Targets; None for all.
        precision: Precisions; None for all.
        settings: How to time; None for the command's own.
        progress: A :class:`dermport.Progress`, or True for lines on stderr.

    Raises:
        UsageError: There is no such export, or bundles cannot be compared.
        IntegrityError: An artifact's bytes are not the recorded ones.
    """
    from dermport.workflows.benchmark import benchmark as run

    return run(
        [OpenBundle.open(bundle) for bundle in _several(bundles)],
        Path(data) if data else None,
        part,
        to=_names(to),
        precision=_names(precision),
        settings=settings,
        progress=_watched(progress),
    )


def package(
    bundle: BundleLike,
    platforms: str | Sequence[str],
    precision: Names = None,
    *,
    out: PathLike | None = None,
    allow_failed: bool = False,
    progress: Watched = SILENT,
) -> list[Path]:
    """Pack exports with labels, sources, proof and guide into one zip for each platform; return the zips.

    Args:
        bundle: What was exported.
        platforms: ``ios``, ``android``, ``web`` or ``jetson``.
        precision: Which of the platform's exports; None for its default.
        out: The zips' folder; None for ``packages`` in the bundle's.
        allow_failed: Whether an export that failed its proof may go in.
        progress: A :class:`dermport.Progress`, or True for lines on stderr.

    Raises:
        UsageError: There is no such platform.
        BundleError: An export is missing.
        ExportError: An export is of another model, or failed its proof.
    """
    from dermport.workflows.package import package as run

    names, where = _names(platforms) or [], Path(out) if out else None
    packed = run(
        OpenBundle.open(bundle),
        names,
        _names(precision),
        out=where,
        allow_failed=allow_failed,
        progress=_watched(progress),
    )
    return [path for _, path in packed]


def compress(
    bundle: BundleLike,
    data: PathLike,
    recipe: str,
    *,
    changes: Sequence[str] = (),
    out: PathLike | None = None,
    name: str = "",
    seed: int = 0,
    progress: Watched = SILENT,
) -> OpenBundle:
    """Prune, distil or quantise a bundle's model into a new bundle; one that was stopped goes on where it was.

    Args:
        bundle: The parent.
        data: The data set that it was trained on; its split is kept.
        recipe: A recipe that comes with dermport, such as ``"channels-50"``, or a TOML file.
        changes: Options of the recipe, as ``"kind.option=value"``.
        out: The new bundle's folder; None for ``<parent>-<recipe>`` beside the parent's.
        name: The new bundle's name; that of its folder where empty.
        seed: Of everything random.
        progress: A :class:`dermport.Progress`, or True for lines on stderr.

    Raises:
        UsageError: There is no such recipe or option, or the folder exists.
        DataError: The data set is not the parent's.
    """
    from dermport.compression.pipeline import CompressionRequest
    from dermport.compression.pipeline import compress as run

    parent, folder = OpenBundle.open(bundle).path, Path(out) if out else None
    request = CompressionRequest.of(parent, recipe, Path(data), changes=changes, out=folder, name=name, seed=seed)
    return OpenBundle.open(run(request, _watched(progress)))


def create_app(
    bundles: BundleLike | Sequence[BundleLike],
    *,
    state: PathLike | None = None,
    serving: ServingConfig | None = None,
    access: AccessConfig | None = None,
) -> OpenAPI:
    """Return the server of ``dermport serve`` as a Flask app (WSGI), its model loaded.

    Args:
        bundles: One or several, or folders of them; the first is served.
        state: Folder of the database, the signing key and photos; None for the user's own.
        serving: How photos are answered.
        access: Who may ask; None asks for no keys, which only this machine should reach.

    Raises:
        BundleError: A bundle or the artifact is missing or not what was recorded.
        UnavailableError: Nothing in the bundle can be served on this machine.
    """
    from dermport.server import app
    from dermport.server.config import AccessConfig, ServerConfig, ServingConfig, StorageConfig

    paths = tuple(bundle.path if isinstance(bundle, Bundle) else Path(bundle) for bundle in _several(bundles))
    storage = StorageConfig(Path(state) if state else None)
    return app.create_app(ServerConfig(paths, storage, serving or ServingConfig(), access or AccessConfig()))


def _several(bundles: BundleLike | Sequence[BundleLike]) -> Sequence[BundleLike]:
    return [bundles] if isinstance(bundles, (str, Path, Bundle)) else bundles


def _names(given: Names) -> list[str] | None:
    return [given] if isinstance(given, str) else None if given is None else list(given)


def _watched(progress: Watched) -> Progress:
    return (Printed() if progress else SILENT) if isinstance(progress, bool) else progress
