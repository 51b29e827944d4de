"""The base of everything that dermport serialises as contract: frozen, validated, strict about unknown fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

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


# By pydantic's type of error, for people who write TOML; what stands in braces is its context.
_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_type": "must be text in quotes",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "may hold small letters, digits, dots, _ and -, and begins with a letter or digit",
    "bool_type": "must be true or false",
    "dict_type": "must be a table, as {{ key = value }}",
    "model_type": "must be a table",
    "tuple_type": "must be a list, as [...] or [[...]]",
    "too_short": "must have {min_length} or more entries",
}


def explained(error: ValidationError) -> str:
    """Return what is wrong with a document that a person wrote, e.g. ``"source 1: path is missing"``."""
    found = error.errors()
    inner = [one["loc"] for one in found]
    innermost = [
        one for one in found if not any(loc != one["loc"] and loc[: len(one["loc"])] == one["loc"] for loc in inner)
    ]
    return "; ".join(map(_explained, innermost))


def _explained(one: Any) -> str:
    *outer, last = one["loc"] or ("the file",)
    if isinstance(last, int):
        outer, last = outer[:-1], f"{outer[-1]} {last + 1}"
    where = " ".join(str(part + 1) if isinstance(part, int) else part for part in outer)
    said = _WORDS.get(one["type"], "")
    if not said:
        return f"{where}{' ' * bool(where)}{last}: {one['msg'].removeprefix('Value error, ')}"
    return f"{where}{': ' * bool(where)}{last} {said.format(**one.get('ctx', {}))}"
