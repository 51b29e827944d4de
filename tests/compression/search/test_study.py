"""The record of a search: every candidate once, whatever kills it, and the same ones for the same seed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dermport.compression.search.candidate import Candidate, MeasuredCandidate, Structure
from dermport.compression.search.study import Study
from tests.compression.search.factories import measured

ROOT = Path(__file__).parents[3]
SPACE = tuple(
    Candidate(Structure("parent", size, keep), export)
    for size in (96, 160)
    for keep in (0.5, 1.0)
    for export in ("tflite-fp32", "tflite-int8")
)
_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.compression.search.test_study import SPACE, Study, go_on
study = Study(Path(sys.argv[1]), SPACE, 7)
go_on(study, 3)
study.ask(())
os.kill(os.getpid(), signal.SIGKILL)
"""


def outcome(candidate: Candidate, number: int) -> MeasuredCandidate:
    structure = candidate.structure
    cost = structure.size * structure.keep * (0.5 if candidate.export.endswith("int8") else 1)
    return measured(
        number,
        quality=0.4 + cost / 400,
        ratio=cost / 160,
        size=round(1e6 * structure.keep),
        start=structure.start,
        keep=structure.keep,
        export=candidate.export,
    ).model_copy(update={"size": structure.size})


def go_on(study: Study, until: int, first: Sequence[Candidate] = ()) -> list[Candidate]:
    while len(study.measured) < until and (candidate := study.ask(first)):
        study.tell(outcome(candidate, len(study.measured) + 1))
    return [one.candidate for one in study.measured]


def test_every_candidate_comes_once_until_none_is_left(tmp_path: Path) -> None:
    found = go_on(Study(tmp_path / "study.db", SPACE, 0), 100)
    assert len(found) == len(SPACE)
    assert set(found) == set(SPACE)


def test_named_candidates_come_first_in_their_order(tmp_path: Path) -> None:
    first = (SPACE[5], SPACE[0])
    assert tuple(go_on(Study(tmp_path / "study.db", SPACE, 0), 3, first)[:2]) == first


def test_same_seed_gives_the_same_candidates_and_another_seed_others(tmp_path: Path) -> None:
    one, same, other = (go_on(Study(tmp_path / f"{index}.db", SPACE, seed), 4) for index, seed in enumerate((1, 1, 2)))
    assert one == same != other


def test_a_killed_search_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "killed.db")]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == -signal.SIGKILL
    resumed = Study(tmp_path / "killed.db", SPACE, 7)
    assert len(resumed.measured) == 3
    assert go_on(resumed, 6) == go_on(Study(tmp_path / "whole.db", SPACE, 7), 6)


def test_candidates_under_way_are_never_asked_again_and_are_numbered_as_they_are_told(tmp_path: Path) -> None:
    study = Study(tmp_path / "study.db", SPACE, 0)
    asked = [candidate for _ in range(12) if (candidate := study.ask((SPACE[3],)))]
    assert asked[0] == SPACE[3]
    assert len(asked) == len(SPACE) == len(set(asked))
    assert (study.under_way, study.left, study.ask(())) == (len(SPACE), (), None)
    late, soon, *_ = asked
    assert [study.tell(outcome(one, 9)).number for one in (soon, late)] == [1, 2]
    assert [one.candidate for one in study.measured] == [soon, late]
    assert study.under_way == len(SPACE) - 2


def test_what_was_under_way_when_a_search_was_killed_is_asked_first(tmp_path: Path) -> None:
    killed = Study(tmp_path / "study.db", SPACE, 3)
    done, *under_way = (killed.ask(()) for _ in range(4))
    assert done
    killed.tell(outcome(done, 1))
    resumed = Study(tmp_path / "study.db", SPACE, 3)
    assert [resumed.ask(()) for _ in range(3)] == under_way
    assert resumed.ask(()) not in (done, *under_way, None)


def test_a_start_that_cannot_be_changed_is_asked_for_as_it_is(tmp_path: Path) -> None:
    fixed = Candidate(Structure("integer", 192, 1.0), "tflite-int8")
    found = go_on(Study(tmp_path / "study.db", (*SPACE, fixed), 0), 100)
    assert sorted(found, key=str) == sorted((*SPACE, fixed), key=str)
