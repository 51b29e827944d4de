"""Results of several machines in one: the bundles once, the sessions side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from dermport.bundle.benchmark_record import BenchmarkResult, BundleEntry, ExportResult, MachineRecord
from dermport.errors import DataError, UsageError

_FACTS = ("input_size", "alpha", "parameters", "macs", "threshold")
"""What two results must say alike of one model; its folder's name, version and lineage are words."""


def merge(results: Sequence[BenchmarkResult]) -> BenchmarkResult:
    """Return one result with the sessions of all, in their order; a session that is in several is kept once.

    Files of the same export may differ between machines (an engine is built where it runs): they stay apart, each in
    its own session. The words about a bundle (name, version, parent, recipe) are those of the first result that has it.

    Raises:
        UsageError: There is nothing to merge.
        DataError: Two results contradict each other about the same model.
    """
    if not results:
        raise UsageError("There are no results to merge.", remedy="Name the JSON files of at least two benchmarks.")
    bundles: dict[str, BundleEntry] = {}
    for result in results:
        for entry in result.bundles:
            _agree(bundles.setdefault(entry.model_sha256, entry), entry)
    sessions = dict.fromkeys(session.model_dump_json() for result in results for session in result.sessions)
    known = {session.model_dump_json(): session for result in results for session in result.sessions}
    return BenchmarkResult(bundles=tuple(bundles.values()), sessions=tuple(known[one] for one in sessions))


def _agree(first: BundleEntry, second: BundleEntry) -> None:
    for fact in _FACTS:
        here, there = getattr(first, fact), getattr(second, fact)
        if here is not None and there is not None and here != there:
            raise DataError(
                f"Two results contradict each other about {first.name} (model {first.model_sha256[:12]}): "
                f"{fact} is {here} in one and {there} in the other.",
                remedy="Run the benchmark again on the same bundle on both machines, then merge.",
            )


def same_machine(this: MachineRecord, other: MachineRecord) -> bool:
    """Return whether two sessions ran on the same kind of machine, whose times can be compared."""
    return (this.processor, this.cores, this.jetson) == (other.processor, other.cores, other.jetson)


def machine_labels(result: BenchmarkResult) -> tuple[str, ...]:
    """Return a name for each session's machine, unique in the result."""
    names = [_machine_name(session.machine) for session in result.sessions]
    often, seen = Counter(names), Counter[str]()
    labels = []
    for name in names:
        seen[name] += 1
        labels.append(f"{name}, session {seen[name]}" if often[name] > 1 else name)
    return tuple(labels)


def _machine_name(machine: MachineRecord) -> str:
    name = machine.jetson or machine.processor.replace("(R)", "").replace("(TM)", "").split("@")[0].strip()
    return f"{name}, {machine.power_mode}" if machine.power_mode else name


def differing_files(result: BenchmarkResult) -> Iterator[tuple[str, str]]:
    """Yield bundle and name of the exports that are not the same file in all sessions: their figures do not mix."""
    files: dict[tuple[str, str], set[str]] = {}
    for session in result.sessions:
        for export in session.exports:
            files.setdefault(_key(export), set()).add(export.artifact_sha256)
    yield from (key for key, hashes in files.items() if len(hashes) > 1)


def _key(export: ExportResult) -> tuple[str, str]:
    return export.bundle, export.name
