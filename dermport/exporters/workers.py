"""Exports in several processes: each has TensorFlow to itself, and one that dies takes one artifact with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from queue import SimpleQueue
from threading import Event

from dermport.bundle.store import Bundle
from dermport.errors import DermportError, ExportError
from dermport.exporters.contract import PrecisionRecipe, Target
from dermport.exporters.exporter import Exporter

Piece = tuple[Target, PrecisionRecipe]
_Finished = tuple[Piece, BaseException | None]


def name_of(piece: Piece) -> str:
    """Return ``<target>-<precision>``."""
    target, recipe = piece
    return f"{target.capabilities.name}-{recipe.precision}"


def worked_through(bundle: Bundle, pieces: Sequence[Piece], jobs: int) -> Iterator[tuple[Piece, DermportError | None]]:
    """Export each of the pieces; yield it with why it failed, None where it did not, in the order of finishing.

    Raises:
        OSError: The disk does not take an artifact, which no other will fare better with.
    """
    shares = _shares(pieces, jobs)
    for piece, failure in _in_processes(bundle.path, shares) if len(shares) > 1 else _here(bundle, pieces):
        if failure is not None and not isinstance(failure, DermportError):
            raise failure
        yield piece, failure


def _here(bundle: Bundle, pieces: Sequence[Piece]) -> Iterator[_Finished]:
    exporter = Exporter(bundle)
    for piece in pieces:
        try:
            exporter.export(*piece)
        except DermportError as error:
            yield piece, error
        else:
            yield piece, None


def _in_processes(path: Path, shares: Sequence[Sequence[Piece]]) -> Iterator[_Finished]:
    finished: SimpleQueue[_Finished] = SimpleQueue()
    stop = Event()
    with ThreadPoolExecutor(len(shares)) as pool:
        for share in shares:
            pool.submit(_work, path, share, finished, stop)
        try:
            for _ in range(sum(map(len, shares))):
                yield finished.get()
        finally:
            stop.set()


def _work(path: Path, share: Sequence[Piece], finished: SimpleQueue[_Finished], stop: Event) -> None:
    process = _process(path)
    for piece in share:
        if stop.is_set():
            break
        failure: BaseException | None
        try:
            failure = process.submit(_export, *piece).exception()
        except BrokenProcessPool as error:
            failure = error
        if isinstance(failure, BrokenProcessPool):
            failure = ExportError(
                "The process that converted it ended without a word.",
                remedy="Is there enough memory? `--jobs 1` needs less.",
            )
            process.shutdown()
            process = _process(path)
        finished.put((piece, failure))
    process.shutdown()


def _shares(pieces: Sequence[Piece], jobs: int) -> list[list[Piece]]:
    """Part the pieces among processes; targets that convert with the same libraries share what they convert."""

    def tools(piece: Piece) -> tuple[str, ...]:
        return piece[0].capabilities.converts_with

    families = [list(family) for _, family in groupby(sorted(pieces, key=tools), tools)]
    shares: list[list[Piece]] = [[] for _ in range(min(jobs, len(families)))]
    for family in sorted(families, key=len, reverse=True):
        min(shares, key=len).extend(family)
    return shares


def _process(path: Path) -> ProcessPoolExecutor:
    # Spawned, not forked: TensorFlow's threads do not survive a fork.
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin, initargs=(path,))


_EXPORTER: list[Exporter] = []


def _begin(path: Path) -> None:
    _EXPORTER[:] = [Exporter(Bundle.open(path))]


def _export(target: Target, recipe: PrecisionRecipe) -> None:
    _EXPORTER[0].export(target, recipe)
