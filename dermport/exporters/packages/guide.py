"""The texts of a package: templates, and what of the bundle and its proof goes into them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from dermport.bundle.export_record import EVIDENCE_MEANING, Evidence, Parity
from dermport.bundle.manifest import Manifest
from dermport.bundle.notice import NOTICE
from dermport.bundle.store import Bundle, Export
from dermport.exporters.origin import licence_of
from dermport.exporters.packages.cannot_tell import section
from dermport.exporters.packages.platforms import PackagePlatform

TEMPLATES = Path(__file__).parent / "templates"
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def fill(template: Path, values: Mapping[str, str]) -> bytes:
    """Return a template with each ``{{name}}`` replaced; KeyError for a name that `values` lacks."""
    return _PLACE.sub(lambda place: values[place[1]], template.read_text(encoding="utf-8")).encode()


def guide_values(bundle: Bundle, platform: PackagePlatform, exports: tuple[Export, ...]) -> dict[str, str]:
    """Return everything that a guide, a licence note or a systemd unit can name."""
    record, manifest = exports[0].record, bundle.manifest
    values = {
        "notice": NOTICE,
        "platform": platform.title,
        "precision": record.precision,
        "precision_note": _precision_note(platform, record.precision),
        "artifact": f"exports/{exports[0].path.name}/{record.artifact}",
        "proof": _proof_table(exports),
        "evidence": _evidence_list(exports),
        "largest_change": _largest_change(record.parity),
        "golden_photo": _golden_photo(manifest),
        **_manifest_values(manifest),
    }
    own = TEMPLATES / platform.name / "guide.md"
    return {**values, "integration": fill(own, values).decode()}


def _manifest_values(manifest: Manifest) -> dict[str, str]:
    task, prep, alpha = manifest.task, manifest.preprocessing, manifest.model.alpha
    return {
        "name": manifest.name,
        "version": manifest.version,
        "architecture": manifest.model.architecture + (f" (alpha {alpha:g})" if alpha is not None else ""),
        "weights": manifest.model.weights or "not known",
        "dataset": manifest.dataset.name if manifest.dataset else "not known",
        "size": str(prep.size),
        "tensor_bytes": str(prep.size * prep.size * 3),
        "crop": prep.crop,
        "crop_swift": {"full-frame": ".fullFrame", "centre-square": ".centreSquare"}[prep.crop],
        "crop_kotlin": {"full-frame": "FULL_FRAME", "centre-square": "CENTRE_SQUARE"}[prep.crop],
        "labels": ", ".join(f"`{label.id}` ({label.name})" for label in task.labels),
        "label_literals": ", ".join(f'"{label}"' for label in task.ids),
        "positive": ", ".join(f"`{label}`" for label in task.positive),
        "positive_literals": ", ".join(f'"{label}"' for label in task.positive),
        "decision": manifest.decision.name if manifest.decision else "",
        "threshold": repr(manifest.decision.threshold if manifest.decision else 1.0),
        "rule": _rule(manifest),
        "licence": licence_of(manifest),
        "cannot_tell": section(manifest.abstention),
    }


def _rule(manifest: Manifest) -> str:
    """Return how probabilities become an answer, in words."""
    if manifest.decision is None:
        return "The answer is the most probable label: this model knows no positive labels, so nothing is decided."
    positive = ", ".join(f"`{label}`" for label in manifest.task.positive)
    return (
        f"The score is the sum of the probabilities of the positive labels, {positive}. The answer is\n"
        f'"{manifest.decision.name}" when the score is at least **{manifest.decision.threshold!r}**. The threshold was '
        "chosen\non photos that the model was not trained on; do not round it, and do not scale the probabilities\n"
        "again: calibration is inside the model."
    )


def _golden_photo(manifest: Manifest) -> str:
    return next(entry.path for entry in manifest.files if entry.path.startswith("golden/photos/"))


def _precision_note(platform: PackagePlatform, precision: str) -> str:
    return f" (the default: {platform.reason})" if precision == platform.precision else ""


def _largest_change(parity: Parity | None) -> str:
    return f"{parity.max_change:.2g}" if parity else "an unknown amount (it has not been proved)"


def _proof_table(exports: tuple[Export, ...]) -> str:
    head = ("export", "bytes", "status", "evidence", "photos", "top-1 agreement", "largest change", "flips to yes / no")
    return _table([head, ("---",) * len(head), *(_proof_row(export) for export in exports)])


def _proof_row(export: Export) -> tuple[str, ...]:
    name, size, parity = f"`{export.path.name}`", f"{export.record.artifact_bytes:,}", export.record.parity
    if parity is None:
        return (name, size, "**not proved**", *("–",) * 5)
    return (
        name,
        size,
        f"**{parity.status}**" + "".join(f"; {reason}" for reason in parity.reasons),
        f"`{parity.evidence}`",
        f"{parity.photos} ({parity.data})",
        f"{parity.top1_agreement:.3f}",
        f"{parity.max_change:.2g}",
        f"{parity.flips_to_positive} / {parity.flips_to_negative}",
    )


def _table(rows: Iterable[Iterable[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _evidence_list(exports: tuple[Export, ...]) -> str:
    parities = [export.record.parity for export in exports if export.record.parity]
    seen: dict[Evidence, str] = {parity.evidence: parity.evidence_reason for parity in parities}
    lines = (
        f"- `{name}`: {EVIDENCE_MEANING[name]}." + (f" ({reason})" if reason else "") for name, reason in seen.items()
    )
    return "\n".join(lines)
