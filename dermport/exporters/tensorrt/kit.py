"""``kit.json``: everything that a Jetson needs to turn the ``model.onnx`` beside it into an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from dermport.bundle.atomic import write_json
from dermport.bundle.export_record import TensorSpec
from dermport.bundle.notice import NOTICE
from dermport.contract import Contract, Name, RelativePath, Sha256
from dermport.errors import BundleError

STRONG_SINCE = (10, 12)


class Typing(Contract):
    """The rule of one precision, as ``kit.json`` carries it.

    Attributes:
        strong_since: First TensorRT (major, minor) whose networks are built strongly typed.
        weak_flags: The members of ``trt.BuilderFlag`` that an older one is given.
    """

    strong_since: tuple[int, int] = STRONG_SINCE
    weak_flags: tuple[str, ...] = ()

    def strong(self, version: str) -> bool:
        """Return whether a TensorRT version, e.g. ``"10.3.0"``, builds the network strongly typed."""
        major, minor = version.split(".")[:2]
        return (int(major), int(minor)) >= self.strong_since

    def flags(self, version: str) -> tuple[str, ...]:
        """Return the builder flags that a TensorRT version is given."""
        return () if self.strong(version) else self.weak_flags


TYPINGS = {
    "fp32": Typing(),
    "fp16": Typing(weak_flags=("FP16",)),
    "int8": Typing(weak_flags=("INT8",)),
}


KIT = "kit.json"
NOT_BUILT = "an engine only runs on the TensorRT version and GPU that built it, and none was used here"


class Profile(Contract):
    """The batch sizes that an engine is built for."""

    minimum: Annotated[int, Field(gt=0)] = 1
    optimum: Annotated[int, Field(gt=0)] = 8
    maximum: Annotated[int, Field(gt=0)] = 32


class Kit(Contract):
    """The whole of ``kit.json``."""

    schema_version: Annotated[Literal["dermport-engine-kit/1"], Field(alias="schema")] = "dermport-engine-kit/1"
    bundle: Name
    version: str
    precision: str
    recipe: dict[str, Any]
    typing: Typing
    sparse_weights: Annotated[bool, Field(description="whether the ONNX's weights have the 2:4 pattern")] = False
    profile: Profile
    onnx: RelativePath
    onnx_sha256: Sha256
    labels: tuple[str, ...]
    preprocessing: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    built: bool = False
    not_built_because: str = NOT_BUILT
    notice: str = NOTICE

    def flags(self, version: str) -> tuple[str, ...]:
        """Return the members of ``trt.BuilderFlag`` that a TensorRT version, e.g. ``"10.3.0"``, is given."""
        return (*self.typing.flags(version), *(("SPARSE_WEIGHTS",) if self.sparse_weights else ()))


def read_kit(folder: Path) -> Kit:
    """Read ``kit.json``.

    Raises:
        BundleError: The folder holds no kit, or one of another schema version.
    """
    path = folder / KIT
    remedy = "Name a folder that `dermport export --to tensorrt` wrote."
    try:
        return Kit.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BundleError(f"{path} does not exist.", remedy=remedy) from None
    except ValidationError as error:
        raise BundleError(f"{path} is not valid: {error.errors()[0]['msg']}.", remedy=remedy) from error


def write_kit(folder: Path, kit: Kit) -> None:
    """Write ``kit.json`` atomically."""
    write_json(folder / KIT, kit.model_dump(mode="json", by_alias=True))
