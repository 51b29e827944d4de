"""``dermport compare``: the same photos on the phone and on the Jetson."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli import output
from dermport.cli.options import ApiKey, Authority, Json
from dermport.cli.output import console, emit_json, say

if TYPE_CHECKING:
    from dermport.mobile_stub.html_report import Page
    from dermport.mobile_stub.journal import Send
    from dermport.mobile_stub.run import Tally
    from dermport.workflows.compare import Compared

_DOCUMENTS = (".html", ".csv", ".json")


def compare(
    bundle: Annotated[
        Path | None, typer.Argument(metavar="BUNDLE", help="Bundle folder, e.g. artifacts/ham7; not with --flush.")
    ] = None,
    photos: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PHOTOS...", help="JPEG or PNG files, folders, patterns, or a CSV with the columns photo and label."
        ),
    ] = None,
    server: Annotated[
        str | None, typer.Option("--server", help="The Jetson's server, e.g. http://jetson.local:8080.")
    ] = None,
    artifact: Annotated[
        list[str] | None,
        typer.Option("--artifact", help="What the phone runs: an export (tflite-int8) or a file; may be repeated."),
    ] = None,
    phone_precision: Annotated[
        str | None, typer.Option("--phone-precision", help="The same by precision. Default: fp32.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of a whole data set, by the bundle's split; brings labels.")
    ] = None,
    split: Annotated[Path | None, typer.Option("--split", help="With --data: another split.csv.")] = None,
    part: Annotated[str, typer.Option("--part", help="With --data: train, validation, test or all.")] = "test",
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            help="Folder that keeps both sides and the reports: the same command goes on where it was stopped, and "
            "what no server answers waits there. Or a new report: .html, .csv or .json. May be repeated.",
        ),
    ] = None,
    flush: Annotated[
        Path | None, typer.Option("--flush", help="Only post what waits in this --out folder of an earlier run.")
    ] = None,
    send: Annotated[
        str, typer.Option("--send", help="What leaves the phone: photo, prepared (the model's input), or both.")
    ] = "photo",
    thumbnails: Annotated[
        bool, typer.Option("--thumbnails", help="Show the photos in the HTML report: it then holds patients' photos.")
    ] = False,
    maps: Annotated[
        bool,
        typer.Option(
            "--maps", help="Compare class activation maps, too: one more request a photo; drawn with --thumbnails."
        ),
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", help="Photos at a time; 0: one per core.")] = 1,
    key: ApiKey = None,
    ca: Authority = None,
    json: Json = False,
) -> None:
    """Ask phone and Jetson about the same photos, and say where and why they differ.

    Exit 1 if a photo became different inputs on the two sides, only one side answered, a photo still waits for the
    server, or labels agree less often than the policy asks of the two artifacts.
    """
    from dermport.bundle.store import Bundle
    from dermport.errors import UsageError
    from dermport.mobile_stub.html_report import Page
    from dermport.workflows.compare import compare as run
    from dermport.workflows.compare import photos_of

    threads = jobs or os.cpu_count() or 1
    if flush is not None:
        if bundle or photos or data or out:
            raise UsageError("--flush posts what is in its folder, and takes no photos, --data or --out.")
        _flush(flush, server, key, ca, threads)
        return
    if bundle is None or server is None:
        raise UsageError("Name a bundle, photos, and the --server.", remedy="Or, to post what waits: --flush FOLDER.")
    names = [*(artifact or []), *([f"tflite-{phone_precision}"] if phone_precision else [])]
    folder, reports = _outputs(out or [])
    opened = Bundle.open(bundle)
    chosen = photos_of(opened, photos or [], data, split, part, warn=_warn)
    with _interruptible(folder):
        found = run(
            opened,
            chosen,
            server,
            artifacts=names,
            folder=folder,
            key=key,
            ca=ca,
            send=_sending(send),
            maps=maps,
            jobs=threads,
            progress=output,
            warn=_warn,
        )
    if maps:
        _remark_on_maps(found)
    _report(Page(found.comparisons, opened.manifest, server, chosen if thumbnails else ()), reports, folder, json)
    _remark(found.tally, folder)
    raise typer.Exit(int(not found.passed))


def _sending(send: str) -> Send:
    from typing import get_args

    from dermport.errors import UsageError
    from dermport.mobile_stub.journal import Send

    for known in get_args(Send):
        if send == known:
            return known  # type: ignore[no-any-return]
    raise UsageError(f"--send {send} is unknown.", remedy=f"One of: {', '.join(get_args(Send))}.")


def _outputs(out: list[Path]) -> tuple[Path | None, list[Path]]:
    """Return the folder and the reports; refuse what cannot be written before anybody is asked anything."""
    from dermport.errors import UsageError

    reports = [path for path in out if path.suffix.lower() in _DOCUMENTS]
    folders = [path for path in out if path not in reports]
    for path in reports:
        if path.exists():
            raise UsageError(f"{path} exists already.", remedy="Choose another --out, or remove the file first.")
    for path in folders:
        if path.suffix[1:].isalpha() and not path.is_dir():
            raise UsageError(f"{path} is neither a folder's name nor {', '.join(_DOCUMENTS)}.")
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is a file.", remedy="Choose another --out.")
    if len(folders) > 1:
        raise UsageError("A run has one folder; --out names several.")
    return (folders[0] if folders else None), reports


@contextlib.contextmanager
def _interruptible(folder: Path | None) -> Iterator[None]:
    """Say what is kept where Ctrl-C ends the work, after the photos that are at work."""
    try:
        yield
    except KeyboardInterrupt:
        kept = f"What was done is kept in {folder}: the same command goes on." if folder else "Nothing was kept."
        _warn(f"Interrupted. {kept}")
        raise typer.Exit(130) from None


def _flush(folder: Path, server: str | None, key: str | None, ca: Path | None, threads: int) -> None:
    from dermport.workflows.compare import flush

    with _interruptible(folder):
        tally = flush(folder, server=server, key=key, ca=ca, jobs=threads, progress=output)
    say(f"{tally.answered} posted, {tally.waiting} still wait. The report: the run's own command again.")
    _remark(tally, folder)
    raise typer.Exit(int(tally.waiting > 0))


def _report(page: Page, reports: list[Path], folder: Path | None, json: bool) -> None:
    from dermport.mobile_stub.results import document_of
    from dermport.mobile_stub.table import to_table

    console().print(to_table(page.comparisons))
    for path in [*reports, *((folder / f"report{suffix}") for suffix in _DOCUMENTS if folder is not None)]:
        _write(path, page)
    if json:
        emit_json(document_of(page.comparisons))


def _write(path: Path, page: Page) -> None:
    from rich.markup import escape

    from dermport.bundle.atomic import write_json, write_text
    from dermport.mobile_stub.csv_report import to_csv
    from dermport.mobile_stub.html_report import to_html
    from dermport.mobile_stub.results import document_of

    match path.suffix.lower():
        case ".html":
            write_text(path, to_html(page))
        case ".csv":
            write_text(path, to_csv(page.comparisons))
        case _:
            write_json(path, document_of(page.comparisons))
    say(f"Written: {escape(str(path))}")


def _remark(tally: Tally, folder: Path | None) -> None:
    if tally.known:
        say(f"{tally.known} were known from an earlier run.")
    if tally.twice:
        say(f"Copies of another photo here, byte for byte, which is asked about once: {tally.twice}.")
    if tally.waiting:
        words = (f"{tally.waiting} wait for the server.", tally.trouble, f"Post them later: --flush {folder}")
        _warn(" ".join(filter(None, words)))


def _remark_on_maps(found: Compared) -> None:
    for one in found.comparisons:
        if one.totals.map_change is not None:
            largest = f"{one.totals.map_change.max:.2g} in units of the logit"
            say(f"Maps of {one.artifact.name if one.artifact else 'the phone'}: a cell differs by at most {largest}.")
    if not any(one.totals.map_change for one in found.comparisons):
        why = found.no_maps or (
            "the phone's artifact gives none (dermport export BUNDLE --maps), or an earlier run of this folder had "
            "asked for none."
        )
        _warn(f"No maps could be compared: {why}")


def _warn(text: str) -> None:
    from rich.markup import escape

    say(f"[yellow]{escape(text)}[/]")
