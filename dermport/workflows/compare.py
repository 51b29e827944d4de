"""The same photos on the phone and on the Jetson: both sides asked, kept, and held against each other."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.errors import Parameters, UsageError
from dermport.progress import SILENT, Progress

if TYPE_CHECKING:
    from dermport.bundle.manifest import Preprocessing
    from dermport.bundle.store import Bundle
    from dermport.mobile_stub.comparison import ArtifactComparison
    from dermport.mobile_stub.jetson import Jetson
    from dermport.mobile_stub.journal import Send
    from dermport.mobile_stub.photos import Photo
    from dermport.mobile_stub.run import Tally


@dataclass(frozen=True)
class Compared:
    """What phone and Jetson said of the same photos.

    Attributes:
        comparisons: One for each artifact of the phone.
        tally: How many photos were asked about, known from an earlier run, and still wait.
        no_maps: Why the Jetson gives no class activation maps; empty where it does.
    """

    comparisons: tuple[ArtifactComparison, ...]
    tally: Tally
    no_maps: str

    @property
    def passed(self) -> bool:
        """Whether every comparison is what the policy asks."""
        return all(comparison.passed for comparison in self.comparisons)


def photos_of(
    bundle: Bundle,
    paths: Sequence[Path],
    data: Path | None = None,
    split: Path | None = None,
    part: str = "test",
    *,
    warn: Callable[[str], None] = SILENT.say,
) -> tuple[Photo, ...]:
    """Return the photos that are named, and those of a data set's part, but for those that cannot be read from disk.

    Args:
        bundle: Whose task the labels are of.
        paths: Files, folders, patterns, or a CSV with the columns photo and label.
        data: Folder of a whole data set; brings labels.
        split: Of `data`; None for the bundle's own.
        part: Of `data`: train, validation, test or all.
        warn: Called with each photo that is left out, and why.

    Raises:
        UsageError: A split without `data`, there is no such part, or no photo can be read.
        DataError: There is no such photo.
    """
    from dermport.mobile_stub.photos import find_photos, left_out, photos_of_split

    if split and not data:
        raise UsageError("{split} needs the folder of the photos.", remedy="Name it: {data} FOLDER.", of=Parameters)
    task = bundle.manifest.task
    found: tuple[Photo, ...] = ()
    if data:
        found = photos_of_split(split or bundle.file(bundle.manifest.known_dataset.split.file), part, data, task)
    if paths or not data:
        found += find_photos(paths, task)
    out = left_out(found)
    for photo, reason in out.items():
        warn(f"{photo.name} is left out: {reason}.")
    if len(out) == len(found):
        raise UsageError("None of the photos can be read.")
    return tuple(photo for photo in found if photo not in out)


def compare(
    bundle: Bundle,
    photos: tuple[Photo, ...],
    server: str,
    *,
    artifacts: Sequence[str] = (),
    folder: Path | None = None,
    key: str | None = None,
    ca: Path | None = None,
    send: Send = "photo",
    maps: bool = False,
    jobs: int = 1,
    progress: Progress = SILENT,
    warn: Callable[[str], None] = SILENT.say,
) -> Compared:
    """Ask phone and Jetson about photos; what is done is kept in `folder`, where the same call goes on.

    Args:
        bundle: What both sides have.
        photos: What is asked.
        server: The Jetson's URL.
        artifacts: What the phone runs: exports (``tflite-int8``) or files; none for its default.
        folder: Keeps both sides, and what no server answers; None keeps nothing.
        key: The server's API key.
        ca: A PEM file with the authorities to trust over TLS; None for the system's.
        send: What leaves the phone: photo, prepared, or both.
        maps: Whether class activation maps are compared, too.
        jobs: Photos at a time.
        progress: What a person sees.
        warn: Called with what went otherwise than asked.

    Raises:
        ServerError: The server does not answer as agreed.
        KeyboardInterrupt: After the photos that were at work.
    """
    from dermport.mobile_stub.folder import RunFolder
    from dermport.mobile_stub.journal import Journal
    from dermport.mobile_stub.phone import PhoneModel, choose_artifacts
    from dermport.mobile_stub.results import CompletedRun, compared
    from dermport.mobile_stub.run import ComparisonRun

    chosen = choose_artifacts(bundle, list(artifacts))
    spec, stop = bundle.manifest.preprocessing, threading.Event()
    if folder is not None:
        RunFolder(folder).begin(server, spec)
    with contextlib.ExitStack() as stack:
        phones = [stack.enter_context(PhoneModel(bundle.manifest, artifact)) for artifact in chosen]
        journal = stack.enter_context(Journal(RunFolder(folder).journal if folder else None))
        jetson = stack.enter_context(_jetson(server, spec, send, stop, key=key, ca=ca, maps=maps))
        run = ComparisonRun(phones, spec, jetson, journal, jobs=jobs, maps=maps, stop=stop)
        if trouble := run.meet():
            warn(f"{trouble} What the phone says is kept in {folder}, and posted later.")
        with progress.bar("comparing") as update:
            tally = run.over(photos, update)
        if jetson.predicts_only:
            warn(f"Causes are by hashes, not by experiment: {jetson.predicts_only}")
        found = compared(CompletedRun(bundle, photos, run, journal, jetson), phones)
        return Compared(found, tally, jetson.no_maps)


def flush(
    folder: Path,
    *,
    server: str | None = None,
    key: str | None = None,
    ca: Path | None = None,
    jobs: int = 1,
    progress: Progress = SILENT,
) -> Tally:
    """Post what waits in the folder of an earlier run; a server that is named takes the place of that run's."""
    from dermport.mobile_stub.folder import RunFolder
    from dermport.mobile_stub.journal import Journal
    from dermport.mobile_stub.run import ComparisonRun

    known = RunFolder(folder).read()
    stop = threading.Event()
    with (
        Journal(RunFolder(folder).journal) as journal,
        _jetson(server or known.server, known.preprocessing, "photo", stop, key=key, ca=ca) as jetson,
    ):
        run = ComparisonRun((), known.preprocessing, jetson, journal, jobs=jobs, stop=stop)
        jetson.meet()
        with progress.bar("posting") as update:
            return run.flush(update)


@contextlib.contextmanager
def _jetson(
    server: str,
    spec: Preprocessing,
    send: Send,
    stop: threading.Event,
    *,
    key: str | None,
    ca: Path | None,
    maps: bool = False,
) -> Iterator[Jetson]:
    from dermport.mobile_stub.backoff import Backoff
    from dermport.mobile_stub.client import JetsonClient
    from dermport.mobile_stub.jetson import Jetson

    with JetsonClient(server, api_key=key, ca=ca) as client:
        yield Jetson(client, Backoff(wait=stop.wait), spec, send, maps=maps)
