"""A whole search on drawn photos: what it measures, leaves alone, writes and goes on with."""

from __future__ import annotations

import csv
import fcntl
import json
import pickle
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Generic

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.bundle.store import Bundle
from dermport.compression.distillation.distil import Distil
from dermport.compression.pipeline import split_of
from dermport.compression.search.budget import Budget, parse_budget
from dermport.compression.search.candidate import Candidate, LatencyRecord, MeasuredCandidate, Structure
from dermport.compression.search.evaluator import CandidateEvaluator
from dermport.compression.search.finalists import train_finalists
from dermport.compression.search.latency import OpenArtifact
from dermport.compression.search.photos import SearchPhotos
from dermport.compression.search.report import document, write_report
from dermport.compression.search.request import SearchRequest
from dermport.compression.search.result import result_of
from dermport.compression.search.search import open_search
from dermport.errors import DataError, UsageError
from dermport.progress import Progress
from dermport.training import parts
from dermport.training.data.records import Record
from dermport.training.engines.engine import Engine, Result, Work, Worker, WorkItem, run_tasks
from dermport.training.engines.local import SerialEngine
from dermport.training.run import run_folder
from tests.compression.conftest import Said
from tests.compression.search.factories import measured
from tests.training.test_locks import lets_in

pytestmark = pytest.mark.usefixtures("shallow")

SPACE = """
sizes = [32, 64]
without = ["int8-full", "fp16"]
prune = { importance = "bn-scale", multiple = 8, minimum = 8, photos = 16 }
tune = { kind = "distil", batch = 8, augmentation = "gentle", mixup = 0.0 }
finish = { kind = "fine-tune", batch = 16 }
"""


@dataclass(frozen=True)
class Done:
    """A search that is over, with the photos that were decoded while it ran."""

    request: SearchRequest
    measured: tuple[MeasuredCandidate, ...]
    decoded: frozenset[str]
    said: Said


def request_of(parent: Bundle, drawn: Path, out: Path, **changes: Any) -> SearchRequest:
    space = out.parent / "space.toml"
    space.write_text(SPACE)
    asked = SearchRequest(
        parent.path, drawn, out, space=space, precisions=("fp32", "int8"), steps=2, rounds=4, trials=3
    )
    return replace(asked, **changes)


@pytest.fixture(scope="module")
def done(shared_parent: Bundle, drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Three candidates: the parent in float32 and in int8, and one that the sampler chose."""
    request, said = request_of(shared_parent, drawn, tmp_path_factory.mktemp("search") / "out"), Said()
    decoded: set[str] = set()
    original = parts.load_tensors

    def watched(records: tuple[Record, ...], *rest: Any, **more: Any) -> NDArray[np.uint8]:
        decoded.update(record.photo_id for record in records)
        return original(records, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "load_tensors", watched)
        measured = open_search(request, said).run(said)
    return Done(request, measured, frozenset(decoded), said)


def test_single_recipes_come_first_and_the_rest_are_changed_networks(done: Done) -> None:
    fp32, int8, changed = done.measured
    assert [fp32.techniques, int8.techniques] == [(), ("int8",)]
    assert (fp32.steps, int8.steps, changed.size, changed.steps) == (0, 0, 32, 2)
    assert "32 px" in changed.techniques
    assert changed.macs < fp32.macs / 3
    assert int8.artifact_bytes < 0.5 * fp32.artifact_bytes


def test_parent_in_float32_is_what_all_is_held_against(done: Done) -> None:
    base = done.measured[0]
    assert (base.agreement, base.points_lost, base.size_ratio) == (1.0, 0.0, 1.0)
    assert all(one.latency.source == "measured" and one.latency.ratio > 0 for one in done.measured)


def test_quality_is_that_of_the_exported_artifact_on_validation_photos(done: Done, drawn: Path) -> None:
    parent = Bundle.open(done.request.parent)
    split = split_of(parent, drawn, jobs=None, progress=Said())
    assert all(one.photos == split.photos()["validation"] for one in done.measured)


def test_no_photo_of_the_test_part_reaches_a_model(done: Done, drawn: Path) -> None:
    parent = Bundle.open(done.request.parent)
    split = split_of(parent, drawn, jobs=None, progress=Said())
    assert done.decoded
    assert not done.decoded & {record.photo_id for record in split.records("test")}
    photos = SearchPhotos(split, parent.manifest.preprocessing, 10, 0, None, Said())
    assert photos.split.photos()["test"] == 0
    assert len(photos.parts(32).train.records) == 10
    assert photos.parts(32).test.records == ()


def test_the_same_request_goes_on_and_measures_nothing_twice(done: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    original: Callable[[CandidateEvaluator, Candidate, int], MeasuredCandidate] = CandidateEvaluator.measure
    asked: list[Candidate] = []

    def interrupted(self: CandidateEvaluator, candidate: Candidate, number: int) -> MeasuredCandidate:
        asked.append(candidate)
        if len(asked) == 1:
            raise KeyboardInterrupt
        return original(self, candidate, number)

    monkeypatch.setattr(CandidateEvaluator, "measure", interrupted)
    more = replace(done.request, trials=4)
    with pytest.raises(KeyboardInterrupt):
        open_search(more, Said()).run(Said())
    measured = open_search(more, Said()).run(Said())
    assert measured[:3] == done.measured
    assert len({one.candidate for one in measured}) == 4
    assert asked[0] == asked[1] == measured[3].candidate


@dataclass(frozen=True)
class Packed:
    """An engine that has two candidates under way, packed as for another process, and does the later one first."""

    def run(
        self, worker: Worker[Work, Result], tasks: Iterable[WorkItem[Work]], progress: Progress
    ) -> Iterator[Result]:
        yield from run_tasks(Packer[Work, Result](worker), tasks)


@dataclass
class Packer(Generic[Work, Result]):
    worker: Worker[Work, Result]
    packed: list[bytes] = field(default_factory=list)

    @property
    def room(self) -> bool:
        return len(self.packed) < 2

    @property
    def busy(self) -> bool:
        return bool(self.packed)

    def begin(self, task: WorkItem[Work]) -> None:
        self.packed.append(pickle.dumps((self.worker, task)))

    def finished(self) -> Iterator[Result]:
        worker, task = pickle.loads(self.packed.pop())
        yield worker(task.work, Said())


def test_elsewhere_and_two_at_once_the_same_is_measured_of_what_others_made(done: Done, tmp_path: Path) -> None:
    request = replace(done.request, out=tmp_path / "out")
    made = (run_folder(out / "study") / "structures" for out in (done.request.out, request.out))
    shutil.copytree(*made)
    found = open_search(request, Said()).run(Said(), Packed())
    assert [one.number for one in found] == [1, 2, 3]
    assert [one.candidate for one in found] != [one.candidate for one in done.measured]  # the later one came first
    told = [{(one.candidate, one.artifact_sha256, one.agreement) for one in every} for every in (found, done.measured)]
    assert told[0] == told[1]


@pytest.mark.parametrize("engine", [SerialEngine(), Packed()])
def test_one_that_is_refused_last_is_made_up_for(
    engine: Engine, done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = done.measured[2].candidate

    def picky(self: CandidateEvaluator, candidate: Candidate, number: int) -> MeasuredCandidate:
        if candidate == refused:
            raise UsageError("too narrow")
        structure = candidate.structure
        return measured(number, size=1, start=structure.start, keep=structure.keep, export=candidate.export).model_copy(
            update={"size": structure.size}
        )

    monkeypatch.setattr(CandidateEvaluator, "measure", picky)
    search = open_search(replace(done.request, out=tmp_path / "out"), Said())
    assert len(search.run(Said(), engine)) == done.request.trials
    assert list(search.study.refused) == [refused]


@pytest.mark.parametrize("times_calls", [True, False])
def test_nobody_else_works_on_the_machine_while_calls_are_timed(times_calls: bool, done: Done) -> None:
    evaluator = open_search(done.request, Said()).evaluator
    latency, let_in = done.measured[0].latency, list[bool]()

    def watched(*_: OpenArtifact) -> LatencyRecord:
        let_in.append(lets_in(evaluator.machine, fcntl.LOCK_SH))
        return latency

    latency_source: Any = SimpleNamespace(times_calls=times_calls, latency=watched)
    evaluator.latency_source = latency_source
    assert evaluator.measure(done.measured[0].candidate, 1).latency == latency
    assert let_in == [not times_calls]


def test_another_question_in_the_same_folder_is_refused(done: Done) -> None:
    with pytest.raises(UsageError, match="steps"):
        open_search(replace(done.request, steps=3), Said())


def test_files_tell_what_was_found(done: Done, tmp_path: Path) -> None:
    result = result_of(done.measured, parse_budget("≤100 MB"))
    write_report(tmp_path, result, {})
    said = json.loads((tmp_path / "candidates.json").read_text())
    assert said["picked"] == result.front[0].number
    assert "No test photo was looked at" in said["judged_by"]
    assert said["notice"]
    rows = list(csv.DictReader((tmp_path / "candidates.csv").open()))
    assert [row["export"] for row in rows] == [one.export for one in done.measured]
    assert [row["front"] for row in rows] == [str(int(one in result.front)) for one in done.measured]
    table = (tmp_path / "pareto.md").read_text()
    assert all(one.candidate.name in table for one in done.measured)
    assert (tmp_path / "pareto.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "pareto.svg").read_text()
    assert document(result, {})["undominated"] is True


def test_a_finalist_is_a_bundle_of_the_parent_scored_on_the_test_part(
    done: Done, shared_parent: Bundle, drawn: Path
) -> None:
    search = open_search(done.request, Said())
    chosen = [done.measured[1], done.measured[2]]
    as_it_was, trained = train_finalists(search, chosen, epochs=1, progress=Said())
    assert as_it_was.bundle == str(shared_parent.path)
    child = Bundle.open(Path(trained.bundle))
    assert child.manifest.compression is not None
    assert child.manifest.compression.parent.model_sha256 == shared_parent.model_sha256
    assert child.manifest.preprocessing.size == 32
    assert trained.photos == shared_parent.manifest.dataset.split.photos["test"]
    assert trained.test["accuracy"].artifact is not None


def test_a_pruned_structure_is_narrower_and_learned_from_the_parent(done: Done) -> None:
    search = open_search(done.request, Said())
    made = search.evaluator.builder.make(Structure("parent", 64, 0.6))
    parent = done.measured[0]
    assert made.macs < 0.7 * parent.macs
    assert made.bundle.manifest.model.parameters < 0.7 * parent.parameters
    *_, tune = search.evaluator.builder.recipe(Structure("parent", 64, 0.6)).step
    assert isinstance(tune, Distil)
    assert (tune.epochs, tune.teacher) == (1, str(done.request.parent))


def test_what_cannot_be_made_is_listed_and_the_search_goes_on(
    done: Done, shared_parent: Bundle, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {one.candidate: one for one in done.measured}

    def picky(self: CandidateEvaluator, candidate: Candidate, number: int) -> MeasuredCandidate:
        if candidate in known:
            return known[candidate]
        raise UsageError("too narrow")

    monkeypatch.setattr(CandidateEvaluator, "measure", picky)
    search = open_search(request_of(shared_parent, drawn, tmp_path / "out", trials=4), Said())
    assert len(search.run(Said())) == 3  # of four: 32 and 64 pixels, float32 and int8
    assert list(search.about()["refused"].values()) == ["too narrow"]

    monkeypatch.setattr(CandidateEvaluator, "measure", lambda *_: (_ for _ in ()).throw(UsageError("no such runtime")))
    with pytest.raises(UsageError, match="no such runtime"):
        open_search(request_of(shared_parent, drawn, tmp_path / "other"), Said()).run(Said())


def test_photos_of_another_data_set_are_refused(shared_parent: Bundle, tmp_path: Path, drawn: Path) -> None:
    fewer = tmp_path / "fewer"
    fewer.mkdir()
    for path in drawn.iterdir():
        (fewer / path.name).symlink_to(path)
    table = next(drawn.glob("*.csv"))
    (fewer / table.name).unlink()
    (fewer / table.name).write_text("\n".join(table.read_text().splitlines()[:-3]) + "\n")
    with pytest.raises(DataError, match="fingerprint"):
        open_search(request_of(shared_parent, fewer, tmp_path / "out"), Said())


def test_minutes_end_a_search_before_a_candidate(done: Done, tmp_path: Path) -> None:
    request = replace(done.request, out=tmp_path / "out", minutes=0.0)
    said = Said()
    assert open_search(request, said).run(said) == ()
    assert any("minutes are over" in line for line in said.lines)
    assert Budget().pick(()) is None
