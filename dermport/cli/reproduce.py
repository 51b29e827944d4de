"""``dermport reproduce``: a paper's protocol, as published and honestly, beside the published figures."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli.options import Jobs, Json, Seed

if TYPE_CHECKING:
    from dermport.training.protocols.report import NetworkReport, Report


def reproduce(
    preset: Annotated[
        str, typer.Argument(metavar="PRESET", help="A protocol that comes with dermport (--list), or a FILE.toml.")
    ] = "",
    data: Annotated[
        Path | None, typer.Option("--data", help="Photos, as `dermport train` takes them; the paper's, or a stand-in.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for report and predictions; must not exist yet.")
    ] = None,
    weights: Annotated[
        str, typer.Option("--weights", help="What MobileNetV2 starts from: imagenet (downloaded), or a FILE.")
    ] = "imagenet",
    weights_dir: Annotated[
        Path | None,
        typer.Option(
            "--weights-dir",
            help="For survey: folder of <architecture>*.weights.h5; random numbers where one is missing.",
        ),
    ] = None,
    lesion_pattern: Annotated[
        str | None,
        typer.Option("--lesion-pattern", help="For a folder per class: a regular expression, as train takes it."),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.OPTION=VALUE", help="Change the protocol; may be repeated, and is told."),
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List the protocols, or show the one that is named.")] = False,
    seed: Seed = 0,
    jobs: Jobs = 0,
    json: Json = False,
) -> None:
    """Run a paper's protocol with its own split and with an honest one, and report both beside its figures.

    A run that was killed goes on where it was when the same command is given again, to the same result.
    """
    from dermport.cli import output
    from dermport.errors import UsageError
    from dermport.training.protocols.protocol import load_protocol
    from dermport.training.protocols.reproduce import ReproductionRequest
    from dermport.training.protocols.reproduce import reproduce as run

    if show:
        _show(preset, change or [], json)
        return
    if not preset or data is None or out is None:
        raise UsageError(
            "`dermport reproduce` needs a PRESET, its --data and --out.",
            remedy="`dermport reproduce --list` shows the presets.",
        )
    request = ReproductionRequest(
        load_protocol(preset, change or []),
        data,
        out,
        tuple(change or ()),
        weights,
        weights_dir,
        lesion_pattern,
        seed,
        jobs,
        shlex.join(["dermport", *sys.argv[1:]]),
    )
    report = run(request, output)
    _print(report, out)
    if json:
        output.emit_json(report.model_dump(mode="json", by_alias=True))


def _show(preset: str, changes: list[str], json: bool) -> None:
    from dermport.cli.output import console, emit_json, new_table, say
    from dermport.training.protocols.protocol import built_in, load_protocol

    protocols = [load_protocol(name, changes) for name in ([preset] if preset else built_in())]
    if json:
        emit_json([one.model_dump(mode="json") for one in protocols])
        return
    for one in protocols:
        say(f"[bold]{one.name}[/bold]  {one.summary}")
    if preset:
        table = new_table("open in the paper", "chosen")
        for silent in protocols[0].silent:
            table.add_row(silent.what, silent.chosen)
        table.columns[0].no_wrap = False
        console().print(table)


def _print(report: Report, out: Path) -> None:
    from dermport.bundle.notice import NOTICE
    from dermport.cli.output import console, say

    for network in report.networks:
        console().print(_table(report, network))
    for remark in report.remarks:
        say(f"{'[bold]Cannot be.[/bold] ' if remark.level == 'cannot be' else ''}{remark.text}")
    say(f"[bold]{out}[/bold]: report.md, report.json, predictions. {NOTICE}")


def _table(report: Report, network: NetworkReport) -> object:
    from dermport.cli.output import new_table
    from dermport.training.protocols.figures import TITLES
    from dermport.training.protocols.report import gap_in_words, metric_in_words

    published = {one.figure: f"{one.value:g}" for one in report.protocol.published}
    gap = ("leak gap",) if network.gaps else ()
    table = new_table("figure", "published", *(one.arm.name for one in network.arms), *gap, title=network.name)
    for key in network.arms[0].figures:
        cells = [metric_in_words(one.figures[key]) for one in network.arms]
        cells += [gap_in_words(network.gaps[key])] if network.gaps else []
        table.add_row(TITLES[key], published.get(key, "–"), *cells)
    if not network.arms[0].figures:
        table.add_row("accuracy", "–", *("not measured" for _ in network.arms))
    return table
