"""dermport: one MobileNetV2 for skin lesions, trained, exported, proved, served and compared.

::

    import dermport as dp

    bundle = dp.train("photos", "artifacts/mine", recipe=dp.TrainingRecipe(size=160))
    dp.export(bundle, to="tflite")
    dp.verify(bundle, "photos")
    bundle.predict("photo.jpg")

Paths or objects alike; quiet unless ``progress=`` is given. Photos go in as paths, bytes, PIL images or numpy arrays;
dataclasses come out that show themselves as tables in a notebook. What is named here is loaded when it is first used.
Research and education only: never a diagnosis.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from dermport.errors import (
    BundleError,
    DataError,
    DermportError,
    EngineMismatchError,
    ExportError,
    IntegrityError,
    ModelError,
    PhotoError,
    RequestError,
    ServerError,
    UnavailableError,
    UnknownOperatorError,
    UnreachableError,
    UsageError,
)
from dermport.progress import Progress

if TYPE_CHECKING:
    from dermport.api.bundle import ExportList, PhotoPrediction, load, prepare
    from dermport.api.bundle import OpenBundle as Bundle
    from dermport.api.work import (
        benchmark,
        compress,
        create_app,
        evaluate,
        export,
        import_model,
        package,
        train,
        verify,
    )
    from dermport.bundle.benchmark_record import BenchmarkSettings
    from dermport.bundle.notice import NOTICE
    from dermport.bundle.store import Export
    from dermport.importing.request import ImportRequest
    from dermport.server.config import AccessConfig, ServingConfig
    from dermport.training.recipe import TrainingRecipe
    from dermport.training.request import TrainingRequest
    from dermport.training.sample.sample_set import draw_sample_set

_MODULES = {
    "api.bundle": ("ExportList", "OpenBundle", "PhotoPrediction", "load", "prepare"),
    "api.work": (
        "benchmark",
        "compress",
        "create_app",
        "evaluate",
        "export",
        "import_model",
        "package",
        "train",
        "verify",
    ),
    "bundle.benchmark_record": ("BenchmarkSettings",),
    "bundle.notice": ("NOTICE",),
    "bundle.store": ("Export",),
    "importing.request": ("ImportRequest",),
    "server.config": ("AccessConfig", "ServingConfig"),
    "training.recipe": ("TrainingRecipe",),
    "training.request": ("TrainingRequest",),
    "training.sample.sample_set": ("draw_sample_set",),
}
_HOMES = {name: f"dermport.{module}" for module, names in _MODULES.items() for name in names}

__all__ = [
    "NOTICE",
    "AccessConfig",
    "BenchmarkSettings",
    "Bundle",
    "BundleError",
    "DataError",
    "DermportError",
    "EngineMismatchError",
    "Export",
    "ExportError",
    "ExportList",
    "ImportRequest",
    "IntegrityError",
    "ModelError",
    "PhotoError",
    "PhotoPrediction",
    "Progress",
    "RequestError",
    "ServerError",
    "ServingConfig",
    "TrainingRecipe",
    "TrainingRequest",
    "UnavailableError",
    "UnknownOperatorError",
    "UnreachableError",
    "UsageError",
    "benchmark",
    "compress",
    "create_app",
    "draw_sample_set",
    "evaluate",
    "export",
    "import_model",
    "load",
    "package",
    "prepare",
    "train",
    "verify",
]


def __getattr__(name: str) -> object:
    """Load a name of the public API when it is first used."""
    home = "OpenBundle" if name == "Bundle" else name
    if home not in _HOMES:
        raise AttributeError(f"module 'dermport' has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[home]), home)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names beside what is loaded."""
    return sorted({*globals(), *__all__})
