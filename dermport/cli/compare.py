"""``dermport compare``: the same photos on the phone and on the Jetson."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli.options import ApiKey, Json
from dermport.cli.output import bar, console, emit_json, say

if TYPE_CHECKING:
    from dermport.bundle.manifest import Preprocessing
    from dermport.bundle.store import Bundle
    from dermport.mobile_stub.comparison import ArtifactComparison
    from dermport.mobile_stub.html_report import Page
    from dermport.mobile_stub.jetson import Jetson
    from dermport.mobile_stub.journal import Send
    from dermport.mobile_stub.phone import PhoneArtifact, PhoneModel
    from dermport.mobile_stub.photos import Photo
    from dermport.mobile_stub.run import Tally

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
    json: Json = False,
) -> None:
    """Ask phone and Jetson about the same photos, and say where and why they differ.

    Exit 1 if a photo became different inputs on the two sides, only one side answered, a photo still waits for the
    server, or labels agree less often than the policy asks of the two artifacts.
    """
    from dermport.errors import UsageError

    threads = jobs or os.cpu_count() or 1
    if flush is not None:
        if bundle or photos or data or out:
            raise UsageError("--flush posts what is in its folder, and takes no photos, --data or --out.")
        _flush(flush, server, key, threads)
        return
    if bundle is None or server is None:
        raise UsageError("Name a bundle, photos, and the --server.", remedy="Or, to post what waits: --flush FOLDER.")
    names = [*(artifact or []), *([f"tflite-{phone_precision}"] if phone_precision else [])]
    folder, reports = _outputs(out or [])
    job = _open_job(bundle, names, _Photos(photos or [], data, split, part), folder)
    job.maps = maps
    tally = _run(job, server, key, _sending(send), threads)
    page = _page(job, server, thumbnails)
    _report(page, reports, folder, json)
    _remark(tally, folder)
    raise typer.Exit(int(not all(comparison.passed for comparison in page.comparisons)))


@dataclass(frozen=True)
class _Photos:
    """The photos as the command line names them."""

    paths: list[Path]
    data: Path | None
    split: Path | None
    part: str


@dataclass
class _Job:
    """What is to be done, once everything is found; `hashes` and `served` are learnt on the way."""

    bundle: Bundle
    artifacts: tuple[PhoneArtifact, ...]
    photos: tuple[Photo, ...]
    folder: Path | None
    maps: bool = False
    comparisons: tuple[ArtifactComparison, ...] = ()


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


def _open_job(path: Path, names: list[str], photos: _Photos, folder: Path | None) -> _Job:
    from dermport.bundle.store import Bundle
    from dermport.errors import UsageError
    from dermport.mobile_stub.phone import choose_artifacts
    from dermport.mobile_stub.photos import find_photos, photos_of_split

    bundle = Bundle.open(path)
    task = bundle.manifest.task
    if photos.split and not photos.data:
        raise UsageError("--split needs the folder of the photos.", remedy="Name it: --data FOLDER.")
    found: tuple[Photo, ...] = ()
    if photos.data:
        split = photos.split or bundle.file(bundle.manifest.dataset.split.file)
        found = photos_of_split(split, photos.part, photos.data, task)
    if photos.paths or not photos.data:
        found += find_photos(photos.paths, task)
    return _Job(bundle, choose_artifacts(bundle, names), found, folder)


def _run(job: _Job, server: str, key: str | None, send: Send, threads: int) -> Tally:
    from dermport.mobile_stub.folder import RunFolder
    from dermport.mobile_stub.journal import Journal
    from dermport.mobile_stub.phone import PhoneModel
    from dermport.mobile_stub.results import CompletedRun, compared
    from dermport.mobile_stub.run import ComparisonRun

    spec = job.bundle.manifest.preprocessing
    stop = threading.Event()
    if job.folder is not None:
        RunFolder(job.folder).begin(server, spec)
    with contextlib.ExitStack() as stack:
        phones: list[PhoneModel] = [
            stack.enter_context(PhoneModel(job.bundle.manifest, artifact)) for artifact in job.artifacts
        ]
        journal = stack.enter_context(Journal(RunFolder(job.folder).journal if job.folder else None))
        jetson = stack.enter_context(_jetson(server, key, spec, send, stop, maps=job.maps))
        run = ComparisonRun(phones, spec, jetson, journal, jobs=threads, maps=job.maps, stop=stop)
        if trouble := run.meet():
            _warn(f"{trouble} What the phone says is kept in {job.folder}, and posted later.")
        tally = _watched(lambda update: run.over(job.photos, update), "comparing", job.folder)
        if jetson.predicts_only:
            _warn(f"Causes are by hashes, not by experiment: {jetson.predicts_only}")
        job.comparisons = compared(CompletedRun(job.bundle, job.photos, run, journal, jetson), phones)
        _remark_on_maps(job, jetson)
    return tally


@contextlib.contextmanager
def _jetson(
    server: str, key: str | None, spec: Preprocessing, send: Send, stop: threading.Event, *, maps: bool = False
) -> Iterator[Jetson]:
    from dermport.mobile_stub.backoff import Backoff
    from dermport.mobile_stub.client import JetsonClient
    from dermport.mobile_stub.jetson import Jetson

    with JetsonClient(server, api_key=key) as client:
        yield Jetson(client, Backoff(wait=stop.wait), spec, send, maps=maps)


def _watched(work: Callable[[Callable[[int, int], None]], Tally], what: str, folder: Path | None) -> Tally:
    """Do the work under a progress bar; Ctrl-C ends it after the photos that are at work."""
    try:
        with bar(what) as update:
            return work(update)
    except KeyboardInterrupt:
        kept = f"What was done is kept in {folder}: the same command goes on." if folder else "Nothing was kept."
        _warn(f"Interrupted. {kept}")
        raise typer.Exit(130) from None


def _flush(folder: Path, server: str | None, key: str | None, threads: int) -> None:
    from dermport.mobile_stub.folder import RunFolder
    from dermport.mobile_stub.journal import Journal
    from dermport.mobile_stub.run import ComparisonRun

    known = RunFolder(folder).read()
    stop = threading.Event()
    with (
        Journal(RunFolder(folder).journal) as journal,
        _jetson(server or known.server, key, known.preprocessing, "photo", stop) as jetson,
    ):
        run = ComparisonRun((), known.preprocessing, jetson, journal, jobs=threads, stop=stop)
        jetson.meet()
        tally = _watched(run.flush, "posting", folder)
    say(f"{tally.answered} posted, {tally.waiting} still wait. The report: the run's own command again.")
    _remark(tally, folder)
    raise typer.Exit(int(tally.waiting > 0))


def _page(job: _Job, server: str, thumbnails: bool) -> Page:
    from dermport.mobile_stub.html_report import Page

    return Page(job.comparisons, job.bundle.manifest, server, job.photos if thumbnails else ())


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
    if tally.waiting:
        words = (f"{tally.waiting} wait for the server.", tally.trouble, f"Post them later: --flush {folder}")
        _warn(" ".join(filter(None, words)))


def _remark_on_maps(job: _Job, jetson: Jetson) -> None:
    if not job.maps:
        return
    for one in job.comparisons:
        if one.totals.map_change is not None:
            largest = f"{one.totals.map_change.max:.2g} in units of the logit"
            say(f"Maps of {one.artifact.name if one.artifact else 'the phone'}: a cell differs by at most {largest}.")
    if not any(one.totals.map_change for one in job.comparisons):
        why = jetson.no_maps or (
            "the phone's artifact gives none (dermport export BUNDLE --maps), or an earlier run of this folder had "
            "asked for none."
        )
        _warn(f"No maps could be compared: {why}")


def _warn(text: str) -> None:
    from rich.markup import escape

    say(f"[yellow]{escape(text)}[/]")
