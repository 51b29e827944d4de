"""Models: which is live, and its replacement while requests are being answered."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dermport.bundle.store import Bundle, write_manifest
from dermport.errors import BundleError, RequestError
from dermport.server.config import ServingConfig
from dermport.server.serving.jobs import InferenceJob
from dermport.server.serving.live import LiveModel
from dermport.server.serving.models import Alone, Key, Models
from tests.server.fakes import RecallRuntime, add_export, candidate, golden_photo, recall


class Shop:
    """Two versions of a bundle, served by runtimes that remember; `runtimes` are all that were loaded."""

    def __init__(self, bundle: Bundle) -> None:
        self.folder = bundle.path.parent
        self.runtimes: dict[str, list[RecallRuntime]] = {}
        self.spoiled: set[str] = set()
        add_export(bundle)
        self.one = bundle
        self.two = self.copy("2.0.0")

    def copy(self, version: str) -> Bundle:
        path = self.folder / f"copy-{version}"
        shutil.copytree(self.one.path, path)
        write_manifest(path, self.one.manifest.model_copy(update={"version": version}))
        return Bundle.open(path)

    def open_live(self, bundle: Bundle) -> LiveModel:
        runtime = recall(bundle)
        if bundle.manifest.version in self.spoiled:
            runtime.answers = {}
        self.runtimes.setdefault(bundle.manifest.version, []).append(runtime)
        return LiveModel(bundle, ServingConfig(), (candidate(lambda _export, _threads: runtime),))

    def models(self, start: Key | None = None) -> Models:
        return Models((self.one.path, self.two.path), self.open_live, Alone(start))


@pytest.fixture
def shop(tiny_bundle: Bundle) -> Shop:
    return Shop(tiny_bundle)


def test_the_first_is_live_unless_another_was_activated(shop: Shop) -> None:
    assert shop.models().current.model.version == "1.0.0"
    assert shop.models(("tiny", "2.0.0")).current.model.version == "2.0.0"
    assert shop.models(("tiny", "gone")).current.model.version == "1.0.0"


def test_folders_of_bundles_are_looked_into(shop: Shop) -> None:
    models = Models((shop.folder,), shop.open_live)
    assert [bundle.manifest.version for bundle in models.bundles()] == ["1.0.0", "2.0.0"]
    shop.copy("3.0.0")
    assert [bundle.manifest.version for bundle in models.rescan()] == ["1.0.0", "2.0.0", "3.0.0"]


def test_two_of_one_version_are_refused(shop: Shop) -> None:
    shutil.copytree(shop.one.path, shop.folder / "twin")
    with pytest.raises(BundleError, match=r"both tiny 1\.0\.0"):
        Models((shop.folder,), shop.open_live)


def test_a_folder_without_bundles_is_refused(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle in"):
        Models((tmp_path / "nothing",), shop.open_live)


def test_activation_replaces(shop: Shop) -> None:
    models = shop.models()
    assert models.activate("tiny", "2.0.0").model.version == "2.0.0"
    assert models.current.model.version == "2.0.0"
    models.close()
    assert all(runtime.closed for loaded in shop.runtimes.values() for runtime in loaded)


def test_what_cannot_take_over_leaves_the_live_one(shop: Shop) -> None:
    models = shop.models()
    shop.spoiled.add("2.0.0")
    with pytest.raises(RequestError, match="answers to the golden set") as unproved:
        models.activate("tiny", "2.0.0")
    assert (unproved.value.status, unproved.value.code) == (409, "not-activated")
    assert shop.runtimes["2.0.0"][0].closed
    shop.spoiled.clear()
    (shop.two.path / "golden" / "tensors.npy").write_bytes(b"damaged")
    with pytest.raises(RequestError, match="cannot be loaded") as damaged:
        models.activate("tiny", "2.0.0")
    assert str(shop.folder) not in str(damaged.value)
    with pytest.raises(RequestError) as unknown:
        models.activate("tiny", "9")
    assert unknown.value.status == 404
    assert models.current.model.version == "1.0.0"
    assert not shop.runtimes["1.0.0"][0].closed


def test_the_old_model_is_closed_only_when_nobody_uses_it(shop: Shop) -> None:
    models = shop.models()
    with models.lease() as old:
        models.activate("tiny", "2.0.0")
        assert old.answer(InferenceJob(golden_photo(shop.one).read_bytes())).probabilities
        assert not shop.runtimes["1.0.0"][0].closed
    models.close()
    assert shop.runtimes["1.0.0"][0].closed


def test_no_request_fails_while_models_are_swapped(shop: Shop) -> None:
    models = shop.models()
    photo = golden_photo(shop.one).read_bytes()
    over = threading.Event()

    def ask() -> int:
        answered = 0
        while not over.is_set():
            with models.lease() as live:
                assert live.answer(InferenceJob(photo)).probabilities
            answered += 1
        return answered

    with ThreadPoolExecutor(4) as threads:
        asking = [threads.submit(ask) for _ in range(4)]
        for version in ("2.0.0", "1.0.0", "2.0.0"):
            models.activate("tiny", version)
        over.set()
        assert all(future.result() > 0 for future in asking)
    models.close()
    assert sum(runtime.closed for loaded in shop.runtimes.values() for runtime in loaded) == 4


class Others:
    """What other processes of the server have made of it."""

    def __init__(self) -> None:
        self.number, self.folders, self.key = 0, 0, ("tiny", "1.0.0")

    def numbers(self) -> tuple[int, int]:
        return self.number, self.folders

    def live(self) -> Key:
        return self.key

    def looked(self) -> None:
        self.folders += 1


def test_what_another_process_has_activated_answers_the_next_request(shop: Shop) -> None:
    others = Others()
    models = Models((shop.folder,), shop.open_live, others)
    with models.lease() as live:
        assert live.model.version == "1.0.0"
    shop.copy("3.0.0")  # unknown here until then
    others.number, others.key = 1, ("tiny", "3.0.0")
    with models.lease() as live:
        assert live.model.version == "3.0.0"
    others.looked()
    with models.lease():
        assert len(models.bundles()) == 3
    assert sum(map(len, shop.runtimes.values())) == 2  # what is live was not loaded anew
    models.close()


def test_the_old_model_does_not_answer_for_one_that_cannot_be_loaded(shop: Shop) -> None:
    others = Others()
    models = Models((shop.folder,), shop.open_live, others)
    shop.spoiled.add("2.0.0")
    others.number, others.key = 1, ("tiny", "2.0.0")
    for _ in range(2):  # and is not tried at each request
        with pytest.raises(RequestError) as refused, models.lease():
            pass
        assert (refused.value.status, refused.value.code) == (503, "model-changing")
    assert len(shop.runtimes["2.0.0"]) == 1
    models.close()


def test_what_cannot_be_told_to_others_is_not_activated(shop: Shop) -> None:
    def fail() -> int:
        raise RequestError("full", code="storage-unavailable", status=507)

    models = shop.models()
    with pytest.raises(RequestError, match="full"):
        models.activate("tiny", "2.0.0", fail)
    assert models.current.model.version == "1.0.0"
    assert shop.runtimes["2.0.0"][0].closed
