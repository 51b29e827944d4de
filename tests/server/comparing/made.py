"""Comparisons for the tests: whole answers from a few words."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import Any

from dermport.bundle.causes import Cause, largest_change
from dermport.bundle.wire import (
    ComparisonAnswer,
    ComparisonRequest,
    ComparisonVerdict,
    PhoneDevice,
    PhoneSide,
    ReceivedPhoto,
    ServedModel,
    ServedRuntime,
    ServerSide,
    Verdict,
)

NOON = datetime(2026, 5, 4, 12, tzinfo=timezone.utc)
PHONE_FILE, SERVER_FILE, MODEL, INPUT = ("1" * 64, "2" * 64, "3" * 64, "4" * 64)


def said(mel: float = 0.7, **other: Any) -> ComparisonRequest:
    facts: dict[str, Any] = {
        "probabilities": {"mel": mel, "nv": 1 - mel},
        "input_sha256": INPUT,
        "artifact_sha256": PHONE_FILE,
        "runtime": "LiteRT 2",
        "app_version": "1.0",
    }
    return ComparisonRequest(**(facts | other))


def verdict_of(mel: float) -> Verdict:
    return Verdict(name="suspicious", positive=mel >= 0.4, score=mel, threshold=0.4)


def label_of(mel: float) -> str:
    return "mel" if mel >= 0.5 else "nv"


def server_side(mel: float = 0.7, version: str = "1.0.0") -> ServerSide:
    return ServerSide(
        label=label_of(mel),
        probabilities={"mel": mel, "nv": 1 - mel},
        decision=verdict_of(mel),
        model=ServedModel(
            name="tiny", version=version, sha256=MODEL, artifact_sha256=SERVER_FILE, target="onnx", precision="fp32"
        ),
        runtime=ServedRuntime(name="Recall 1.0", reason="the only one"),
        preprocessing="dermport-prep/1",
        input_sha256=INPUT,
        photo=ReceivedPhoto(width=160, height=120, orientation=1, bytes=5000),
    )


def comparison(  # noqa: PLR0917
    phone: float = 0.7,
    server: float = 0.7,
    cause: Cause = "same",
    created: datetime = NOON,
    device: str | None = None,
    device_model: str | None = None,
    **other: Any,
) -> ComparisonAnswer:
    """What the phone said is `phone`, and what the server said `server`: the probability of "mel"."""
    named = PhoneDevice(id=device, model=device_model) if device else None
    asked = said(phone, device=named, **other)
    ours = server_side(server)
    return ComparisonAnswer(
        id=uuid.uuid4().hex,
        created=created,
        verdict=ComparisonVerdict(
            same_label=label_of(phone) == label_of(server),
            same_decision=(phone >= 0.4) == (server >= 0.4),
            same_input=True,
            change=largest_change(asked.probabilities, ours.probabilities),
            cause=cause,
            words="words",
        ),
        steps=(),
        evidence=(),
        missing=(),
        phone=PhoneSide(label=label_of(phone), decision=verdict_of(phone), said=asked),
        server=ours,
        photo_kept=False,
        request_id="r",
    )
