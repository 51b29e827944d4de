"""What keeps the trainer busy: photos decoded once for all trainings, batches made ahead by a thread."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dermport.bundle.manifest import Preprocessing
from dermport.training.data.dataset import read_dataset
from dermport.training.data.photos import Rows, cached_tensors, load_tensors
from dermport.training.data.records import Record
from dermport.training.data.tasks import load_task
from dermport.training.phases.prefetch import Waiting, prefetched

SPEC = Preprocessing(size=32)


@pytest.fixture(scope="module")
def records(sample_folder: Path) -> tuple[Record, ...]:
    return read_dataset(sample_folder, load_task("ham7")).records[:12]


@contextlib.contextmanager
def _counted(bars: list[int]) -> Iterator[Callable[[int, int], None]]:
    bars.append(1)
    yield lambda done, total: None


def test_photos_are_decoded_once_and_read_row_by_row(records: tuple[Record, ...], tmp_path: Path) -> None:
    bars = list[int]()
    path, again = (cached_tensors(tmp_path, records, SPEC, bar=_counted(bars)) for _ in range(2))
    assert path == again
    assert len(bars) == 1
    expected = load_tensors(records, SPEC)
    rows = Rows.opened(path, np.array([7, 2, 5]))
    assert (len(rows), rows.shape, rows.dtype, rows.nbytes) == (3, (3, 32, 32, 3), np.uint8, 3 * 32 * 32 * 3)
    np.testing.assert_array_equal(np.asarray(rows), expected[[7, 2, 5]])
    np.testing.assert_array_equal(rows[1], expected[2])
    np.testing.assert_array_equal(rows[:2], expected[[7, 2]])
    np.testing.assert_array_equal(rows[np.array([2, 0])], expected[[5, 7]])
    np.testing.assert_array_equal(rows.astype(np.float32), expected[[7, 2, 5]].astype(np.float32))
    rows[:2][:] = 0
    np.testing.assert_array_equal(rows[:2], expected[[7, 2]])  # what is read is a copy


def test_other_photos_and_another_preprocessing_are_decoded_anew(records: tuple[Record, ...], tmp_path: Path) -> None:
    bars = list[int]()
    asked = [(records, SPEC), (records[:6], SPEC), (records, Preprocessing(size=32, crop="centre-square"))]
    paths = [cached_tensors(tmp_path, some, spec, bar=_counted(bars)) for some, spec in asked]
    assert len(set(paths)) == len(bars) == 3
    cached_tensors(tmp_path, records, Preprocessing(size=40), bar=_counted(bars))
    assert not paths[0].exists()  # of four, the three used last are kept
    assert all(path.exists() for path in paths[1:])


def test_decoding_that_was_stopped_leaves_nothing(records: tuple[Record, ...], tmp_path: Path) -> None:
    @contextlib.contextmanager
    def stops() -> Iterator[Callable[[int, int], None]]:
        yield lambda done, total: (_ for _ in ()).throw(KeyboardInterrupt)

    with pytest.raises(KeyboardInterrupt):
        cached_tensors(tmp_path, records, SPEC, bar=stops())
    assert not list(tmp_path.iterdir())


# Batches made ahead


def test_batches_come_in_order_from_one_thread() -> None:
    threads = set[str]()

    def make(item: int) -> int:
        threads.add(threading.current_thread().name)
        return item * 10

    with prefetched(make, range(50), Waiting()) as made:
        assert list(made) == [item * 10 for item in range(50)]
    assert threads == {"batches"}


def test_one_who_waits_is_not_busy() -> None:
    def slow(item: int) -> int:
        time.sleep(0.02)
        return item

    starved = Waiting()
    with prefetched(slow, range(10), starved) as made:
        assert len(list(made)) == 10
    fed = Waiting()
    with prefetched(lambda item: item, range(10), fed) as made:
        for _ in made:
            time.sleep(0.02)
    assert starved.busy < fed.busy <= 1


def test_what_a_batch_raises_comes_out_in_its_place() -> None:
    def make(item: int) -> int:
        if item == 3:
            raise ValueError("the fourth photo is gone")
        return item

    got = list[int]()
    with prefetched(make, range(9), Waiting()) as made, pytest.raises(ValueError, match="fourth"):
        got.extend(next(made) for _ in range(9))
    assert got == [0, 1, 2]


def test_the_thread_ends_when_its_consumer_stops() -> None:
    with prefetched(lambda item: item, range(10**9), Waiting()) as made:
        assert next(made) == 0
    assert "batches" not in {thread.name for thread in threading.enumerate()}
