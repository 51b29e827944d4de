"""Every artifact of a bundle read back from disk, executed, and held against the original."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from dermport.errors import DermportError, ExportError, UnavailableError, UsageError
from dermport.progress import SILENT, Progress, Update
from dermport.workflows.notebook import html_table, text_table

if TYPE_CHECKING:
    from dermport.bundle.export_record import Parity
    from dermport.bundle.store import Bundle, Export
    from dermport.exporters.verify import VerificationReference

_AT_ONCE = 4  # artifacts: each takes memory
_COLUMNS = ("artifact", "proof", "top-1", "max |Δp|", "mean |Δp|", "flips +/−", "Δ acc.", "evidence")


@dataclass(frozen=True, repr=False)
class Verification:
    """What was proved of a bundle's artifacts.

    Attributes:
        proofs: Each artifact with how far it is from the original.
        unrecorded: Why the bundle does not hold the result now; empty where it does.
        blind: Classes of the policy by which an artifact that answers every photo alike would not fail.
        failures: The artifacts of which nothing could be proved, by name (``<target>-<precision>``), and why.
    """

    proofs: tuple[tuple[Export, Parity], ...]
    unrecorded: str = ""
    blind: tuple[str, ...] = ()
    failures: Mapping[str, DermportError] = field(default_factory=dict)

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
        """Whether every artifact was executed, and none failed."""
        return not self.failures and all(parity.status != "fail" for _, parity in self.proofs)

    @property
    def photos(self) -> str:
        """What the artifacts were compared on, and which were not, in words."""
        said = [f"Compared on {parity.data}, {parity.photos:,} photos." for _, parity in self.proofs[:1]]
        unproved = [f"{name} was not proved: {failure.message}" for name, failure in self.failures.items()]
        return " ".join([*said, *unproved])

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
        for name in self.failures:
            yield (name, "error", *["–"] * (len(_COLUMNS) - 2))

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

    Artifacts are proved side by side, and each on its own: what cannot be executed, or was changed, stops no other.

    Args:
        bundle: What was exported.
        data: Photos to compare on; None compares on the golden set.
        part: Of `data`, by the bundle's split, or all; None for test, or all of another data set.
        to: Targets; None for all.
        precision: Precisions; None for all.
        policy: A TOML file of bounds; None for the built-in ones.
        progress: What a person sees: a line for each artifact as it is proved.

    Raises:
        UsageError: No such export was made, or the part is unknown.
        UnavailableError: This machine reads photos otherwise than published.
    """
    from dermport.bundle.policy import BUILT_IN, read_policy
    from dermport.bundle.store import Export
    from dermport.bundle.vectors.proof import REMEDY, misreading
    from dermport.exporters.verify import golden_reference
    from dermport.exporters.verify import verify as verify_export

    if said := misreading():
        raise UnavailableError(said, remedy=REMEDY)
    rules = read_policy(policy or BUILT_IN)
    folders = _selected(bundle, to, precision)
    reference = _data_reference(bundle, data, part, progress) if data else golden_reference(bundle)
    reference.photos.tensors(bundle.manifest.preprocessing)  # prepared once, before threads ask for them
    proofs: dict[str, tuple[Export, Parity]] = {}
    failures: dict[str, DermportError] = {}
    unrecorded = ""
    with progress.bar("proving") as update:
        tally = _Tally(update, len(reference.photos) * len(folders))

        def prove(folder: Path, threads: int) -> tuple[Export, Parity]:
            export = Export.open(folder)
            count = partial(tally.count, folder)
            return export, verify_export(bundle, export, reference, rules, count, threads=threads)

        for folder, outcome in _side_by_side(prove, folders, tally):
            progress.say(_line(folder.name, outcome))
            if isinstance(outcome, DermportError):
                failures[folder.name] = outcome
                tally.count(folder, len(reference.photos), len(reference.photos))
            else:
                proofs[folder.name] = outcome
                unrecorded = _record(*outcome) or unrecorded
    proved = tuple(proofs[name] for name in sorted(proofs))
    blind = rules.blind(bundle.manifest, reference.probabilities, (export.record.policy for export, _ in proved))
    return Verification(proved, unrecorded, blind, failures)


class _Tally:
    """Counts the photos of all artifacts together; once stopped, it ends whoever counts."""

    def __init__(self, update: Update, total: int) -> None:
        self._update, self._total, self._lock = update, total, Lock()
        self._done: dict[Path, int] = {}
        self.stopped = False

    def count(self, folder: Path, done: int, total: int) -> None:
        if self.stopped:
            raise UnavailableError("The verification was interrupted.")
        with self._lock:
            self._done[folder] = done
            self._update(sum(self._done.values()), self._total)


def _side_by_side(
    prove: Callable[[Path, int], tuple[Export, Parity]], folders: Sequence[Path], tally: _Tally
) -> Iterator[tuple[Path, tuple[Export, Parity] | DermportError]]:
    """Prove artifacts on all cores; yield what was found, or why nothing was, in the order of finishing."""
    cores = os.cpu_count() or 1
    workers = min(cores, _AT_ONCE, len(folders))
    with ThreadPoolExecutor(workers) as pool:
        asked = {pool.submit(prove, folder, cores // workers): folder for folder in folders}
        try:
            for future in as_completed(asked):
                error = future.exception()
                yield asked[future], future.result() if error is None else _reason(error)
        finally:
            tally.stopped = True
            pool.shutdown(cancel_futures=True)


def _reason(error: BaseException) -> DermportError:
    if isinstance(error, DermportError):
        return error
    traceback.print_exception(error)  # the command line's log has it
    return ExportError(
        f"It cannot be executed: {type(error).__name__}: {error}.", remedy="Run `dermport export` again."
    )


def _line(name: str, outcome: tuple[Export, Parity] | DermportError) -> str:
    if isinstance(outcome, DermportError):
        return f"{name}: not proved: {outcome.message}"
    parity = outcome[1]
    return f"{name}: {parity.status}, top-1 {parity.top1_agreement:.3f}, at most {parity.max_change:.2g} off"


def _record(export: Export, parity: Parity) -> str:
    """Keep a proof with its artifact; return why that cannot be done, as on a disk that can only be read."""
    from dermport.bundle.store import write_record

    try:
        write_record(export.path, export.record.model_copy(update={"parity": parity}))
    except OSError as error:
        return f"Not recorded in {export.path}: {error.strerror}."
    return ""


def _selected(bundle: Bundle, to: Sequence[str] | None, precision: Sequence[str] | None) -> list[Path]:
    """Return the folders of a bundle's exports that are of these targets and precisions; None for all.

    Raises:
        UsageError: There are none.
    """
    from dermport.bundle.store import RECORD
    from dermport.exporters.registry import select

    chosen = select(list(to or ()), list(precision or ()), optional=True)
    wanted = [
        bundle.export_folder(target.capabilities.name, recipe.precision)
        for target, recipes in chosen
        for recipe in recipes
    ]
    folders = sorted(folder for folder in wanted if (folder / RECORD).exists())
    if not folders:
        raise UsageError(f"{bundle.path} has no such export.", remedy=f"Run `dermport export {bundle.path}` first.")
    return folders


def _data_reference(bundle: Bundle, data: Path, part: str | None, progress: Progress) -> VerificationReference:
    """Prepare a data set's photos and ask the original about them."""
    from dermport.exporters.verify import VerificationReference, maps_of
    from dermport.workflows.evaluate import answers
    from dermport.workflows.photos import read_photos

    photos = read_photos(bundle, data, part, progress=progress)
    tensors = photos.tensors(bundle.manifest.preprocessing)
    return VerificationReference(photos, answers(bundle, photos, progress), maps_of(bundle, tensors))
