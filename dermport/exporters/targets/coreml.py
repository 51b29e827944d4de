"""Core ML: an .mlpackage for iPhones, converted and compressed without a Mac."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.bundle.export_record import TensorSpec
from dermport.exporters.contract import Capabilities, Description, PrecisionRecipe, Source, Target
from dermport.exporters.coreml.recipes import INT8, RECIPES
from dermport.exporters.rounding import LARGEST_FLOAT, LARGEST_INT8
from dermport.runtimes.registry import best_here

if TYPE_CHECKING:
    from dermport.exporters.coreml.convert import Packages

_PHOTOS = 128


def _compressed(precision: str, summary: str, policy: str, *, optional: bool = True) -> PrecisionRecipe:
    compression = RECIPES[precision]
    assert compression is not None
    settings = {
        "large_layers": asdict(compression.large),
        "mean_bits": compression.mean_bits,
        "ios": compression.ios,
        "elements_of_largest_float16_layer": LARGEST_FLOAT,
        "elements_of_largest_int8_layer": LARGEST_INT8,
        "activations": "float16",
        "rounding": "nearest" if compression.large == INT8 else "error feedback (GPTQ)",
        "bias_correction": True,
        "calibration_photos": _PHOTOS,
    }
    return PrecisionRecipe(precision, summary, policy=policy, calibrated=True, settings=settings, optional=optional)


class CoreML(Target):
    """Artifacts ``model.mlpackage``: image in, class labels and probabilities out, iOS 16 and later."""

    capabilities = Capabilities(
        name="coreml",
        devices="iPhone and iPad (iOS 16+), Mac (macOS 13+)",
        artifact="model.mlpackage",
        recipes=(
            PrecisionRecipe("fp16", "float16 weights and activations", policy="fp16"),
            _compressed("int8", "int8 weights, one scale per channel", "weights8", optional=False),
            _compressed("palette4", "4-bit palettes of weights, small layers int8", "weights4", optional=False),
            _compressed("palette2", "2-bit palettes, small layers int8", "weights2"),
            _compressed("palette3", "3-bit palettes, small layers int8, iOS 18", "weights4"),
            _compressed("palette6", "6-bit palettes, small layers int8", "weights8"),
            _compressed("palette4-groups", "4-bit palettes for groups of 16 channels, iOS 18", "weights4"),
            _compressed(
                "palette-mixed", "palettes of 2 to 6 bits by measured sensitivity, 3 on average, iOS 18", "weights4"
            ),
            _compressed("int4", "int4 weights, a scale for each 32 inputs, iOS 18", "weights4"),
        ),
        dynamic_batch=False,
        builds_on="Linux, macOS",
        evidence=("device", "mil-reference"),
        tools=("coremltools", "keras", "tensorflow-cpu", "tensorflow", "scikit-learn", "numpy"),
        converts_with=("tensorflow", "coremltools", "sklearn"),
    )

    def convert(self, source: Source, recipes: tuple[PrecisionRecipe, ...], folders: Mapping[str, Path]) -> None:
        """Write ``model.mlpackage`` for each recipe; the conversion is shared."""
        for recipe in recipes:
            source.once(_packages).write(recipe.precision, folders[recipe.precision] / self.capabilities.artifact)

    def describe(self, folder: Path) -> Description:
        """Read back ``model.mlpackage``."""
        from dermport.bundle.activation_map import MEANING
        from dermport.runtimes.base import ACTIVATION_MAP
        from dermport.runtimes.mil.program import read_program

        program, image = read_program(folder / self.capabilities.artifact)
        shape = (1, image.height, image.width, 3)
        meaning = "calibrated probabilities by label; the most probable label comes beside them"
        results: dict[str, tuple[tuple[int, ...], str, str]] = {
            program.classifier.outputs[1]: ((1, len(program.labels)), "float", meaning)
        }
        if ACTIVATION_MAP in program.outputs:
            results[ACTIVATION_MAP] = (program.types[ACTIVATION_MAP].shape, "float32", MEANING)
        return Description(
            inputs=(TensorSpec(name=image.name, shape=shape, dtype="image", meaning=f"{image.layout}, 0..255"),),
            outputs=tuple(TensorSpec(name=n, shape=s, dtype=d, meaning=m) for n, (s, d, m) in results.items()),
            operators=program.counts,
        )

    def runs_here(self) -> str:
        """Return how this machine executes an .mlpackage."""
        runtime, reason = best_here(self.capabilities.name)
        return f"{runtime.evidence} ({reason})" if reason else f"{runtime.title} itself ({runtime.evidence})"


def _packages(source: Source) -> Packages:
    from dermport.exporters.coreml.convert import PackageDescription, Packages
    from dermport.exporters.origin import AUTHOR, licence, origin, summary

    description = PackageDescription(
        author=AUTHOR,
        licence=licence(source),
        text=summary(source),
        version=source.manifest.version,
        metadata={f"dermport.{key}": value for key, value in origin(source).items()},
    )
    return Packages(source.model, source.manifest.task.ids, description, lambda: source.calibration()[:_PHOTOS])
