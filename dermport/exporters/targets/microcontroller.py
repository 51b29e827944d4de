"""Microcontrollers: TFLite Micro, with the model as a C array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.errors import ExportError
from dermport.exporters.contract import Capabilities, Description, PrecisionRecipe, Source, Target
from dermport.exporters.origin import licence
from dermport.exporters.targets.tflite import TFLite
from dermport.runtimes.tflite_micro import NOT_INSTALLED

if TYPE_CHECKING:
    from dermport.exporters.microcontroller.slim import Slim
    from dermport.runtimes.microcontroller_card import Card

FLASH = 1_000_000  # bytes, of common boards such as the Arduino Nano 33 BLE
_INT8 = TFLite.capabilities.recipe("int8")


class Microcontroller(Target):
    """Artifacts ``model.tflite``, slim, with ``model_data.h`` and ``model_data.cc``, at most 1 MB of flash."""

    capabilities = Capabilities(
        name="microcontroller",
        devices="Microcontrollers with 1 MB of flash (TFLite Micro, Arduino)",
        artifact="model.tflite",
        recipes=(
            PrecisionRecipe(
                "int8",
                "int8 weights, activations and ends as a C array; models of at most 1 MB, only where it is named",
                policy="int8",
                calibrated=True,
                settings={**_INT8.settings, "ends": "int8", "largest": FLASH},
                optional=True,
                integers=True,
            ),
        ),
        dynamic_batch=False,
        builds_on="Linux, macOS, Windows; the arena's size is measured on x86-64 Linux",
        evidence=("host-runtime",),
        tools=(*TFLite.capabilities.tools, "tflite-micro"),
        converts_with=TFLite.capabilities.converts_with,
        maps=False,
    )

    def convert(self, source: Source, recipes: tuple[PrecisionRecipe, ...], folders: Mapping[str, Path]) -> None:
        """Write the model, its C sources, ``microcontroller.json`` and ``README.md``.

        Raises:
            ExportError: The model would need more than 1 MB of flash.
        """
        from dermport.exporters.microcontroller.slim import slim
        from dermport.exporters.microcontroller.sources import write_sources
        from dermport.exporters.tflite.precision import model_for

        _check(source.manifest.model.parameters)  # a byte each, before the minutes of a conversion
        for recipe in recipes:
            made = slim(model_for(_INT8, source))
            _check(len(made.model))
            folder = folders[recipe.precision]
            (folder / self.capabilities.artifact).write_bytes(made.model)
            write_sources(folder, made.model, self._carded(folder, source, made))

    def _carded(self, folder: Path, source: Source, made: Slim) -> Card:
        from dermport.exporters.microcontroller.slim import measured_arena, output_of
        from dermport.runtimes.microcontroller_card import Card, write_card

        manifest, arena = source.manifest, measured_arena(made)
        scale, zero_point, is_float = output_of(made.model)
        card = Card(
            bundle=manifest.name,
            version=manifest.version,
            model_sha256=source.model_sha256,
            licence=licence(source),
            preprocessing=f"{manifest.preprocessing.id}, {manifest.preprocessing.crop}",
            size=manifest.preprocessing.size,
            labels=manifest.task.ids,
            operators=made.operators,
            flash_bytes=len(made.model),
            arena_bytes=arena,
            arena_not_measured_because="" if arena else NOT_INSTALLED,
            input_codes=tuple(made.codes.tolist()),
            output_scale=scale,
            output_zero_point=zero_point,
            output_is_float=is_float,
        )
        write_card(folder, card)
        return card

    def describe(self, folder: Path) -> Description:
        """Read back ``model.tflite``."""
        from dermport.exporters.tflite.operators import describe

        description = describe(folder / self.capabilities.artifact)
        (image,) = description.inputs
        meaning = "RGB, each value 0..255 as its code in microcontroller.json"
        return replace(description, inputs=(image.model_copy(update={"meaning": meaning}),))


def _check(needed: int) -> None:
    if needed > FLASH:
        raise ExportError(
            f"The model needs at least {needed:,} bytes of flash; the target is made for at most {FLASH:,}.",
            remedy="Make a small one first: `dermport compress BUNDLE --recipe microcontroller`.",
        )
