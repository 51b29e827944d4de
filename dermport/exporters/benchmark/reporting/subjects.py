"""What a report is about: every export in every session, under names for people."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from dermport.bundle.benchmark_record import Accuracy, BenchmarkResult, BundleEntry, ExportResult, Session
from dermport.exporters.benchmark.merge import machine_labels

Family = Literal["float32", "float16", "8 bit", "fewer bits", "other"]
FAMILIES: tuple[Family, ...] = ("float32", "float16", "8 bit", "fewer bits", "other")
_FEWER = ("int4", "int2", "palette", "4bit", "w4")


@dataclass(frozen=True)
class Subject:
    """One export in one session.

    Attributes:
        name: The export's, behind its bundle's where there are several.
        machine: The session's, unique in the result.
        session: Where it was measured.
        export: What was measured.
        bundle: What it was exported from.
    """

    name: str
    machine: str
    session: Session
    export: ExportResult
    bundle: BundleEntry

    @property
    def is_reference(self) -> bool:
        """Whether ratios are to it and changes from it."""
        named = self.session.reference
        return named is not None and (named.bundle, named.export) == (self.export.bundle, self.export.name)

    @property
    def family(self) -> Family:
        """How its weights are stored, as far as its precision's name tells."""
        precision = self.export.precision
        if precision.startswith(_FEWER):
            return "fewer bits"
        starts: dict[str, Family] = {"fp32": "float32", "fp16": "float16", "int8": "8 bit"}
        return next((family for start, family in starts.items() if precision.startswith(start)), "other")

    @property
    def median_ms(self) -> float | None:
        """The median latency of single photos, milliseconds; None where it was not measured."""
        timing = self.export.speed.at(1) if self.export.speed else None
        return timing.p50_ms if timing else None

    def figure(self, name: str) -> float | None:
        """Return a figure of merit by its key in :data:`dermport.statistics.metrics.TITLES`."""
        figures = self.export.accuracy.figures if self.export.accuracy else {}
        return figures[name].value if name in figures else None


@dataclass(frozen=True)
class Subjects:
    """All exports of a result in all its sessions."""

    result: BenchmarkResult

    @cached_property
    def machines(self) -> tuple[str, ...]:
        """The sessions' machines."""
        return machine_labels(self.result)

    @property
    def several_machines(self) -> bool:
        """Whether tables have to name the machine."""
        return len(self.result.sessions) > 1

    @cached_property
    def all(self) -> tuple[Subject, ...]:
        """Every export of every session: bundle by bundle, the reference first, then by target and precision."""
        alone = len(self.result.bundles) == 1
        found = [
            Subject(
                name=export.name if alone else f"{self.result.label(export.bundle)} {export.name}",
                machine=machine,
                session=session,
                export=export,
                bundle=self.result.bundle(export.bundle),
            )
            for session, machine in zip(self.result.sessions, self.machines, strict=True)
            for export in session.exports
        ]
        return tuple(sorted(found, key=self._place))

    def _place(self, subject: Subject) -> tuple[int, int, bool, str, int, str]:
        return (
            self.machines.index(subject.machine),
            self.result.bundles.index(subject.bundle),
            not subject.is_reference,
            subject.export.target,
            FAMILIES.index(subject.family),
            subject.export.precision,
        )

    @property
    def labelled(self) -> bool:
        """Whether any machine's photos have labels."""
        return any(session.photos.positive is not None for session in self.result.sessions)

    @cached_property
    def by_name(self) -> dict[str, tuple[Subject, ...]]:
        """The sessions' measurements of each export."""
        found: dict[str, tuple[Subject, ...]] = {}
        for subject in self.all:
            found[subject.name] = (*found.get(subject.name, ()), subject)
        return found

    def of(self, machine: str) -> tuple[Subject, ...]:
        """Return a machine's exports."""
        return tuple(subject for subject in self.all if subject.machine == machine)

    @cached_property
    def answers(self) -> tuple[tuple[str, Subject, Accuracy], ...]:
        """What was answered, with a name: once for each export where all machines answered alike."""
        found: list[tuple[str, Subject, Accuracy]] = []
        for name, subjects in self.by_name.items():
            distinct: dict[str, tuple[Subject, Accuracy]] = {}
            for subject in subjects:
                if accuracy := subject.export.accuracy:
                    key = f"{subject.session.photos.sha256} {accuracy.decided} {accuracy.correct}"
                    distinct.setdefault(key, (subject, accuracy))
            several = len(distinct) > 1
            found += [(f"{name} ({one.machine})" if several else name, one, given) for one, given in distinct.values()]
        return tuple(found)
