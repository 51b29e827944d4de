"""Class activation maps over HTTP: the grids, the drawn overlay, and what is refused."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image

from dermport.bundle.activation_map import SHIFT
from dermport.bundle.export_record import TensorSpec
from dermport.bundle.store import Bundle, write_record
from dermport.bundle.wire import BatchAnswer, ModelsAnswer, PredictionAnswer
from dermport.runtimes.base import ACTIVATION_MAP
from tests.server.fakes import RecallRuntime, add_export, golden_photo, recall, recall_app

SIDE = 2


class _Mapped(RecallRuntime):
    """Recalls, and counts the runs in which it was asked for maps."""

    asked = 0

    def predict_with_maps(self, tensors: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.asked += 1
        cells = np.arange(SIDE * SIDE * len(self.labels), dtype=np.float32)
        maps = np.broadcast_to(cells.reshape(SIDE, SIDE, -1), (len(tensors), SIDE, SIDE, len(self.labels)))
        return self.predict(tensors), maps / 7


@pytest.fixture
def runtime(tiny_bundle: Bundle) -> _Mapped:
    return _Mapped(**vars(recall(tiny_bundle)))


@pytest.fixture
def client(tiny_bundle: Bundle, runtime: _Mapped) -> FlaskClient:
    export = add_export(tiny_bundle)
    outputs = tuple(TensorSpec(name=name, shape=(), dtype="float32") for name in ("probabilities", ACTIVATION_MAP))
    write_record(export.path, export.record.model_copy(update={"outputs": outputs}))
    return recall_app(tiny_bundle, runtime).test_client()


def _post(client: FlaskClient, bundle: Bundle, address: str = "/v1/predict", **options: Any) -> Any:
    photo = golden_photo(bundle, 5).read_bytes()
    return client.post(address, data=photo, content_type="image/jpeg", **options)


def _whole(bundle: Bundle) -> NDArray[np.float32]:
    count = len(bundle.manifest.task.ids)
    return np.arange(SIDE * SIDE * count, dtype=np.float32).reshape(SIDE, SIDE, count) / 7


def test_the_map_comes_where_it_is_asked_for_and_only_there(
    client: FlaskClient, tiny_bundle: Bundle, runtime: _Mapped
) -> None:
    plain = PredictionAnswer.model_validate_json(_post(client, tiny_bundle).data)
    assert plain.activation_map is None
    assert runtime.asked == 0
    answer = PredictionAnswer.model_validate_json(_post(client, tiny_bundle, "/v1/predict?map=top").data)
    assert answer.probabilities == plain.probabilities
    said = answer.activation_map
    assert said is not None
    assert (said.shape, said.shift, tuple(said.grids)) == ((SIDE, SIDE), SHIFT, (answer.label,))
    place = tiny_bundle.manifest.task.ids.index(answer.label)
    np.testing.assert_allclose(said.grids[answer.label], _whole(tiny_bundle)[..., place], rtol=1e-5)


@pytest.mark.parametrize("which", ["all", "last"])
def test_any_label_can_be_asked_for(client: FlaskClient, tiny_bundle: Bundle, which: str) -> None:
    ids = tiny_bundle.manifest.task.ids
    wanted = ids[-1] if which == "last" else which
    said = PredictionAnswer.model_validate_json(_post(client, tiny_bundle, f"/v1/predict?map={wanted}").data)
    assert said.activation_map is not None
    assert tuple(said.activation_map.grids) == (ids if which == "all" else (ids[-1],))


def test_each_photo_of_several_has_its_map(client: FlaskClient, tiny_bundle: Bundle) -> None:
    files = [(io.BytesIO(golden_photo(tiny_bundle, index).read_bytes()), "x.jpg") for index in (0, 5)]
    response = client.post("/v1/predict/batch?map=all", data={"photo": files})
    items = BatchAnswer.model_validate_json(response.data).items
    assert all(item.answer is not None and item.answer.activation_map is not None for item in items)


def test_the_overlay_is_a_picture_with_legend_and_notice(client: FlaskClient, tiny_bundle: Bundle) -> None:
    response = _post(client, tiny_bundle, "/v1/predict/overlay")
    assert (response.status_code, response.mimetype) == (200, "image/png")
    drawn = np.asarray(Image.open(io.BytesIO(response.data)).convert("RGB")).astype(int)
    height, width, _ = drawn.shape
    assert width > 2 * 320
    assert height > 320 + 3 * 15
    plain, mixed = drawn[20:300, 20:300], drawn[20:300, 344:624]
    assert np.abs(plain - mixed).mean() > 10  # the map lies over the second
    assert (drawn[-20:] < 128).any()  # the notice's letters


@pytest.mark.parametrize(
    ("address", "code", "status"),
    [
        ("/v1/predict?map=mole", "no-such-label", 422),
        ("/v1/predict/overlay?map=all", "no-such-label", 422),
        ("/v1/predict?map=" + 65 * "a", "invalid", 422),
    ],
)
def test_unknown_labels_are_refused(
    client: FlaskClient, tiny_bundle: Bundle, address: str, code: str, status: int
) -> None:
    response = _post(client, tiny_bundle, address)
    assert (response.status_code, response.json["code"]) == (status, code)
    assert "top" in response.json["remedy"] or code == "invalid"


@pytest.mark.parametrize("address", ["/v1/predict?map=top", "/v1/predict/overlay"])
def test_an_artifact_without_maps_says_how_to_get_one(tiny_bundle: Bundle, address: str) -> None:
    client = recall_app(tiny_bundle).test_client()
    response = _post(client, tiny_bundle, address)
    assert (response.status_code, response.json["code"]) == (409, "no-activation-map")
    assert "dermport export BUNDLE --maps" in response.json["remedy"]
    assert not _exports(client)["fake"]


def test_the_models_say_whether_maps_can_be_had(client: FlaskClient) -> None:
    assert _exports(client)["fake"]


def _exports(client: FlaskClient) -> dict[str, bool]:
    [model] = ModelsAnswer.model_validate_json(client.get("/v1/models").data).models
    return {export.target: export.activation_map for export in model.exports}
