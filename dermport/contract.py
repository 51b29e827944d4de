"""The base of everything that dermport serialises as contract: frozen, validated, strict about unknown fields."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _inside(path: str) -> str:
    if {".", ".."} & set(path.split("/")):
        raise ValueError("must not leave its folder")
    return path


RelativePath = Annotated[
    str,
    StringConstraints(pattern=r"^[^/\\]+(/[^/\\]+)*$"),
    AfterValidator(_inside),
    Field(description="POSIX path below the folder it describes"),
]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Contract(BaseModel):
    """A frozen pydantic model that refuses unknown fields and non-finite numbers."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        ser_json_inf_nan="null",
        hide_input_in_errors=True,  # what a phone said of a photo is not for the log
    )


class FileEntry(Contract):
    """A file with what its reader must find."""

    path: RelativePath
    size: Annotated[int, Field(ge=0, description="bytes")]
    sha256: Sha256
