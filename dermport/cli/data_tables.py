"""What ``dermport data`` prints: the card of a data set, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from dermport.cli.output import console, new_table, say

if TYPE_CHECKING:
    from dermport.training.data_card.card import DataCard

_MOST_GROUPS = 8  # of people that are shown; the files have them all


def print_card(card: DataCard) -> None:
    """Print what is there, what was left out, and what to know before training."""
    say(
        f"[bold]{card.source}[/bold] ({card.reader}), task {card.task}: {card.photos:,} of {card.listed:,} photos, "
        f"{card.lesions:,} lesions, {'no patients named' if card.patients is None else f'{card.patients:,} patients'}"
    )
    _print_labels(card)
    _print_people(card)
    _print_quality(card)
    for line in (*card.notes, *_left_out(card), *_lines(card)):
        say(escape(line))
    for finding in card.findings:
        say(
            f"[red]failure[/red]  {escape(finding.text)}"
            if finding.level == "failure"
            else f"[yellow]warning[/yellow]  {escape(finding.text)}"
        )
    say(card.notice)


def _print_labels(card: DataCard) -> None:
    table = new_table("label", "photos", "lesions", *(part.part for part in card.split.parts))
    for label in card.labels:
        parts = (f"{part.labels[label.id]:,}" for part in card.split.parts)
        table.add_row(label.id + " *" * label.positive, f"{label.photos:,}", f"{label.lesions:,}", *parts)
    totals = (f"{part.photos:,}" for part in card.split.parts)
    table.add_row("all", f"{card.photos:,}", f"{card.lesions:,}", *totals, style="bold")
    console().print(table)
    drawn = "as given" if card.split.seed is None else "those that a training with this seed draws"
    say(f"* positive; the parts are {drawn}")


def _print_people(card: DataCard) -> None:
    if not card.people:
        return
    table = new_table("photos", "of")
    for distribution in card.people:
        ordered = distribution.groups
        if len(ordered) > _MOST_GROUPS:
            ordered = tuple(sorted(ordered, key=lambda group: -group.photos)[:_MOST_GROUPS])
        groups = ", ".join(f"{group.value} {group.photos:,}" for group in ordered)
        more = len(distribution.groups) - len(ordered)
        table.add_row(distribution.kind, groups + (f", {more} more" if more else ""))
    console().print(table)


def _print_quality(card: DataCard) -> None:
    table = new_table("quality", "photos", "bound", "1 %", "median", "99 %")
    for fault in card.quality.faults:
        figures = ("–" if one is None else f"{one:.3g}" for one in (fault.p1, fault.median, fault.p99))
        table.add_row(fault.code, f"{fault.photos:,}", f"{fault.side} {fault.threshold:g}", *figures)
    console().print(table)


def _left_out(card: DataCard) -> list[str]:
    return [f"left out: {one.photos:,} {one.reason}, e.g. {one.examples[0]}" for one in card.dropped]


def _lines(card: DataCard) -> list[str]:
    near, split = card.near_duplicates, card.split
    metadata = ", ".join(f"{column.name} {100 * column.given / card.photos:.1f} %" for column in card.columns)
    sizes = ", ".join(f"{one.value} {one.photos:,}" for one in card.quality.sizes[:3])
    lesions = ", ".join(f"{one.value}: {one.photos:,}" for one in card.photos_per_lesion)
    return [
        f"lesions by their photos: {lesions}",
        f"metadata given: {metadata or 'none'}; {card.complete_rows:,} photos have no empty cell",
        f"sizes: {sizes}{', others' if len(card.quality.sizes) > 3 or card.quality.other_sizes else ''}",
        f"near-duplicates: {near.within_lesions:,} pairs of one lesion, {near.across_lesions:,} of different lesions "
        f"({near.other_labels:,} with different labels); kept in one part",
        f"leaks of the split: {split.lesions_in_two_parts} lesions, {split.groups_in_two_parts} groups, "
        f"{split.near_duplicates_apart} near-duplicates; photo by photo, {100 * split.leak_by_photo:.1f} % of the test "
        "photos would be of lesions that train",
        *(f"licence of {one.source}: {one.text.splitlines()[0]}" for one in card.licences if one.known),
    ]
