"""What server and phone say to each other over HTTP: the frozen classes that one writes and the other reads.

One file per subject; the published JSON Schemas are in ``bundle/schema/``.
"""

from bundle.wire.base import (
    API_KEY_HEADER,
    IDEMPOTENCY_HEADER,
    PHOTO_FIELD,
    PHOTO_TYPES,
    PREP_HEADER,
    PROBLEM_TYPE,
    REQUEST_ID_HEADER,
    Message,
)
from bundle.wire.models import ExportSummary, ModelsAnswer, ModelSummary, ReadyAnswer
from bundle.wire.prediction import (
    BatchAnswer,
    BatchItem,
    PredictionAnswer,
    ReceivedPhoto,
    ServedModel,
    ServedRuntime,
    Timing,
    Verdict,
)
from bundle.wire.problem import Problem

__all__ = [
    "API_KEY_HEADER",
    "IDEMPOTENCY_HEADER",
    "PHOTO_FIELD",
    "PHOTO_TYPES",
    "PREP_HEADER",
    "PROBLEM_TYPE",
    "REQUEST_ID_HEADER",
    "BatchAnswer",
    "BatchItem",
    "ExportSummary",
    "Message",
    "ModelSummary",
    "ModelsAnswer",
    "PredictionAnswer",
    "Problem",
    "ReadyAnswer",
    "ReceivedPhoto",
    "ServedModel",
    "ServedRuntime",
    "Timing",
    "Verdict",
]
