"""Comparisons as CSV: one row each."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from dermport.bundle.csv_table import cell
from dermport.bundle.wire import ComparisonAnswer

COLUMNS = (
    *("id", "created", "cause", "change", "same_label", "same_decision", "same_input"),
    *("phone_label", "phone_score", "phone_positive", "phone_input_sha256", "phone_artifact_sha256"),
    *("phone_model", "phone_version", "phone_target", "phone_precision", "phone_runtime"),
    *("device", "device_model", "app_version", "client_id", "taken", "asked"),
    *("server_label", "server_score", "server_positive", "server_input_sha256", "server_artifact_sha256"),
    *("server_model", "server_version", "server_target", "server_precision", "server_runtime"),
    *("photo_kept", "words"),
)


def csv_lines(comparisons: Iterable[ComparisonAnswer]) -> Iterator[str]:
    """Yield the header and one line per comparison; nothing stands for what is not known."""
    yield _line(COLUMNS)
    for comparison in comparisons:
        values = _values(comparison)
        yield _line(cell("" if values[name] is None else values[name]) for name in COLUMNS)


def _line(values: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


def _values(comparison: ComparisonAnswer) -> dict[str, object]:
    verdict = comparison.verdict
    return {
        "id": comparison.id,
        "created": comparison.created.isoformat(),
        "cause": verdict.cause,
        "change": verdict.change,
        "same_label": verdict.same_label,
        "same_decision": verdict.same_decision,
        "same_input": verdict.same_input,
        "photo_kept": comparison.photo_kept,
        "words": verdict.words,
        **_phone(comparison),
        **_server(comparison),
    }


def _phone(comparison: ComparisonAnswer) -> dict[str, object]:
    phone, said, known = comparison.phone, comparison.phone.said, comparison.phone.known
    return {
        "phone_label": phone.label,
        "phone_score": phone.decision.score if phone.decision else None,
        "phone_positive": phone.decision.positive if phone.decision else None,
        "phone_input_sha256": said.input_sha256,
        "phone_artifact_sha256": said.artifact_sha256,
        "phone_model": known.name if known else None,
        "phone_version": known.version if known else None,
        "phone_target": known.target if known else said.target,
        "phone_precision": known.precision if known else said.precision,
        "phone_runtime": said.runtime,
        "device": said.device.id if said.device else None,
        "device_model": said.device.model if said.device else None,
        "app_version": said.app_version,
        "client_id": said.client_id,
        "taken": said.taken.isoformat() if said.taken else None,
        "asked": said.asked.isoformat() if said.asked else None,
    }


def _server(comparison: ComparisonAnswer) -> dict[str, object]:
    server = comparison.server
    return {
        "server_label": server.label,
        "server_score": server.decision.score if server.decision else None,
        "server_positive": server.decision.positive if server.decision else None,
        "server_input_sha256": server.input_sha256,
        "server_artifact_sha256": server.model.artifact_sha256,
        "server_model": server.model.name,
        "server_version": server.model.version,
        "server_target": server.model.target,
        "server_precision": server.model.precision,
        "server_runtime": server.runtime.name,
    }
