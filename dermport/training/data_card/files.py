"""The folder of a data card: JSON, Markdown, two tables and the contact sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from dermport.bundle.atomic import atomic_directory, write_json, write_text
from dermport.bundle.csv_table import cell, csv_text
from dermport.bundle.photo_quality import bounds
from dermport.templates import load_template
from dermport.training.data.dataset import Dataset
from dermport.training.data.tasks import suggested_task
from dermport.training.data_card.card import DataCard
from dermport.training.data_card.sheet import closest_first, write_sheet
from dermport.training.data_card.survey import Survey

_TEMPLATE = Path(__file__).with_name("data_card.md.in")


def write_data_card(folder: Path, card: DataCard, dataset: Dataset, survey: Survey) -> None:
    """Write everything about a data set into a new folder, whole or not at all.

    Files: ``data-card.json``, ``data-card.md``, ``quality.csv`` (a row per photo), ``near-duplicates.csv`` (a row per
    pair), ``contact-sheet.png`` and, where labels are not in the task, ``task.toml`` with all that were found.

    Raises:
        UsageError: The folder exists.
    """
    with atomic_directory(folder) as part:
        write_json(part / "data-card.json", card.model_dump(mode="json", by_alias=True))
        (part / "data-card.md").write_text(render_data_card(card), encoding="utf-8")
        write_text(part / "quality.csv", _safe_csv(*_quality_table(dataset, survey)))
        write_text(part / "near-duplicates.csv", _safe_csv(*_pair_table(dataset)))
        if card.unknown_labels:
            found = {label: photos for one in card.labels for label, photos in one.sources.items()}
            write_text(part / "task.toml", suggested_task({**found, **card.unknown_labels}))
        write_sheet(part / "contact-sheet.png", dataset, survey)


def render_data_card(card: DataCard) -> str:
    """Return the card as Markdown."""
    return load_template(
        _TEMPLATE,
        figure=lambda value: "–" if value is None else f"{value:.3g}",
        count="{:,}".format,
        share=lambda value: f"{100 * value:.1f} %",
        cell=lambda text: " ".join(str(text).replace("|", "\\|").split()),
    ).render(card=card)


def _quality_table(dataset: Dataset, survey: Survey) -> tuple[list[str], list[list[object]]]:
    codes = [bound.code for bound in bounds()]
    header = ["photo_id", "label", "width", "height", "light", "black", "white", *codes, "hints"]
    rows = []
    for record, seen in zip(dataset.records, survey.qualities, strict=True):
        figures = [seen.light, seen.black, seen.white, *(seen.values[code] for code in codes)]
        rounded = ["" if figure is None else f"{figure:.4g}" for figure in figures]
        rows.append([record.photo_id, record.label, seen.width, seen.height, *rounded, " ".join(seen.hints)])
    return header, rows


def _pair_table(dataset: Dataset) -> tuple[list[str], list[list[object]]]:
    header = ["first", "second", "bits", "first_lesion", "second_lesion", "first_label", "second_label"]
    rows: list[list[object]] = []
    for link in closest_first(dataset):
        one, other = dataset.records[link.first], dataset.records[link.second]
        pairs = zip(
            (one.photo_id, one.lesion_id, one.label), (other.photo_id, other.lesion_id, other.label), strict=True
        )
        ids, lesions, labels = pairs
        rows.append([*ids, link.distance, *lesions, *labels])
    return header, rows


def _safe_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return csv_text(header, (map(cell, row) for row in rows))
