"""What the server has."""

from __future__ import annotations

from flask import Response
from flask_openapi3 import Tag

from dermport.bundle.store import Bundle, Export
from dermport.bundle.wire import ExportSummary, ModelsAnswer, ModelSummary
from dermport.server.api.blueprint import DescribedLater
from dermport.server.api.bodies import json_response
from dermport.server.security.access import requires
from dermport.server.services import services
from dermport.server.serving.live import LiveModel
from dermport.server.serving.maps import gives_map

api = DescribedLater("models", __name__, abp_tags=[Tag(name="models", description="What the server has.")])


@api.get("/v1/models", responses={200: ModelsAnswer}, summary="List the models")
@requires("predict")
def models() -> Response:
    """Every model that the server knows, with its artifacts, and which of them is live."""
    with services().models.lease() as live:
        known = services().models.bundles()
        return json_response(ModelsAnswer(models=tuple(_summary(bundle, live) for bundle in known)))


def _summary(bundle: Bundle, live: LiveModel) -> ModelSummary:
    manifest = bundle.manifest
    is_live = (manifest.name, manifest.version) == (live.model.name, live.model.version)
    return ModelSummary(
        name=manifest.name,
        version=manifest.version,
        sha256=bundle.model_sha256,
        task=manifest.task,
        preprocessing=manifest.preprocessing,
        decision=manifest.decision,
        live=live.model if is_live else None,
        runtime=live.served_by if is_live else None,
        exports=tuple(_export_summary(export) for export in bundle.exports()),
    )


def _export_summary(export: Export) -> ExportSummary:
    record = export.record
    return ExportSummary(
        target=record.target,
        precision=record.precision,
        artifact=record.artifact,
        bytes=record.artifact_bytes,
        artifact_sha256=record.artifact_sha256,
        built=record.built,
        parity=record.parity.status if record.parity else None,
        activation_map=gives_map(record),
    )
