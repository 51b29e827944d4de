"""What several tests share: a tiny bundle, trained and exported once for a whole run of any number of processes."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from dermport.bundle.store import Bundle
from tests.shallow import shallow_networks

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# The suite runs in as many processes as there are cores, and threads of several would only wait for each other.
for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")


# Modules that take longest, longest first: begun at the end, one of them would keep a single process busy. Those that
# make what others share come early, and not two at once that would wait for the same.
_LONGEST = (
    "test_readme.py",
    "conformance/test_targets.py",
    "compression/search/test_search.py",
    "training/test_train.py",
    "exporters/test_integer.py",
    "compression/quantisation/test_quantise.py",
    "exporters/test_coreml.py",
    "compression/test_compress.py",
    "training/cross_validation/test_cross_validate.py",
    "cli/test_search.py",
    "exporters/test_maps.py",
    "cli/test_faults.py",
    "compression/pruning/test_channels.py",
    "training/protocols/test_reproduce.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """Let the groups be named where pytest-xdist, which knows them, is left out (``-p no:xdist``)."""
    config.addinivalue_line("markers", "xdist_group(name): tests that run in one process, one after another")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a module's tests in one process, its fixtures made once for the run; the longest modules come first."""
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.location[0]))
    ranks = {f"tests/{name}": rank for rank, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: ranks.get(item.location[0], len(ranks)))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Bundle:
    """Return the bundle of that name, made by whichever test process comes first."""
    base = factory.getbasetemp()
    common = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    with _locked(common / f"{name}.lock"):
        if not (common / name / "done").exists():
            shutil.rmtree(common / name, ignore_errors=True)
            (common / name).mkdir()
            make(common / name / "tiny")
            (common / name / "done").touch()
    return Bundle.open(common / name / "tiny")


@pytest.fixture(scope="session")
def shared_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The tiny bundle, not exported; do not change it (see `tiny_bundle`)."""
    from tests.factories import make_bundle

    return made_once(tmp_path_factory, "bundle", make_bundle)


@pytest.fixture(scope="session")
def shared_exports(shared_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The tiny bundle with every target and precision exported; do not change it (see `exported_bundle`)."""

    def make(path: Path) -> None:
        from dermport.exporters.matrix import export_matrix
        from dermport.exporters.registry import select

        shutil.copytree(shared_bundle.path, path)
        for outcome in export_matrix(Bundle.open(path), select(None, None), jobs=1):
            assert outcome.export.path.is_dir()  # a failure is raised

    return made_once(tmp_path_factory, "exports", make)


@pytest.fixture(scope="module")
def eagerly() -> Iterator[None]:
    """TensorFlow runs step by step: to build the graph of MobileNetV2's training takes as long as thirty steps do."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def shallow(eagerly: None) -> Iterator[None]:
    """Half of MobileNetV2, step by step; and charts that are not laid out, which is half the work of drawing them."""
    with shallow_networks(), patch("matplotlib.figure.Figure.set_layout_engine"):
        yield


@pytest.fixture
def tiny_bundle(shared_bundle: Bundle, tmp_path: Path) -> Bundle:
    """A copy of the tiny bundle, to change at will."""
    shutil.copytree(shared_bundle.path, tmp_path / "tiny")
    return Bundle.open(tmp_path / "tiny")


@pytest.fixture
def exported_bundle(shared_exports: Bundle, tmp_path: Path) -> Bundle:
    """A copy of the exported tiny bundle, to change at will."""
    shutil.copytree(shared_exports.path, tmp_path / "tiny")
    return Bundle.open(tmp_path / "tiny")
