"""The space of a search, as data: what may be combined, and every combination that makes sense."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from dermport.bundle.toml import TOMLDecodeError, loads
from dermport.compression.distillation.distil import Distil
from dermport.compression.distillation.teacher import PARENT
from dermport.compression.fine_tune import FineTune
from dermport.compression.pruning.prune_channels import PruneChannels
from dermport.compression.search.candidate import Candidate, Structure
from dermport.compression.search.starts import StartingBundle
from dermport.compression.step import CompressionStep
from dermport.contract import Contract
from dermport.errors import UsageError

BUILT_IN = Path(__file__).with_name("default.toml")
Side = Annotated[int, Field(ge=32, le=1024, multiple_of=32)]
Share = Annotated[float, Field(gt=0, le=1)]
Training = Annotated[FineTune | Distil, Field(discriminator="kind")]


class SearchSpace(Contract):
    """What a search may combine.

    Attributes:
        sizes: Sides of the input, pixels; multiples of 32, because the networks' padding is the same for these.
        keep: Shares of the multiply-accumulates that channel pruning leaves; 1 for no pruning.
        without: Precisions that are left out.
        prune: How channels are chosen; the share is the structure's, of computation and of parameters alike.
        tune: How a changed network is trained on before it is measured; how long is the search's own option.
        finish: How a finalist is trained on all photos; how long is the search's own option.
    """

    sizes: Annotated[tuple[Side, ...], Field(min_length=1)]
    keep: Annotated[tuple[Share, ...], Field(min_length=1)] = (1.0,)
    without: tuple[str, ...] = ()
    prune: PruneChannels = PruneChannels()
    tune: Training = Distil()
    finish: Training = Distil()

    def changes(self, structure: Structure) -> tuple[CompressionStep, ...]:
        """Return the steps that change a network before it is trained on."""
        if structure.keep == 1:
            return ()
        return (self.prune.model_copy(update={"macs": structure.keep, "parameters": structure.keep}),)


def trained(step: Training, epochs: int, parent: Path) -> CompressionStep:
    """Return a training of so many epochs; its teacher ``parent`` is the search's, whatever start is trained."""
    from_parent = isinstance(step, Distil) and step.teacher == PARENT
    return step.model_copy(update={"epochs": epochs, **({"teacher": str(parent)} if from_parent else {})})


def load_space(path: Path | None = None) -> SearchSpace:
    """Return the space that a TOML file describes; None for the built-in one.

    Raises:
        UsageError: There is no such file, or it does not describe a space.
    """
    path = path or BUILT_IN
    try:
        return SearchSpace.model_validate_json(json.dumps(loads(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError, TOMLDecodeError) as error:
        raise UsageError(f"The space {path} cannot be read as TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise UsageError(
            f"The space {path} is not valid: {where}: {first['msg']}.",
            remedy=f"The built-in one shows the form: {BUILT_IN}",
        ) from error


def structures(space: SearchSpace, starts: Sequence[StartingBundle]) -> Iterator[Structure]:
    """Yield every structure of a space; of a start that cannot be changed, only itself."""
    for start in starts:
        yield original_structure(start)
        if start.changeable:
            changed = (Structure(start.name, size, keep) for size in space.sizes for keep in space.keep)
            yield from (one for one in changed if one != original_structure(start))


def original_structure(start: StartingBundle) -> Structure:
    """Return the structure that is the start itself."""
    return Structure(start.name, start.bundle.manifest.preprocessing.size, 1.0)


def candidates(space: SearchSpace, starts: Sequence[StartingBundle], exports: Sequence[str]) -> tuple[Candidate, ...]:
    """Return every candidate of a space."""
    return tuple(Candidate(structure, export) for structure in structures(space, starts) for export in exports)
