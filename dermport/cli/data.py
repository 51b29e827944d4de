"""``dermport data``: what a data set is, before anything is trained on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dermport.cli.options import Jobs, Json, Seed


def data(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="Photos, as --data of train takes them: a folder, a CSV, a TOML.")
    ],
    task: Annotated[
        str, typer.Option("--task", help="ham7, cancer, or a grouping table of your own: FILE.toml[:NAME].")
    ] = "ham7",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the card, its tables and a contact sheet; must not exist yet."),
    ] = None,
    input_size: Annotated[
        int,
        typer.Option("--input-size", min=32, max=1024, help="Side of the model's input to judge photos for, pixels."),
    ] = 224,
    lesion_pattern: Annotated[
        str | None,
        typer.Option("--lesion-pattern", help="For a folder per class: a regular expression, as train takes it."),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option("--split", help="Check these parts, as train takes them: a CSV, or predefined. Default: drawn."),
    ] = None,
    seed: Seed = 0,
    jobs: Jobs = 0,
    json: Json = False,
) -> None:
    """Read a data set, check it, and show its card: counts, people, licences, quality, near-duplicates, its split.

    Exit code 1 where a training would be refused or would leak.
    """
    from dermport.bundle.manifest import Preprocessing
    from dermport.cli.data_tables import print_card
    from dermport.cli.output import bar, emit_json, say
    from dermport.errors import UsageError
    from dermport.training.data.dataset import read_dataset
    from dermport.training.data.sources import open_dataset
    from dermport.training.data.splits import parted
    from dermport.training.data.tasks import load_task
    from dermport.training.data_card.build import build_card
    from dermport.training.data_card.files import write_data_card
    from dermport.training.data_card.survey import survey_records

    if out is not None and out.exists():
        raise UsageError(f"{out} exists already.", remedy="Choose another --out, or remove the folder first.")
    reader, spec = open_dataset(path, lesion_pattern=lesion_pattern), Preprocessing(size=input_size)
    with bar("Reading photos") as update:
        dataset = read_dataset(reader, load_task(task), near_duplicates=True, jobs=jobs or None, update=update)
    with bar("Looking at photos") as update:
        survey = survey_records(dataset.records, spec, jobs=jobs or None, update=update)
    card = build_card(reader, dataset, survey, parted(dataset, split, seed), seed)
    print_card(card)
    if out is not None:
        write_data_card(out, card, dataset, survey)
        say(f"[bold]{out}[/bold]: {', '.join(sorted(path.name for path in out.iterdir()))}")
    if json:
        emit_json(card.model_dump(mode="json", by_alias=True))
    if card.failed:
        raise typer.Exit(1)
