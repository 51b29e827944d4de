"""``microcontroller.json``: what goes with a model's bytes, for the runtime here and for readers of the C sources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from dermport.bundle.atomic import write_json
from dermport.bundle.notice import NOTICE
from dermport.contract import Contract, Sha256
from dermport.errors import BundleError

CARD = "microcontroller.json"


class Card(Contract):
    """The whole of ``microcontroller.json``."""

    schema_version: Annotated[Literal["dermport-microcontroller/1"], Field(alias="schema")] = (
        "dermport-microcontroller/1"
    )
    notice: str = NOTICE
    bundle: str
    version: str
    model_sha256: Annotated[Sha256, Field(description="of the bundle's model.keras")]
    licence: str
    preprocessing: str
    size: Annotated[int, Field(description="side of the input, pixels")]
    labels: tuple[str, ...]
    operators: Annotated[tuple[str, ...], Field(description="types of operators that the resolver has to know")]
    flash_bytes: Annotated[int, Field(description="of the model; the program comes on top")]
    arena_bytes: Annotated[int | None, Field(description="measured by TFLite Micro; None: not measured")]
    arena_not_measured_because: str = ""
    input_codes: Annotated[tuple[int, ...], Field(min_length=256, max_length=256, description="by pixel value")]
    output_scale: Annotated[float, Field(description="probability = (code - output_zero_point) * output_scale")]
    output_zero_point: int
    output_is_float: Annotated[bool, Field(description="whether the output is float32 and needs neither")]


def write_card(folder: Path, card: Card) -> None:
    """Write ``microcontroller.json``."""
    write_json(folder / CARD, card.model_dump(mode="json", by_alias=True))


def read_card(folder: Path) -> Card:
    """Read ``microcontroller.json``.

    Raises:
        BundleError: The folder holds none, or it is not valid.
    """
    path = folder / CARD
    try:
        return Card.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError) as error:
        raise BundleError(
            f"{path} cannot be read: {str(error).splitlines()[0]}",
            remedy="Run `dermport export --to microcontroller` again.",
        ) from error
