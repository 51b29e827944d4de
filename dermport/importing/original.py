"""A model as it came: what every format can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.hashing import sha256_file, sha256_json
from dermport.errors import ModelError
from dermport.importing.scaling import PixelScaling

if TYPE_CHECKING:
    import keras
    import onnx

InputLayout = Literal["NHWC", "NCHW"]


@dataclass(frozen=True)
class OriginalHints:
    """What a model, or a file beside it, says of itself; empty or None where it says nothing.

    Attributes:
        size: Side of the input, pixels.
        scaling: What it takes.
        labels: In the order of its outputs.
        licence: SPDX identifier or words.
        source: Where this is said, such as ``config.json``.
    """

    size: int | None = None
    scaling: PixelScaling | None = None
    labels: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""


@dataclass(frozen=True)
class FrameworkVersion:
    """What runs an original: ``keras`` 3.15.1, say."""

    name: str
    version: str


class Original(ABC):
    """A trained image classifier in its own format and framework.

    Attributes:
        path: Its file or folder.
        format: As the manifest names it.
        shape: Of its input, [N, H, W, 3] or [N, 3, H, W]; None where a size is free.
    """

    format: str

    def __init__(self, path: Path, shape: tuple[int | None, ...]) -> None:
        self.path, self.shape = path, shape
        self.layout: InputLayout = layout_of(shape, path)

    @property
    def architecture(self) -> str:
        """Its network's name; its file's where it has none."""
        return self.path.stem

    @property
    @abstractmethod
    def framework(self) -> FrameworkVersion:
        """What runs it."""

    @abstractmethod
    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return its answers, [N, C], to images as it takes them, but laid out [N, S, S, 3]."""

    @abstractmethod
    def onnx(self) -> onnx.ModelProto:
        """Return it as an ONNX graph, batch normalisation left alone where the converter allows it."""

    def network(self) -> keras.Model | None:
        """Return it as a functional Keras model of plain layers, a copy; None where it is none."""
        return None

    def hints(self) -> OriginalHints:
        """Return what it says of itself."""
        return OriginalHints()

    @property
    def sha256(self) -> str:
        """Of the file; of a folder, over its files' names and sha256."""
        if self.path.is_file():
            return sha256_file(self.path)
        files = sorted(path for path in self.path.rglob("*") if path.is_file())
        return sha256_json([[path.relative_to(self.path).as_posix(), sha256_file(path)] for path in files])

    def arranged(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return images [N, S, S, 3] in the original's layout."""
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2)) if self.layout == "NCHW" else images


def layout_of(shape: tuple[int | None, ...], path: Path) -> InputLayout:
    """Return the layout of an input.

    Raises:
        ModelError: It is no square colour image.
    """
    if len(shape) == 4 and 3 in (shape[1], shape[3]):
        layout: InputLayout = "NHWC" if shape[3] == 3 else "NCHW"
        height, width = shape[1:3] if layout == "NHWC" else shape[2:4]
        if height == width:
            return layout
        raise ModelError(
            f"{path} takes images of {height} × {width}; dermport prepares square ones for every device.",
            remedy="Put a Resizing layer in front of it that takes a square, or export it for a square input.",
        )
    raise ModelError(
        f"{path} takes {_words(shape)}, not colour images [N, H, W, 3] or [N, 3, H, W].",
        remedy="Only classifiers of colour images can be imported.",
    )


def _words(shape: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("N" if size is None else str(size) for size in shape) + "]"
