"""Tasks in this process, in processes and on Ray: the same results, errors in our own words, no process left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from dermport.errors import DataError, UnavailableError
from dermport.training.engines.engine import Engine, WorkItem
from dermport.training.engines.local import ProcessEngine, SerialEngine
from dermport.training.engines.ray import RayEngine
from tests.training.engines.work import doubled

ROOT = Path(__file__).parents[3]


class Said:
    """A progress that keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def bar(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        return nullcontext(lambda done, total: None)


def tasks(*numbers: int) -> list[WorkItem[int]]:
    return [WorkItem(f"number {number}", number) for number in numbers]


def test_in_turn_runs_here_and_names_its_lines() -> None:
    said = Said()
    assert list(SerialEngine().run(doubled, tasks(1, 2), said)) == [(2, os.getpid()), (4, os.getpid())]
    assert said.lines == ["number 1: doubling 1", "number 2: doubling 2"]


@pytest.fixture(params=["processes", "ray"])
def elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    if request.param == "processes":
        yield ProcessEngine(2)
        return
    ray = pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
    yield RayEngine(count=2)
    ray.shutdown()


def test_elsewhere_every_result_comes_and_an_error_is_ours(elsewhere: Engine) -> None:
    found: dict[int, int] = {}

    def drawn() -> Iterator[WorkItem[int]]:
        for number in (1, 2, 3, 4):
            assert number - len(found) <= 2, "drawn before there was somebody to do it"
            yield WorkItem(f"number {number}", number)

    for double, process in elsewhere.run(doubled, drawn(), Said()):
        found.update({double: process})
    assert set(found) == {2, 4, 6, 8}
    assert os.getpid() not in found.values()
    with pytest.raises(DataError, match="13 cannot be doubled") as error:
        list(elsewhere.run(doubled, tasks(1, 13), Said()))
    assert error.value.remedy == "Take another."


def test_in_turn_a_task_is_drawn_when_the_result_before_it_was_seen() -> None:
    seen: list[int] = []
    drawn = (WorkItem("sum", 1 + sum(seen)) for _ in range(3))
    for double, _ in SerialEngine().run(doubled, drawn, Said()):
        seen.append(double)
    assert seen == [2, 6, 18]


def test_a_process_is_replaced_after_so_many_tasks() -> None:
    first, second, third = (
        process for _, process in ProcessEngine(1, tasks_each=2).run(doubled, tasks(1, 2, 3), Said())
    )
    assert first == second != third


def test_a_process_that_dies_is_told() -> None:
    with pytest.raises(UnavailableError, match="ended from outside"):
        list(ProcessEngine(1).run(doubled, tasks(99), Said()))


def test_processes_end_with_the_one_that_started_them() -> None:
    command = [sys.executable, "-m", "tests.training.engines.work"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"running\n"
        parent.kill()
        assert parent.stdout.read() == b"", "the pipe ends when the last process that holds it does"
