"""How to read a benchmark's report, and how to have it again."""

from __future__ import annotations

from dermport.bundle.export_record import EVIDENCE_MEANING
from dermport.exporters.benchmark.reporting.subjects import Subjects
from dermport.exporters.benchmark.reporting.table import Row, Section, table


def reading_section(subjects: Subjects) -> Section:
    """Return what the columns mean, and the commands that measured."""
    words = (
        "The reference is the float32 original of the first bundle that was named. Ratios are to it: below 1 is "
        "smaller, faster or thriftier. Ratios of time pair the calls of one round, in which every export has its turn, "
        "so that what slows the machine down slows all of them.",
        "An interval says what other photos, or other rounds, could have given. Where the interval of a change holds "
        "0, or that of a ratio 1, this measurement shows no difference; it does not show that there is none.",
        "Agreement counts equal most probable labels and needs no truth. Equal accuracy can hide many flips: as many "
        "photos may have become wrong as became right. So look at the flips, and at the dangerous ones first.",
        "A figure that is missing is called not measured, with the reason. A stand-in's speed says nothing about the "
        "artifact, so that only evidence “device” and “host-runtime” have one.",
    )
    rows = [Row((name, meaning)) for name, meaning in EVIDENCE_MEANING.items()]
    commands = tuple(dict.fromkeys(session.command for session in subjects.result.sessions))
    evidence = table("Evidence: what was executed", ("evidence", "what was run"), rows, words=(1,))
    return Section("reading", "How to read it, and the command", words, evidence, commands=commands)
