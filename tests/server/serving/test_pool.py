"""Worker processes: real ones, killed and starved."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle
from dermport.bundle.vectors import FOLDER as VECTORS
from dermport.errors import IntegrityError, PhotoError, UnavailableError
from dermport.server.config import ServingConfig
from dermport.server.serving.jobs import InferenceJob
from dermport.server.serving.pool import ServingPool
from dermport.server.serving.process import Order, WorkerLostError, WorkerProcess
from dermport.server.serving.runtimes import choose

pytestmark = pytest.mark.xdist_group("exports")
PHOTO = (VECTORS / "exif-6.jpg").read_bytes()


def _pool(bundle: Bundle, **serving: object) -> ServingPool:
    config = ServingConfig(runtime="litert", **{"workers": 2, **serving})  # type: ignore[arg-type]
    return cast(ServingPool, choose(bundle, bundle.golden(), config).backend)


@pytest.fixture(scope="module")
def pool(shared_exports: Bundle) -> Iterator[ServingPool]:
    pool = _pool(shared_exports)
    yield pool
    pool.close()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _until_whole(pool: ServingPool, before: int) -> None:
    end = time.monotonic() + 20
    while pool.load().slots < 2 or pool.load().restarts <= before:
        assert time.monotonic() < end, "the worker was not replaced"
        time.sleep(0.02)


def test_the_three_forms_of_a_photo_give_one_answer(pool: ServingPool, shared_exports: Bundle) -> None:
    made = prepare(PHOTO, shared_exports.manifest.preprocessing)
    png = next(iter(sorted((shared_exports.path / "golden" / "photos").iterdir()))).read_bytes()
    photo, tensor = pool.answer(InferenceJob(PHOTO)), pool.answer(InferenceJob(made.tensor.tobytes(), form="tensor"))
    assert photo.input_sha256 == tensor.input_sha256 == made.input_sha256
    assert photo.probabilities == tensor.probabilities
    assert photo.orientation == 6
    assert set(photo.milliseconds) == {"wait", "prepare", "infer"}
    with pytest.raises(PhotoError, match="prepared photo is a PNG"):
        pool.answer(InferenceJob(png, form="prepared"))


def test_the_golden_set_was_answered_by_the_worker(pool: ServingPool, shared_exports: Bundle) -> None:
    assert np.abs(pool.golden - shared_exports.golden().probabilities).max() < 1e-4


def test_one_bad_photo_does_not_fail_its_neighbours(pool: ServingPool) -> None:
    jobs = [
        InferenceJob(PHOTO),
        InferenceJob(b"\xff\xd8\xff" + bytes(40)),
        InferenceJob(PHOTO),
        InferenceJob(b"GIF89a"),
        InferenceJob(PHOTO),
    ] * 4

    def ask(job: InferenceJob) -> str:
        try:
            return f"{pool.answer(job).orientation}"
        except PhotoError as error:
            return error.code

    with ThreadPoolExecutor(5) as threads:
        assert list(threads.map(ask, jobs)) == ["6", "photo-damaged", "6", "unsupported-type", "6"] * 4


def test_a_worker_killed_under_load_costs_no_answer(pool: ServingPool) -> None:
    before = pool.load().restarts
    over = threading.Event()

    def ask() -> int:
        answers = 0
        while not over.is_set():
            pool.answer(InferenceJob(PHOTO))
            answers += 1
        return answers

    with ThreadPoolExecutor(3) as threads:
        asking = [threads.submit(ask) for _ in range(3)]
        time.sleep(0.1)
        os.kill(pool.pids()[0], signal.SIGKILL)
        _until_whole(pool, before)
        over.set()
        assert all(future.result() > 0 for future in asking)
    assert pool.load().restarts == before + 1


def test_a_worker_that_takes_too_long_is_killed_and_the_photo_refused(shared_exports: Bundle) -> None:
    pool = _pool(shared_exports, answer_seconds=0.3)
    for pid in pool.pids():
        os.kill(pid, signal.SIGSTOP)
    with pytest.raises(PhotoError, match="died of it or took too long"):
        pool.answer(InferenceJob(PHOTO))
    _until_whole(pool, 1)
    assert pool.answer(InferenceJob(PHOTO)).orientation == 6
    pool.close()


def test_workers_end_with_the_pool_and_with_the_front_process(shared_exports: Bundle) -> None:
    pool = _pool(shared_exports)
    pids = pool.pids()
    pool.close()
    assert not any(map(_alive, pids))
    export = shared_exports.export("tflite", "fp32")
    worker = WorkerProcess(Order(shared_exports.path, export.path, "litert"), ServingConfig(answer_seconds=1))
    worker.wait_until_loaded()
    worker.stop()  # what the kernel does to the socket of a front process that was killed
    assert worker.wait() == 0
    with pytest.raises(WorkerLostError):
        worker.ask(InferenceJob(PHOTO))


def test_what_the_worker_cannot_load_is_said_in_its_words(exported_bundle: Bundle) -> None:
    artifact = exported_bundle.export("tflite", "fp32").artifact
    artifact.write_bytes(artifact.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match="not the file that was recorded"):
        _pool(exported_bundle, precision="fp32")


def test_a_worker_that_ends_without_a_word_is_unavailable(shared_exports: Bundle, tmp_path: Path) -> None:
    worker = WorkerProcess(Order(shared_exports.path, shared_exports.path, "litert"), ServingConfig(answer_seconds=1))
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(UnavailableError, match="could not be started"):
        worker.wait_until_loaded()
