"""The figures of an evaluation as tables and remarks for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dermport.cli.output import console, new_table, say

if TYPE_CHECKING:
    from rich.table import Table

    from dermport.bundle.evaluation_report import EvaluationReport, ModelComparison
    from dermport.bundle.store import Bundle
    from dermport.statistics.fairness import Fairness
    from dermport.statistics.paired import RightnessTest


def say_doubt(bundle: Bundle) -> None:
    """Say where the evaluation that is saved with a bundle does not tell its model from chance."""
    from dermport.workflows.evaluate import saved_evaluation

    if doubt := saved_evaluation(bundle).report.doubt:
        say(f"[bold red]{doubt}[/]")


def print_report(report: EvaluationReport) -> None:
    """Print the figures for people."""
    console().print(_overall(report), _classes(report))
    if report.fairness and report.fairness.gaps:
        console().print(_gaps(report.fairness, _level(report)))
    if report.against:
        console().print(_differences(report.against, _level(report)))
        for line in _tests(report.against):
            say(line)
    for line in _remarks(report):
        say(line)


def _level(report: EvaluationReport) -> str:
    return f"{100 * report.confidence:g} % interval"


def _overall(report: EvaluationReport) -> Table:
    from dermport.statistics.metrics import TITLES
    from dermport.statistics.text import in_words

    photos = f"{report.photos:,} photos of {report.lesions:,} lesions"
    table = new_table("figure", f"value ({_level(report)})", title=f"{report.data}, {report.part}: {photos}")
    for key, metric in report.figures.items():
        table.add_row(TITLES[key], in_words(metric))
    return table


def _classes(report: EvaluationReport) -> Table:
    from dermport.statistics.metrics import CLASS_TITLES
    from dermport.statistics.text import interval

    title = f"Each class against the rest ({_level(report)})"
    table = new_table("class", "photos (lesions)", *CLASS_TITLES.values(), title=title)
    for one in report.classes:
        table.add_row(one.id, f"{one.photos:,} ({one.lesions:,})", *map(interval, one.metrics.values()))
    return table


def _gaps(fairness: Fairness, level: str) -> Table:
    from dermport.statistics.metrics import TITLES
    from dermport.statistics.subgroups import KINDS
    from dermport.statistics.text import in_words

    title = "Gaps between groups of people: the largest figure less the smallest"
    table = new_table("groups", "figure", f"gap ({level})", "by chance", "p", "lowest", title=title)
    for one in fairness.gaps:
        figure = TITLES[one.figure].removesuffix(" of the decision")
        chance = (f"{one.by_chance:.3f}", f"{one.p:.3f}")
        table.add_row(f"{KINDS[one.kind]} ({one.groups})", figure, in_words(one.gap), *chance, one.lowest)
    return table


def _differences(against: ModelComparison, level: str) -> Table:
    from dermport.statistics.metrics import TITLES

    other = f"{against.model.name} {against.model.version}"
    title = f"Against {other}, on the same photos"
    table = new_table("figure", "this", "other", f"change (paired {level})", title=title)
    for key, one in against.figures.items():
        if one.this is None or one.other is None or one.change is None:
            continue
        ends = "" if one.low is None or one.high is None else f" ({one.low:+.3f} to {one.high:+.3f})"
        table.add_row(TITLES[key], f"{one.this:.3f}", f"{one.other:.3f}", f"{one.change:+.3f}{ends}")
    return table


def _tests(against: ModelComparison) -> Iterator[str]:
    seen, name = against.seen, against.model.name
    if against.overlaps:
        yield (
            f"[bold red]{name} was made with {seen.train:,} (training) and {seen.validation:,} (validation) of these "
            f"{against.photos:,} photos or of their lesions: its figures are flattered, and no fair comparison.[/]"
        )
    if against.auc:
        test = against.auc
        yield (
            f"ROC AUC of the decision, DeLong: {test.change:+.3f} ({test.low:+.3f} to {test.high:+.3f}), "
            f"p = {test.p:.3g}."
        )
    yield _rightness("Top class", against.top_class, name)
    if against.decision:
        yield _rightness("Decision", against.decision, name)
    if against.photos > against.lesions:
        yield (
            f"DeLong and McNemar take photos as independent, but these {against.photos:,} show {against.lesions:,} "
            "lesions: their p-values come out too small. The intervals in the table are by lesion, and what counts."
        )


def _rightness(what: str, test: RightnessTest, name: str) -> str:
    return (
        f"{what}, McNemar's exact test: right alone in {test.this_only} photos, {name} alone in {test.other_only}, "
        f"p = {test.p:.3g}."
    )


def _remarks(report: EvaluationReport) -> Iterator[str]:
    decision, calibration = report.decision, report.calibration
    if report.doubt:
        yield f"[bold red]{report.doubt}[/]"
    if decision:
        yield (
            f"Decision “{decision.name}” at {decision.threshold:.4g}: {decision.true_positives} positives found, "
            f"{decision.false_negatives} missed; {decision.false_positives} false alarms, "
            f"{decision.true_negatives} rightly passed."
        )
    yield from _threshold(report)
    yield (
        f"Temperature {calibration.temperature:.3f}: calibration error {calibration.before.ece:.3f} before, "
        f"{calibration.after.ece:.3f} after."
    )
    if report.absent:
        yield f"[yellow]No photo shows {', '.join(report.absent)}[/]: macro figures are over the other classes."
    if report.too_few:
        few = ", ".join(f"{label} ({lesions:,})" for label, lesions in report.too_few.items())
        yield f"[yellow]Too few lesions to measure: {few}.[/] Chance decides most of it; (–): not measured."
    if report.external:
        yield "External validation: another data set than the one that the model was trained on."
    elif report.part in {"train", "validation", "all"}:
        yield "[yellow]The model was made with these photos: the figures flatter it.[/]"
    yield report.notice


def _threshold(report: EvaluationReport) -> Iterator[str]:
    from dermport.statistics.text import in_words

    found = report.threshold
    if found is not None:
        yield (
            f"The threshold rests on {found.positives:,} positives among {found.photos:,} {found.part} photos: "
            f"{in_words(found.threshold)}. With that uncertainty, sensitivity {in_words(found.sensitivity)}, "
            f"specificity {in_words(found.specificity)}."
        )
