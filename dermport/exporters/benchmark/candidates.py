"""What is measured: exports of one or more bundles, and which of them the others are held against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dermport.bundle.benchmark_record import BundleEntry
from dermport.bundle.macs import count_macs
from dermport.bundle.store import Bundle, Export
from dermport.errors import BundleError, ExportError, Parameters, UsageError
from dermport.exporters.registry import TARGETS, get_target, select

ORIGINAL = "fp32"


@dataclass(frozen=True)
class BenchmarkedExport:
    """One export of one bundle."""

    bundle: Bundle
    export: Export

    @property
    def key(self) -> tuple[str, str]:
        """The bundle's model_sha256, and ``<target>-<precision>``."""
        return self.bundle.model_sha256, self.name

    @property
    def name(self) -> str:
        """``<target>-<precision>``."""
        return f"{self.export.record.target}-{self.export.record.precision}"

    @property
    def dynamic_batch(self) -> bool:
        """Whether it takes several photos in a call."""
        return get_target(self.export.record.target).capabilities.dynamic_batch

    def check(self) -> None:
        """Hold the export against what was recorded of it.

        Raises:
            ExportError: It was made from another model than its bundle's.
            IntegrityError: Its bytes are not the recorded ones.
        """
        if self.export.record.bundle.model_sha256 != self.bundle.model_sha256:
            raise ExportError(
                f"{self.export.path} was made from another model than its bundle's.",
                remedy="Run `dermport export` on the bundle again.",
            )
        self.export.checked()


def choose(
    bundles: Sequence[Bundle],
    *,
    targets: list[str] | None = None,
    precisions: list[str] | None = None,
    names: Sequence[str] = (),
) -> list[BenchmarkedExport]:
    """Return the exports to measure: those that are named, and the first bundle's fp32 ones to hold them against.

    These are its fp32 exports of the same targets, and the one that comes first in the registry, whatever is named: so
    ratios mean the same in every result.

    Args:
        bundles: The first one's fp32 exports are what the others are held against.
        targets: Only these targets; None for all.
        precisions: Only these precisions; None for all.
        names: Only these, as ``<target>-<precision>``; empty for all. It excludes the two above.

    Raises:
        UsageError: Bundles cannot be compared, options exclude each other, or there is no such export.
    """
    comparable(bundles)
    if names and (targets or precisions):
        raise UsageError(
            "{exports} names what {to} and {precision} choose.", remedy="Use the one or the others.", of=Parameters
        )
    recipes = [
        f"{t.capabilities.name}-{r.precision}" for t, rs in select(targets, precisions, optional=True) for r in rs
    ]
    chosen = [one for bundle in bundles for one in _of(bundle) if one.name in (names or recipes)]
    known = {one.name for one in chosen}
    if missing := [name for name in names if name not in known]:
        raise UsageError(f"No bundle has an export {', '.join(missing)}.", remedy=f"There are: {_all_names(bundles)}.")
    if not chosen:
        raise UsageError("The bundles have no such export.", remedy="Run `dermport export` on them first.")
    held_against = originals(list(_of(bundles[0])))
    used = {*(one.export.record.target for one in chosen), *list(held_against)[:1]}
    added = [one for target, one in held_against.items() if target in used and one not in chosen]
    if (added or chosen)[0].bundle is not bundles[0]:
        raise UsageError(
            f"{bundles[0].path} has no such export, nor an fp32 one to hold the others against.",
            remedy=f"Run `dermport export {bundles[0].path} --precision fp32`.",
        )
    return [*added, *chosen]


def comparable(bundles: Sequence[Bundle]) -> None:
    """Make sure that the bundles tell the same things apart.

    Raises:
        UsageError: One is named twice, or their labels or positive labels differ.
    """
    first = bundles[0].manifest
    if len({bundle.model_sha256 for bundle in bundles}) < len(bundles):
        raise UsageError("Two of the bundles hold the same model.", remedy="Name each bundle once.")
    for bundle in bundles[1:]:
        task = bundle.manifest.task
        if (task.ids, task.positive_indices) != (first.task.ids, first.task.positive_indices):
            raise UsageError(
                f"{bundle.manifest.name} tells other labels apart than {first.name}.",
                remedy="Compare bundles of one task.",
            )


def originals(candidates: Sequence[BenchmarkedExport]) -> dict[str, BenchmarkedExport]:
    """Return the first bundle's fp32 exports by target, in the registry's order: the first one is the reference."""
    found = {
        one.export.record.target: one
        for one in candidates
        if one.bundle is candidates[0].bundle and one.export.record.precision == ORIGINAL
    }
    return {target: found[target] for target in TARGETS if target in found}


def bundle_entry(bundle: Bundle) -> BundleEntry:
    """Return a bundle for the record."""
    manifest, macs, reason = bundle.manifest, None, ""
    try:
        macs = count_macs(bundle.file(manifest.model.file))
    except BundleError as error:
        reason = error.message
    made = manifest.compression
    return BundleEntry(
        name=manifest.name,
        version=manifest.version,
        model_sha256=bundle.model_sha256,
        parent=made.parent.name if made else None,
        parent_sha256=made.parent.model_sha256 if made else None,
        recipe=made.recipe if made else None,
        input_size=manifest.preprocessing.size,
        alpha=manifest.model.alpha,
        parameters=manifest.model.parameters,
        macs=macs,
        macs_unknown_because=reason,
        threshold=manifest.decision.threshold if manifest.decision else None,
    )


def _of(bundle: Bundle) -> Iterator[BenchmarkedExport]:
    return (BenchmarkedExport(bundle, export) for export in bundle.exports())


def _all_names(bundles: Sequence[Bundle]) -> str:
    return ", ".join(sorted({one.name for bundle in bundles for one in _of(bundle)}))
