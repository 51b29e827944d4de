"""The folder of a run: what the run was about, its journal, its reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from dermport.bundle.atomic import write_json
from dermport.bundle.manifest import Preprocessing
from dermport.contract import Contract
from dermport.errors import UsageError
from dermport.mobile_stub.journal import NAME
from dermport.options import Option

ABOUT = "run.json"


class About(Contract):
    """The whole of ``run.json``: what posting later needs."""

    schema_version: Annotated[Literal["dermport-run/1"], Field(alias="schema")] = "dermport-run/1"
    server: str
    preprocessing: Preprocessing


class RunFolder:
    """A run's folder.

    Args:
        path: Where it is.

    Attributes:
        path: Where it is.
        journal: Where its journal is.
    """

    path: Annotated[Path, Option("Folder that keeps both sides and the reports.", name="out")]

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = path / NAME

    def begin(self, server: str, preprocessing: Preprocessing) -> None:
        """Make the folder, or go on with it.

        Raises:
            UsageError: It holds other things than a run, or a run of models with another input.
        """
        if (self.path / ABOUT).exists():
            if self.read().preprocessing != preprocessing:
                raise UsageError(
                    f"{self.path} is a run of a model that takes other inputs.",
                    remedy="Choose another {path}.",
                    of=RunFolder,
                )
        elif self.path.exists() and any(self.path.iterdir()):
            raise UsageError(
                f"{self.path} holds other things than a run.", remedy="Choose another {path}.", of=RunFolder
            )
        about = About(server=server, preprocessing=preprocessing)
        try:
            write_json(self.path / ABOUT, about.model_dump(mode="json", by_alias=True))
        except OSError as error:
            raise UsageError(f"{self.path} cannot be written: {error.strerror}.") from error

    def read(self) -> About:
        """Return what the run was about; UsageError where the folder holds none."""
        try:
            return About.model_validate_json((self.path / ABOUT).read_bytes())
        except (OSError, ValidationError) as error:
            raise UsageError(
                f"{self.path} holds no run.",
                remedy="Name the {path} folder of an earlier `dermport compare`.",
                of=RunFolder,
            ) from error
