"""What is asked of an import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dermport.options import Jobs, Option, OutPath, Seed, check_fields
from dermport.training.request import bundle_name

_UNSAID = "Where the model does not say it"


@dataclass(frozen=True)
class ImportRequest:
    """What is asked of an import; each field says what it is.

    `command` is what a person typed, for the manifest.

    Raises:
        UsageError: A value is out of range.
    """

    model: Annotated[
        Path,
        Option(
            "A trained image classifier: a .keras or .onnx file, or a SavedModel's folder.",
            argument=True,
            metavar="MODEL",
        ),
    ]
    out: OutPath
    data: Annotated[
        Path | None,
        Option(
            "Photos, as for `dermport train`: golden set, calibration and proof are of them. With labels of the "
            "model's, temperature and threshold are fitted and the model is evaluated. Default: drawn photos."
        ),
    ] = None
    name: Annotated[str, Option("The bundle's name. Default: the last part of --out.")] = ""
    labels: Annotated[
        str,
        Option("The labels in the order of the outputs: a text file with one a line, or a,b,c.", panel=_UNSAID),
    ] = ""
    task: Annotated[
        str,
        Option(
            "Which labels of the photos count as which of the model's, and are positive: ham7, cancer, or "
            "FILE.toml[:NAME]. Default: a built-in one with just these labels, or each label by its own name."
        ),
    ] = ""
    positive: Annotated[
        tuple[str, ...],
        Option("A label that the decision is about; may be repeated. Needs labelled photos. Default: the task's."),
    ] = ()
    scaling: Annotated[
        str,
        Option(
            "What the model takes: 0..255, 0..1, -1..1, imagenet or caffe, with -bgr where blue comes first; or mean "
            "and standard deviation of pixels of 0..1, as 0.5,0.5,0.5/0.5,0.5,0.5.",
            panel=_UNSAID,
        ),
    ] = ""
    size: Annotated[
        int | None,
        Option("Side of the input.", ge=32, le=1024, unit="pixels", name="input-size", panel=_UNSAID),
    ] = None
    licence: Annotated[str, Option("The model's licence, such as Apache-2.0.", panel=_UNSAID)] = ""
    target_sensitivity: Annotated[float, Option("What the decision's threshold is chosen for.", gt=0, le=1)] = 0.9
    seed: Seed = 0
    jobs: Jobs = 0
    command: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or bundle_name(self.out))
        check_fields(self)
