"""A comparison as one self-contained HTML page: no script, no request to anywhere, thumbnails inside."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from bundle.errors import PhotoError
from bundle.manifest import Manifest, Preprocessing
from bundle.prep import prepare
from mobile_stub.comparison import CAUSES, Comparison, PhotoComparison
from mobile_stub.photos import Photo
from mobile_stub.prediction import Prediction
from mobile_stub.text import small

THUMBNAIL = Preprocessing(size=112, crop="centre-square")
TEMPLATE = "comparison.html"


def to_html(comparison: Comparison, photos: Sequence[Photo], manifest: Manifest) -> str:
    """Return the page; `photos` are those of the comparison, in its order."""
    import jinja2

    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["small"] = small
    rows = [(row, thumbnail(photo.read())) for row, photo in zip(comparison.photos, photos, strict=True)]
    return environment.get_template(TEMPLATE).render(
        comparison=comparison,
        totals=comparison.totals,
        names={label.id: label.name for label in manifest.task.labels},
        groups=_groups(rows),
        sides=_sides(comparison),
        causes=CAUSES,
    )


def thumbnail(data: bytes) -> str:
    """Return a small upright square of the photo as a data URI, or an empty string where it cannot be decoded."""
    try:
        pixels = prepare(data, THUMBNAIL).tensor
    except PhotoError:
        return ""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _groups(rows: list[tuple[PhotoComparison, str]]) -> list[tuple[str, list[tuple[PhotoComparison, str]]]]:
    differ = [row for row in rows if row[0].disagrees]
    agree = [row for row in rows if not row[0].disagrees]
    return [(title, group) for title, group in (("Where they disagree", differ), ("Where they agree", agree)) if group]


def _sides(comparison: Comparison) -> list[tuple[str, Prediction]]:
    """Return each side's first prediction, which names what it ran."""
    first_phone = next((row.phone for row in comparison.photos if isinstance(row.phone, Prediction)), None)
    first_server = next((row.server for row in comparison.photos if isinstance(row.server, Prediction)), None)
    return [(title, side) for title, side in (("Phone", first_phone), ("Jetson", first_server)) if side]
