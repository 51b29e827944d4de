"""A comparison as one self-contained HTML page: no script, no request to anywhere, plots as inline SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from dermport.bundle.activation_map import DRAWING
from dermport.bundle.manifest import Manifest, Preprocessing
from dermport.bundle.notice import NOTICE
from dermport.bundle.prep import prepare
from dermport.errors import PhotoError
from dermport.figures.agreement import ScorePair, agreement_plot, bland_altman_plot, latency_plot
from dermport.mobile_stub.comparison import CAUSES, ArtifactComparison, PhotoComparison
from dermport.mobile_stub.figures import Pair, pairs_of
from dermport.mobile_stub.maps import Overlays, data_uri, overlays
from dermport.mobile_stub.photos import Photo
from dermport.mobile_stub.prediction import Prediction
from dermport.statistics.estimates import Share
from dermport.statistics.metrics import TITLES
from dermport.statistics.text import interval, share_text, small
from dermport.templates import load_template

THUMBNAIL = Preprocessing(size=112, crop="centre-square")
_TEMPLATE = Path(__file__).with_name("comparison.html")
LISTED = 300
"""How many photos of a kind the page shows, the largest differences first; all are in the CSV and the JSON."""
FIGURES = (
    "accuracy",
    "balanced_accuracy",
    "macro_roc_auc",
    "decision_sensitivity",
    "decision_specificity",
    "decision_roc_auc",
)
_AGREEING = 60


@dataclass(frozen=True)
class Page:
    """What a page shows.

    Attributes:
        comparisons: One for each of the phones' artifacts, over the same photos.
        manifest: The bundle's.
        server: The server's address.
        photos: Where the photos are, for thumbnails; empty for a page without patients' photos.
    """

    comparisons: tuple[ArtifactComparison, ...]
    manifest: Manifest
    server: str
    photos: tuple[Photo, ...] = ()


@dataclass(frozen=True)
class Shown:
    """A photo that is shown.

    Attributes:
        row: Its comparison.
        thumbnail: A data URI, or an empty string.
        maps: Both class activation maps over it; None where they were not asked for, or not both given.
    """

    row: PhotoComparison
    thumbnail: str = ""
    maps: Overlays | None = None


@dataclass(frozen=True)
class PhotoGroup:
    """Photos of a kind.

    Attributes:
        title: What they have in common.
        rows: Those that are shown.
        count: How many there are.
        open: Whether they are shown at once.
    """

    title: str
    rows: tuple[Shown, ...]
    count: int
    open: bool


@dataclass(frozen=True)
class ArtifactSection:
    """One artifact's part of the page.

    Attributes:
        comparison: Its figures.
        bland_altman: SVG, or an empty string.
        latency: SVG, or an empty string.
        groups: The photos that are shown.
    """

    comparison: ArtifactComparison
    bland_altman: str
    latency: str
    groups: list[PhotoGroup]


def to_html(page: Page) -> str:
    """Return the page."""
    return load_template(_TEMPLATE, small=small, share=share_text, interval=interval).render(
        page=page,
        first=page.comparisons[0],
        names={label.id: label.name for label in page.manifest.task.labels},
        causes=CAUSES,
        titles={name: TITLES[name] for name in FIGURES},
        notice=NOTICE,
        agreement=agreement_plot(list(_agreements(page.comparisons))),
        sections=[_section(comparison, page) for comparison in page.comparisons],
        served=_served(page.comparisons),
        ramp=", ".join(f"rgb{tuple(colour)}" for colour in DRAWING["colours"]),
    )


def _section(comparison: ArtifactComparison, page: Page) -> ArtifactSection:
    figures, pairs = comparison.bland_altman, pairs_of(comparison.photos)
    plot = ""
    if figures is not None and comparison.decision is not None and comparison.threshold is not None:
        plot = bland_altman_plot(figures, list(map(_scores, pairs)), comparison.decision, comparison.threshold)
    latency = latency_plot(
        {
            "phone": [phone.milliseconds for _, phone, _ in pairs],
            "jetson": [server.milliseconds for _, _, server in pairs],
            "trip": [row.round_trip for row, _, _ in pairs],
        }
    )
    return ArtifactSection(comparison, plot, latency, _groups(comparison, page))


def _agreements(comparisons: Sequence[ArtifactComparison]) -> Iterator[tuple[str, Share, float | None]]:
    for one in comparisons:
        name, totals = one.artifact.name if one.artifact else "phone", one.totals
        least = one.standing.least if one.standing else None
        for what, share, bound in (
            ("label", totals.label_agreement, least),
            ("decision", totals.decision_agreement, None),
        ):
            if share.of:
                yield f"{name}, {what}", share, bound


def _scores(pair: Pair) -> ScorePair:
    row, phone, server = pair
    ours, theirs = phone.score or 0.0, server.score or 0.0  # drawn where both know a decision
    title = f"{row.photo}: phone {ours:.3f}, Jetson {theirs:.3f}" if row.disagrees else ""
    return ScorePair(ours, theirs, row.same_decision is False, title)


def thumbnail(data: bytes) -> str:
    """Return a small upright square of the photo as a data URI, or an empty string where it cannot be decoded."""
    try:
        pixels = prepare(data, THUMBNAIL).tensor
    except PhotoError:
        return ""
    return data_uri(Image.fromarray(pixels))


def _groups(comparison: ArtifactComparison, page: Page) -> list[PhotoGroup]:
    """Return the photos that differ, and, of a small set, the others, too."""
    differ = sorted((row for row in comparison.photos if row.disagrees), key=lambda row: -(row.change or 1.0))
    agree = [row for row in comparison.photos if not row.disagrees]
    groups = [_group("Where they disagree", differ, page, LISTED, True)] if differ else []
    if agree and len(comparison.photos) <= _AGREEING:
        groups.append(_group("Where they agree", agree, page, _AGREEING, not differ))
    return groups


def _group(title: str, rows: Sequence[PhotoComparison], page: Page, most: int, shown: bool) -> PhotoGroup:
    paths, spec = {photo.name: photo for photo in page.photos}, page.manifest.preprocessing
    pictured = tuple(_shown(row, paths.get(row.photo), spec) for row in rows[:most])
    return PhotoGroup(title, pictured, len(rows), shown)


def _shown(row: PhotoComparison, photo: Photo | None, spec: Preprocessing) -> Shown:
    if photo is None:
        return Shown(row)
    data = photo.read()
    return Shown(row, thumbnail(data), overlays(data, spec, row.phone, row.server))


def _served(comparisons: Sequence[ArtifactComparison]) -> Prediction | None:
    """Return the server's first prediction, which names what it ran."""
    rows = (row.server for comparison in comparisons for row in comparison.photos)
    return next((side for side in rows if isinstance(side, Prediction)), None)
