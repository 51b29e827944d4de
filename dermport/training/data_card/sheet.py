"""The contact sheet: near-duplicates side by side, and of each measure of quality the worst photos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from dermport.bundle.notice import NOTICE
from dermport.bundle.photo_quality import Bound, bounds
from dermport.training.data.dataset import Dataset
from dermport.training.data.near_duplicates import Link
from dermport.training.data.records import Record
from dermport.training.data_card.survey import Survey

_COLUMNS, _ROWS_OF_PAIRS = 8, 3
_CELL, _THUMB = (176, 164), (168, 126)
_EDGE, _HEADING, _GAP = 16, 46, 12
_INK, _GREY, _RED, _GROUND = "#111827", "#4B5563", "#B91C1C", "#E5E7EB"


@dataclass(frozen=True)
class Tile:
    """One photo of the sheet, with two lines below it; `bad` ones stand out."""

    record: Record
    lines: tuple[str, str]
    bad: bool = False


@dataclass(frozen=True)
class Strip:
    """Photos under one heading."""

    heading: str
    words: str
    tiles: tuple[Tile, ...]


def draw_sheet(dataset: Dataset, survey: Survey) -> Image.Image:
    """Return the sheet, RGB; photos keep their shape, and are turned as EXIF says."""
    strips = [_pairs(dataset), *(_worst(bound, dataset, survey) for bound in bounds())]
    heights = [_HEADING + _GAP + _CELL[1] * -(-len(strip.tiles) // _COLUMNS) for strip in strips]
    sheet = Image.new("RGB", (2 * _EDGE + _COLUMNS * _CELL[0], 2 * _EDGE + 84 + sum(heights)), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_EDGE, _EDGE), f"{dataset.name}: near-duplicates, and the worst photos", _INK, _font(22))
    draw.text((_EDGE, _EDGE + 32), f"{NOTICE} The data set's licence holds for its photos.", _GREY, _font(14))
    top = _EDGE + 68
    for strip, height in zip(strips, heights, strict=True):
        _draw_strip(sheet, draw, strip, top)
        top += height
    return sheet


def worst_first(bound: Bound, survey: Survey) -> list[int]:
    """Return the indices of the photos of which the value can be said, the furthest beyond the bound first."""
    sign = 1 if bound.side == "below" else -1
    values = [
        (sign * value, index)
        for index, one in enumerate(survey.qualities)
        if (value := one.values[bound.code]) is not None
    ]
    return [index for _, index in sorted(values)]


def closest_first(dataset: Dataset) -> list[Link]:
    """Return the near-duplicates, those of different lesions first, then by how much they differ."""
    records = dataset.records

    def key(link: Link) -> tuple[bool, int, int]:
        return records[link.first].lesion_id == records[link.second].lesion_id, link.distance, link.first

    return sorted(dataset.links, key=key)


def _pairs(dataset: Dataset) -> Strip:
    links = closest_first(dataset)[: _COLUMNS * _ROWS_OF_PAIRS // 2]
    words = f"{len(dataset.links):,} pairs; those of different lesions first, in red, then the closest."
    return Strip("Near-duplicates", words if links else "none", tuple(_pair_tiles(dataset.records, links)))


def _pair_tiles(records: Sequence[Record], links: Sequence[Link]) -> Iterator[Tile]:
    for number, link in enumerate(links, start=1):
        one, other = records[link.first], records[link.second]
        for record in (one, other):
            line = f"{number}: {link.distance} bits, {record.label}"
            yield Tile(record, (record.photo_id, line), bad=one.lesion_id != other.lesion_id)


def _worst(bound: Bound, dataset: Dataset, survey: Survey) -> Strip:
    tiles = []
    for index in worst_first(bound, survey)[:_COLUMNS]:
        record, value = dataset.records[index], survey.qualities[index].values[bound.code]
        tiles.append(Tile(record, (record.photo_id, f"{value:.3g}, {record.label}"), bad=bound.exceeded(value)))
    beyond = sum(bound.code in one.hints for one in survey.qualities)
    words = f"{beyond:,} of {len(survey.qualities):,} {bound.side} {bound.threshold:g}, in red. {bound.what}"
    return Strip(bound.code, words, tuple(tiles))


def _draw_strip(sheet: Image.Image, draw: ImageDraw.ImageDraw, strip: Strip, top: int) -> None:
    draw.text((_EDGE, top), strip.heading, _INK, _font(17))
    draw.text((_EDGE, top + 22), strip.words, _GREY, _font(13))
    for index, tile in enumerate(strip.tiles):
        row, column = divmod(index, _COLUMNS)
        left, down = _EDGE + column * _CELL[0], top + _HEADING + row * _CELL[1]
        _draw_tile(sheet, draw, tile, left, down)


def _draw_tile(sheet: Image.Image, draw: ImageDraw.ImageDraw, tile: Tile, left: int, top: int) -> None:
    with Image.open(tile.record.path) as photo:
        thumb = ImageOps.pad(ImageOps.exif_transpose(photo).convert("RGB"), _THUMB, color=_GROUND)
    sheet.paste(thumb, (left, top))
    if tile.bad:
        draw.rectangle((left - 2, top - 2, left + _THUMB[0] + 1, top + _THUMB[1] + 1), outline=_RED, width=2)
    for number, line in enumerate(tile.lines):
        draw.text((left, top + _THUMB[1] + 3 + 14 * number), _short(line), _RED if tile.bad else _INK, _font(12))


def _short(text: str, most: int = 24) -> str:
    return text if len(text) <= most else f"…{text[1 - most :]}"


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def write_sheet(path: Path, dataset: Dataset, survey: Survey) -> None:
    """Draw the sheet as a PNG."""
    draw_sheet(dataset, survey).save(path, optimize=True)
