"""What a cross-validation leaves for people: JSON, Markdown, one chart, and the out-of-fold predictions."""

from __future__ import annotations

from pathlib import Path

from dermport.bundle.atomic import write_json, write_text
from dermport.figures.folds import draw_folds
from dermport.statistics.metrics import CLASS_TITLES, TITLES
from dermport.statistics.text import in_words
from dermport.training.cross_validation.predictions import PREDICTIONS, OutOfFold, write_predictions
from dermport.training.cross_validation.report import CrossValidationReport, FoldReport, Spread

REPORT, MARKDOWN, CHART = "cross_validation.json", "report.md", "folds.png"
_SHOWN = ("accuracy", "balanced_accuracy", "macro_roc_auc", "decision_roc_auc", "decision_sensitivity")


def write_report(folder: Path, found: OutOfFold, report: CrossValidationReport) -> None:
    """Write all of it into `folder`, each file atomically."""
    write_predictions(folder, found)
    drawn = folder / f".{CHART}.part.png"
    draw_folds(
        drawn,
        f"{len(report.folds)}-fold cross-validation of {report.data}: {report.pooled.photos:,} photos",
        [fold.figures for fold in report.folds],
        means={name: spread.mean for name, spread in report.spread.items()},
        pooled=report.pooled.figures,
        level=report.pooled.confidence,
    )
    drawn.replace(folder / CHART)
    write_text(folder / MARKDOWN, to_markdown(report))
    write_json(folder / REPORT, report.model_dump(mode="json", by_alias=True))


def to_markdown(report: CrossValidationReport) -> str:
    """Return the report as Markdown."""
    return (
        "\n\n".join(
            (
                f"# {len(report.folds)}-fold cross-validation: {report.data}, {report.task}",
                f"> {report.notice}",
                _about(report),
                f"![Figures of every fold, and of all out-of-fold predictions]({CHART})",
                "## Figures",
                _figures(report),
                report.spread_meaning,
                report.pooled_meaning,
                "## Folds",
                _folds(report),
                "## Labels, out of fold",
                _classes(report),
                "## Confusion, out of fold (rows: truth)",
                _confusion(report),
                "## What is kept",
                _kept(report),
            )
        )
        + "\n"
    )


def spread_in_words(spread: Spread) -> str:
    """Return e.g. ``0.812 ± 0.014``, with how many folds have the figure where not all have."""
    if spread.mean is None:
        return "undefined"
    return f"{spread.mean:.3f}" + ("" if spread.sd is None else f" ± {spread.sd:.3f}")


def _table(*rows: tuple[str, ...]) -> str:
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *body))


def _about(report: CrossValidationReport) -> str:
    pooled = report.pooled
    held_out = f"; {report.held_out_photos:,} more are held out, and no fold saw them" if report.held_out_photos else ""
    return (
        f"{pooled.photos:,} photos in {pooled.groups:,} groups (lesion, patient, near-duplicates: never in two folds), "
        f"stratified by label, seed {report.seed}{held_out}. Of each fold's other photos, {report.validation:.0%} "
        f"chose its epochs, temperature and threshold. Out-of-fold predictions are in `{PREDICTIONS}`, the folds in "
        f"`folds.csv` (sha256 `{report.plan_sha256[:12]}…`). Made by `{report.command}`."
    )


def _figures(report: CrossValidationReport) -> str:
    rows = [
        (
            title,
            spread_in_words(report.spread[key]),
            _between(report.spread[key]),
            in_words(report.pooled.figures[key]),
            *((in_words(report.held_out.figures[key]),) if report.held_out else ()),
        )
        for key, title in TITLES.items()
    ]
    head = ("figure", "mean ± sd of the folds", "lowest to highest", f"out of fold ({report.pooled.confidence:.0%})")
    return _table((*head, *(("held out, kept model",) if report.held_out else ())), *rows)


def _between(spread: Spread) -> str:
    return "" if spread.lowest is None else f"{spread.lowest:.3f} to {spread.highest:.3f}"


def _folds(report: CrossValidationReport) -> str:
    head = ("fold", "train / validation / test", "groups tested", "epochs", "T", "threshold")
    return _table((*head, *(TITLES[key] for key in _SHOWN)), *(_fold(row) for row in report.folds))


def _fold(row: FoldReport) -> tuple[str, ...]:
    figures = (row.figures[key] for key in _SHOWN)
    return (
        str(row.fold),
        " / ".join(f"{row.photos[part]:,}" for part in ("train", "validation", "test")),
        f"{row.groups:,}",
        str(row.epochs),
        f"{row.temperature:.2f}",
        f"{row.threshold:.3f}",
        *("undefined" if value is None else f"{value:.3f}" for value in figures),
    )


def _classes(report: CrossValidationReport) -> str:
    rows = (
        (one.name, f"{one.photos:,}", *(in_words(one.figures[key]) for key in CLASS_TITLES))
        for one in report.pooled.classes
    )
    return _table(("label", "photos", *CLASS_TITLES.values()), *rows)


def _confusion(report: CrossValidationReport) -> str:
    ids = [one.id for one in report.pooled.classes]
    rows = zip(ids, report.pooled.confusion_matrix, strict=True)
    return _table(("", *ids), *((label, *map(str, counts)) for label, counts in rows))


def _kept(report: CrossValidationReport) -> str:
    if report.kept is None:
        return "No model: the figures are of the procedure. `--keep median` or `--keep ensemble` keeps one."
    return report.kept.words
