"""What a request leaves behind: a log line, and what Prometheus reads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from dermport.bundle.wire import PredictionAnswer, ReceivedPhoto, ServedModel, ServedRuntime, Timing, Verdict
from dermport.errors import RequestError, StorageError, UnavailableError
from dermport.runtimes.power.sensors import Sensors
from dermport.server import problems, request_ids
from dermport.server.config import AccessConfig
from dermport.server.operations import journal
from dermport.server.operations.gauges import Agreement
from dermport.server.operations.metrics import ServerMetrics
from dermport.server.security import guard
from dermport.server.security.access import open_to_all
from dermport.server.security.limits import Limits, unlimited
from dermport.server.serving.backend import Load
from dermport.server.serving.live import LiveModel
from tests.server.security.made import guarded_app, sqlite

MODEL = ServedModel(
    name="tiny", version="1.0.0", sha256="a" * 64, artifact_sha256="b" * 64, target="onnx", precision="int8"
)
RUNTIME = ServedRuntime(name="Recall 1.0", reason="the only one")
LOAD = Load(waiting=3, busy=2, slots=4)
ANSWER = PredictionAnswer(
    label="nevus",
    probabilities={"nevus": 0.8125, "melanoma": 0.1875},
    decision=Verdict(name="refer", positive=False, score=0.1875, threshold=0.5),
    model=MODEL,
    runtime=RUNTIME,
    preprocessing="dermport-prep/1",
    input_sha256="c" * 64,
    photo=ReceivedPhoto(width=600, height=450, orientation=1, bytes=1234, form="photo"),
    milliseconds=Timing(receive=1, wait=2, prepare=30, infer=400, total=433),
    request_id="r",
)


@dataclass
class Behind:
    """What is behind the metrics, to change at will."""

    load: Load = LOAD
    complaint: str = ""
    agreements: Callable[[], tuple[Agreement, ...]] = tuple
    gone: bool = False
    sensors: Path = field(default_factory=lambda: Path("/nowhere"))

    @contextmanager
    def lease(self) -> Iterator[LiveModel]:
        if self.gone:
            raise UnavailableError("No model is live.")
        proof = SimpleNamespace(complaint=self.complaint)
        yield cast(LiveModel, SimpleNamespace(load=lambda: self.load, model=MODEL, served_by=RUNTIME, proof=proof))

    def metrics(self) -> ServerMetrics:
        return ServerMetrics(self.lease, self.agreement, Sensors(self.sensors))

    def agreement(self) -> tuple[Agreement, ...]:
        return self.agreements()


def _figures(metrics: ServerMetrics) -> dict[str, float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        sample.name + "".join(f" {value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def metrics(behind: Behind) -> ServerMetrics:
    return behind.metrics()


@pytest.fixture
def app(metrics: ServerMetrics, tmp_path: Path) -> Iterator[Flask]:
    base = sqlite(tmp_path)
    app = Flask("journal", static_folder=None)
    request_ids.register(app)
    problems.register(app)
    journal.register(app, metrics)
    guard.register(app, guarded_app(base)[1], Limits(0, Path()), AccessConfig())
    _add_views(app)
    yield app
    base.close()


def _add_views(app: Flask) -> None:
    @app.post("/v1/photos/<name>")
    def photos(name: str) -> str:
        journal.note(ANSWER, batch=4)
        return name

    @app.get("/well")
    @open_to_all
    @unlimited
    def well() -> str:
        return "well"

    @app.get("/busy")
    def busy() -> str:
        raise RequestError("Busy.", code="overloaded", status=503, retry_after=1)

    @app.get("/full")
    def full() -> str:
        raise StorageError("Full.", reason="full")

    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("/secret/path")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return cast("dict[str, Any]", record.__dict__["dermport_fields"])


def test_a_photos_line_says_what_ran_and_nothing_of_the_photo(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dermport.requests")
    app.test_client().post(
        "/v1/photos/anna-left-arm.jpg?patient=Anna", data=b"12345", headers={"X-Request-Id": "phone-1"}
    )
    [record] = caplog.records
    fields = _fields(record)
    took = fields.pop("milliseconds")
    assert {name: took[name] for name in ("receive", "wait", "prepare", "infer")} == {
        "receive": 1,
        "wait": 2,
        "prepare": 30,
        "infer": 400,
    }
    assert 0 < took["total"] < 1000
    assert fields == {
        "request_id": "phone-1",
        "route": "/v1/photos/<name>",
        "method": "POST",
        "status": 200,
        "problem": "",
        "bytes_in": 5,
        "key": "",
        "photos": 1,
        "model": "tiny 1.0.0",
        "runtime": "Recall 1.0",
    }
    everything = record.getMessage() + str(record.__dict__["dermport_fields"])
    assert not [word for word in ("anna", "Anna", "127.0.0.1", "nevus", "0.8125") if word in everything]


def test_levels(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "dermport.requests")
    client = app.test_client()
    for path in ("/well", "/nowhere", "/busy", "/broken"):
        client.get(path)
    levels = {_fields(r)["status"]: r.levelname for r in caplog.records if r.name == "dermport.requests"}
    assert levels == {200: "DEBUG", 404: "INFO", 503: "WARNING", 500: "WARNING"}
    assert any(r.exc_info for r in caplog.records if r.levelname == "ERROR")


def test_requests_are_counted_by_template(app: Flask, metrics: ServerMetrics) -> None:
    client = app.test_client()
    for name in ("a", "b"):
        client.post(f"/v1/photos/{name}")
    for path in ("/busy", "/full", "/secret-1", "/secret-2"):
        client.get(path)
    client.open("/well", method="BREW")
    figures = _figures(metrics)
    counted = {
        key.partition(" ")[2]: value for key, value in figures.items() if key.startswith("dermport_requests_total")
    }
    assert counted == {
        "POST /v1/photos/<name> 200": 2,
        "GET /busy 503": 1,
        "GET /full 507": 1,
        "GET (none) 404": 2,
        "other (none) 405": 1,
    }
    assert figures["dermport_problems_total overloaded"] == 1
    assert figures["dermport_problems_total storage-unavailable"] == 1


def test_failures_of_the_database_are_counted_also_where_no_request_is_refused(behind: Behind) -> None:
    metrics = ServerMetrics(behind.lease, database_failures=lambda: 3)
    assert _figures(metrics)["dermport_storage_errors_total"] == 3


def test_requests_that_did_not_pass_the_app_are_logged_and_counted(
    metrics: ServerMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dermport.requests")
    journal.note_outside(metrics, 408)
    [refused] = caplog.records
    assert _fields(refused)["status"] == 408
    assert _figures(metrics)["dermport_requests_total other (none) 408"] == 1


def test_photos_are_counted_by_stage_and_batch(app: Flask, metrics: ServerMetrics) -> None:
    app.test_client().post("/v1/photos/a")
    figures = _figures(metrics)
    assert figures["dermport_stage_seconds_sum infer"] == pytest.approx(0.4)
    assert figures["dermport_stage_seconds_bucket 0.25 infer"] == 0
    assert figures["dermport_stage_seconds_bucket 0.5 infer"] == 1
    assert {key.split()[-1] for key in figures if key.startswith("dermport_stage_seconds_count")} == {
        *("receive", "wait", "prepare", "infer", "total")
    }
    assert figures["dermport_batch_size_sum"] == 4


def test_the_present_state_is_looked_up(behind: Behind, metrics: ServerMetrics) -> None:
    behind.agreements = lambda: (Agreement("tiny 1.0.0", "tflite-int8", 40, 0.975, 0.87),)
    figures = _figures(metrics)
    assert figures["dermport_ready"] == 1
    assert (figures["dermport_queue_waiting"], figures["dermport_slots_busy"], figures["dermport_slots"]) == (3, 2, 4)
    assert figures["dermport_agreement tflite-int8 tiny 1.0.0"] == 0.975
    assert figures["dermport_agreement_low tflite-int8 tiny 1.0.0"] == 0.87
    assert figures["dermport_comparisons tflite-int8 tiny 1.0.0"] == 40
    [info] = [key for key in figures if key.startswith("dermport_model_info")]
    assert {"tiny", "1.0.0", "onnx", "int8"} <= set(info.split())
    assert figures["dermport_resident_memory_bytes workers"] > 10e6
    behind.load = Load(waiting=0, busy=0, slots=0)
    assert _figures(metrics)["dermport_ready"] == 0
    behind.load, behind.complaint = LOAD, "Golden photo 3 differs."
    assert _figures(metrics)["dermport_ready"] == 0


def test_what_cannot_be_had_is_absent_and_the_rest_is_there(behind: Behind, metrics: ServerMetrics) -> None:
    def fail() -> tuple[Agreement, ...]:
        raise StorageError("Full.", reason="full")

    behind.agreements = fail
    figures = _figures(metrics)
    assert figures["dermport_slots"] == 4
    assert figures["dermport_resident_memory_bytes workers"] > 0
    assert not [key for key in figures if "agreement" in key or "watts" in key or "celsius" in key or "joules" in key]
    behind.gone = True
    assert "dermport_slots" not in _figures(metrics)


def test_sensors_are_told(tmp_path: Path) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text("45000\n")
    assert _figures(Behind(sensors=tmp_path).metrics())["dermport_temperature_celsius cpu-thermal"] == 45


def test_two_servers_in_one_process_count_each_for_itself(metrics: ServerMetrics) -> None:
    other = Behind().metrics()
    metrics.request("/a", "GET", 200)
    assert "dermport_requests_total GET /a 200" not in _figures(other)
