"""TensorRT: an engine where a GPU is at hand, elsewhere the kit from which the Jetson builds its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from dermport.errors import UnavailableError
from dermport.exporters.contract import Capabilities, Description, Execution, PrecisionRecipe, Source, Target
from dermport.exporters.targets.onnx import INT8_SETTINGS, Onnx

_BATCH = {"minimum": 1, "optimum": 8, "maximum": 32}
_FLOAT = {"opset": 17, "batch": _BATCH}


class TensorRT(Target):
    """Kits (``model.onnx``, ``kit.json``) and, once built, engines (``model.engine``, ``engine.json``)."""

    capabilities = Capabilities(
        name="tensorrt",
        devices="Jetson (JetPack 5.1 to 7) and other NVIDIA GPUs, TensorRT 8.5 to 11",
        artifact="model.onnx",
        recipes=(
            PrecisionRecipe("fp32", "float32 network", policy="fp32", settings=_FLOAT),
            PrecisionRecipe("fp16", "ONNX typed float16 inside, float32 at the edges", policy="fp16", settings=_FLOAT),
            PrecisionRecipe(
                "int8",
                "explicit Q/DQ, calibrated on the host, biases corrected",
                policy="int8",
                calibrated=True,
                settings={**INT8_SETTINGS, "batch": _BATCH},
                integers=True,
            ),
        ),
        dynamic_batch=True,
        builds_on="kit: any; engine: the machine that runs it",
        evidence=("device", "host-proxy"),
        tools=Onnx.capabilities.tools,
        converts_with=Onnx.capabilities.converts_with,
    )

    def convert(self, source: Source, recipes: tuple[PrecisionRecipe, ...], folders: Mapping[str, Path]) -> None:
        """Write an engine kit for each recipe, and build its engine where TensorRT and a GPU are present."""
        from dermport.exporters.onnx.convert import FILE, save
        from dermport.exporters.onnx.precision import graph_for

        for recipe in recipes:
            folder = folders[recipe.precision]
            save(graph_for(recipe, source, int8_constants=False), folder / FILE)
            self._write_kit(source, recipe, folder)
            _build_or_say_why(folder)

    def describe(self, folder: Path) -> Description:
        """Read back the kit: operators, inputs and outputs are those of its ONNX."""
        from dermport.exporters.tensorrt.kit import read_kit

        kit, graph = read_kit(folder), Onnx().describe(folder)
        return Description(graph.inputs, graph.outputs, graph.operators, kit.built, kit.not_built_because)

    def execution(self, folder: Path, threads: int | None = None) -> Execution:
        """Load the engine, rebuilt if it is stale; without TensorRT, a GPU or an engine, the kit's own ONNX."""
        from dermport.exporters.tensorrt.builder import engine_for
        from dermport.runtimes.onnxruntime import OnnxRuntime
        from dermport.runtimes.tensorrt import TensorRTEngine

        if reason := _no_engine(folder):
            return Execution(OnnxRuntime(folder / self.capabilities.artifact, threads), "host-proxy", reason)
        engine_for(folder, logging.getLogger("dermport").warning)
        return Execution(TensorRTEngine(folder), "device")

    def runs_here(self) -> str:
        """Return how this machine executes the artifacts."""
        from dermport.runtimes.engine import this_machine

        try:
            machine = this_machine()
        except UnavailableError as error:
            return f"host-proxy: the kit's ONNX by ONNX Runtime ({error.message})"
        return f"device: TensorRT {machine.tensorrt} on {machine.gpu}, once the engine is built"

    def _write_kit(self, source: Source, recipe: PrecisionRecipe, folder: Path) -> None:
        import onnx

        from dermport.bundle.hashing import sha256_file
        from dermport.exporters.onnx.sparsity import has_pattern
        from dermport.exporters.tensorrt.kit import TYPINGS, Kit, Profile, write_kit

        graph = Onnx().describe(folder)
        kit = Kit(
            bundle=source.manifest.name,
            version=source.manifest.version,
            precision=recipe.precision,
            recipe={"summary": recipe.summary, **recipe.settings},
            typing=TYPINGS[recipe.precision],
            sparse_weights=has_pattern(onnx.load(folder / self.capabilities.artifact)),
            profile=Profile(**recipe.settings["batch"]),
            onnx=self.capabilities.artifact,
            onnx_sha256=sha256_file(folder / self.capabilities.artifact),
            labels=source.manifest.task.ids,
            preprocessing=source.manifest.preprocessing.id,
            inputs=graph.inputs,
            outputs=graph.outputs,
        )
        write_kit(folder, kit)


def _build_or_say_why(folder: Path) -> None:
    from dermport.exporters.tensorrt.builder import build_engine
    from dermport.exporters.tensorrt.kit import read_kit, write_kit

    try:
        build_engine(folder)
    except UnavailableError as error:
        write_kit(folder, read_kit(folder).model_copy(update={"not_built_because": error.message}))


def _no_engine(folder: Path) -> str:
    """Return why no engine can be run from `folder` on this machine; empty where one can."""
    from dermport.runtimes.engine import SIDECAR, this_machine

    try:
        this_machine()
    except UnavailableError as error:
        return error.message
    built = (folder / SIDECAR).is_file()
    return "" if built else "No engine has been built here; `dermport build-engine` builds it."
