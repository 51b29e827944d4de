from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dermport.exporters.benchmark import energy
from dermport.exporters.benchmark.energy import drawn, measure_energy
from dermport.runtimes.power.meter import Window


class Board:
    """A meter whose board draws 2 W when idle, and more while one of its processes is busy."""

    source, processor, accelerators = "planted rail", True, True

    def __init__(self) -> None:
        self.watts = 2.0
        self.seen = 0.0

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Say what was drawn."""
        window = Window()
        self.seen = 2.0
        yield window
        window.joules, window.seconds = self.seen * 1.0, 1.0


class Process:
    """Draws so many watts and answers so many photos in a window."""

    def __init__(self, board: Board, watts: float, photos: int) -> None:
        self._board, self._watts, self._photos = board, watts, photos

    def busy(self, seconds: float) -> int:
        """Draw."""
        self._board.seen = self._watts
        return self._photos


def test_what_the_idle_machine_draws_is_subtracted() -> None:
    board = Board()
    contestants = {"float": Process(board, 6.0, 100), "int8": Process(board, 4.0, 200)}
    energies = drawn(contestants, board, passes=2, seconds=0, settle=0)
    assert energies["float"].millijoules == pytest.approx(1000 * (6 - 2) / 100)
    assert energies["int8"].millijoules == pytest.approx(1000 * (4 - 2) / 200)
    assert (energies["int8"].idle_watts, energies["int8"].busy_watts) == (2.0, 4.0)
    assert energies["int8"].seconds == 2.0
    assert energies["int8"].source == "planted rail"


def test_nothing_above_the_idle_machine_is_not_measured() -> None:
    board = Board()
    energies = drawn({"a": Process(board, 2.0, 100)}, board, passes=1, seconds=0, settle=0)
    assert energies["a"].millijoules is None
    assert "noise" in energies["a"].not_measured_because


def test_a_sensor_that_fell_silent_is_not_measured() -> None:
    class Silent(Board):
        @contextmanager
        def window(self) -> Iterator[Window]:
            """Say nothing."""
            yield Window()

    board = Silent()
    energies = drawn({"a": Process(board, 2.0, 100)}, board, passes=1, seconds=0, settle=0)
    assert "silent" in energies["a"].not_measured_because


def test_a_processors_counter_does_not_stand_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    board.accelerators = False
    monkeypatch.setattr(energy, "open_meter", lambda stack: board)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    contestants = {"engine": Process(board, 9.0, 100), "onnx": Process(board, 6.0, 100)}
    energies = measure_energy(contestants, {"engine": True, "onnx": False}, passes=1)
    assert energies["engine"].millijoules is None
    assert "GPU" in energies["engine"].not_measured_because
    assert energies["onnx"].millijoules == pytest.approx(40)
