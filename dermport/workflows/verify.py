"""Every artifact of a bundle read back from disk, executed, and held against the original."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.errors import UnavailableError, UsageError
from dermport.progress import SILENT, Progress
from dermport.workflows.notebook import html_table, text_table

if TYPE_CHECKING:
    from dermport.bundle.export_record import Parity
    from dermport.bundle.store import Bundle, Export
    from dermport.exporters.verify import VerificationReference

_COLUMNS = ("artifact", "proof", "top-1", "max |Δp|", "mean |Δp|", "flips +/−", "Δ acc.", "evidence")


@dataclass(frozen=True, repr=False)
class Verification:
    """What was proved of a bundle's artifacts.

    Attributes:
        proofs: Each artifact with how far it is from the original.
        unrecorded: Why the bundle does not hold the result now; empty where it does.
        blind: Classes of the policy by which an artifact that answers every photo alike would not fail.
    """

    proofs: tuple[tuple[Export, Parity], ...]
    unrecorded: str = ""
    blind: tuple[str, ...] = ()

    @property
    def doubt(self) -> str:
        """Why the proofs tell little, for a reason that is the original's; empty where there is none."""
        if not self.blind:
            return ""
        return (
            f"The original's answers to these photos hardly differ: by the bounds of {', '.join(self.blind)} an "
            "artifact that gave every photo the same answer would not fail, either. The ports agree with a model that "
            "may tell nothing apart: see `dermport evaluate`."
        )

    @property
    def passed(self) -> bool:
        """Whether no artifact failed."""
        return all(parity.status != "fail" for _, parity in self.proofs)

    @property
    def photos(self) -> str:
        """What the artifacts were compared on, in words."""
        _, parity = self.proofs[0]
        return f"Compared on {parity.data}, {parity.photos:,} photos."

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Return the columns and a row of text for each artifact; a column of which nothing is known is left out."""
        rows = list(self._rows())
        shown = [place for place, cells in enumerate(zip(*rows, strict=True)) if set(cells) != {"–"}]
        return tuple(_COLUMNS[place] for place in shown), [tuple(row[place] for place in shown) for row in rows]

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for export, parity in self.proofs:
            accuracy = parity.metrics.get("accuracy")
            yield (
                export.path.name,
                parity.status,
                f"{parity.top1_agreement:.3f}",
                f"{parity.max_change:.2g}",
                f"{parity.mean_change:.2g}",
                f"{parity.flips_to_positive}/{parity.flips_to_negative}",
                f"{accuracy.change:+.3f}" if accuracy and accuracy.change is not None else "–",
                parity.evidence,
            )

    def __repr__(self) -> str:
        return text_table(*self.table(), f"{self.photos} {self.doubt}".strip())

    def _repr_html_(self) -> str:
        return html_table(*self.table(), f"{self.photos} {self.doubt}".strip())


def verify(
    bundle: Bundle,
    data: Path | None = None,
    part: str | None = None,
    *,
    to: Sequence[str] | None = None,
    precision: Sequence[str] | None = None,
    policy: Path | None = None,
    progress: Progress = SILENT,
) -> Verification:
    """Prove the artifacts of a bundle, and record the result in the ``export.json`` of each where that can be written.

    Args:
        bundle: What was exported.
        data: Photos to compare on; None compares on the golden set.
        part: Of `data`, by the bundle's split, or all; None for test, or all of another data set.
        to: Targets; None for all.
        precision: Precisions; None for all.
        policy: A TOML file of bounds; None for the built-in ones.
        progress: What a person sees.

    Raises:
        UsageError: No such export was made, or the part is unknown.
        IntegrityError: An artifact's bytes are not the recorded ones.
        UnavailableError: Nothing on this machine can execute an artifact, or it reads photos otherwise than published.
        ExportError: An artifact was made from another model, or answers in another shape.
    """
    from dermport.bundle.policy import BUILT_IN, read_policy
    from dermport.bundle.vectors.proof import REMEDY, misreading
    from dermport.exporters.verify import golden_reference
    from dermport.exporters.verify import verify as verify_export

    if said := misreading():
        raise UnavailableError(said, remedy=REMEDY)
    rules = read_policy(policy or BUILT_IN)
    exports = selected_exports(bundle, to, precision)
    reference = _data_reference(bundle, data, part, progress) if data else golden_reference(bundle)
    proofs, unrecorded = [], ""
    for export in exports:
        with progress.bar(f"{export.record.target} {export.record.precision}") as update:
            parity = verify_export(bundle, export, reference, rules, update)
        proofs.append((export, parity))
        unrecorded = _record(export, parity) or unrecorded
    blind = rules.blind(bundle.manifest, reference.probabilities, (export.record.policy for export, _ in proofs))
    return Verification(tuple(proofs), unrecorded, blind)


def _record(export: Export, parity: Parity) -> str:
    """Keep a proof with its artifact; return why that cannot be done, as on a disk that can only be read."""
    from dermport.bundle.store import write_record

    try:
        write_record(export.path, export.record.model_copy(update={"parity": parity}))
    except OSError as error:
        return f"Not recorded in {export.path}: {error.strerror}."
    return ""


def selected_exports(bundle: Bundle, to: Sequence[str] | None, precision: Sequence[str] | None) -> list[Export]:
    """Return the exports of a bundle that are of these targets and precisions; None for all.

    Raises:
        UsageError: There are none.
    """
    from dermport.exporters.registry import select

    chosen = select(list(to or ()), list(precision or ()), optional=True)
    wanted = {(target.capabilities.name, recipe.precision) for target, recipes in chosen for recipe in recipes}
    exports = [e for e in bundle.exports() if (e.record.target, e.record.precision) in wanted]
    if not exports:
        raise UsageError(f"{bundle.path} has no such export.", remedy=f"Run `dermport export {bundle.path}` first.")
    return exports


def _data_reference(bundle: Bundle, data: Path, part: str | None, progress: Progress) -> VerificationReference:
    """Prepare a data set's photos and ask the original about them."""
    from dermport.exporters.verify import VerificationReference, maps_of
    from dermport.workflows.evaluate import answers
    from dermport.workflows.photos import read_photos

    photos = read_photos(bundle, data, part, progress=progress)
    tensors = photos.tensors(bundle.manifest.preprocessing)
    return VerificationReference(photos, answers(bundle, photos, progress), maps_of(bundle, tensors))
