"""Lesions of HAM10000's seven classes, drawn as pigment by the dermatoscopic signs that tell them apart.

The signs follow the revised pattern analysis (Kittler et al. 2016, doi:10.1016/j.jaad.2015.12.009). Each class varies
widely, and mild examples of one look like another, as in life.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from dermport.training.sample.fields import Map, cells, dots, fractal, noise, smoothstep, strokes, wander
from dermport.training.sample.pigment import Pigment

SIDE = 224
SHAPE = (SIDE, SIDE)
RADIUS = 84.0
"""A lesion's mean radius in pixels of its own square map; the rest is margin for its irregular border."""


@dataclass(frozen=True)
class Frame:
    """Polar coordinates of a lesion's map, the radius in units of :data:`RADIUS`, and its random numbers."""

    rng: np.random.Generator
    x: Map
    y: Map
    radius: Map
    angle: Map

    @classmethod
    def of(cls, rng: np.random.Generator) -> Frame:
        """Return the frame with the lesion's random numbers."""
        y, x = (np.mgrid[:SIDE, :SIDE].astype(np.float32) - (SIDE - 1) / 2) / np.float32(RADIUS)
        return cls(rng, x, y, np.hypot(x, y), np.arctan2(y, x))

    def between(self, low: float, high: float) -> float:
        """Return a number drawn evenly from low..high."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return bool(self.rng.random() < probability)

    def texture(self, hills: float, octaves: int = 4) -> Map:
        """Return fractal noise with `hills` hills down the map."""
        return fractal(self.rng, SHAPE, hills, octaves)

    def region(self, hills: float, share: float, soft: float = 0.5) -> Map:
        """Return 0..1: irregular patches that cover about `share` of the map."""
        values = self.texture(hills, 5)
        edge = float(np.quantile(values, 1 - share))
        return smoothstep(edge - soft, edge + soft, values)

    def places(self, count: int, reach: float) -> list[tuple[float, float]]:
        """Return `count` random points (x, y in pixels) within `reach` radii of the centre."""
        radius = reach * RADIUS * np.sqrt(self.rng.random(count))
        angle = self.rng.uniform(0, 2 * np.pi, count)
        centre = (SIDE - 1) / 2
        return list(
            zip((centre + radius * np.cos(angle)).tolist(), (centre + radius * np.sin(angle)).tolist(), strict=True)
        )

    def spots(self, count: int, reach: float, sizes: tuple[float, float], blur: float = 0.6) -> Map:
        """Return 0..1: `count` discs with radii drawn from `sizes` (pixels)."""
        return dots(SHAPE, [(x, y, self.between(*sizes)) for x, y in self.places(count, reach)], blur)

    def outline(self, irregular: float, soft: float, lobes: int = 5) -> Map:
        """Return 0..1: the lesion's extent, its border `irregular` (share of the radius) and `soft` (radii wide)."""
        border = np.full(SHAPE, self.between(0.86, 1.0), np.float32)
        squeeze, turn = self.between(0, 0.16), self.between(0, np.pi)
        border += squeeze * np.cos(2 * (self.angle - turn))
        for lobe in range(2, lobes + 1):
            border += (
                0.5 * irregular * self.rng.normal() / lobe**0.5 * np.cos(lobe * self.angle + self.between(0, 6.28))
            )
        rough = self.radius + irregular * 0.45 * self.texture(5, 5)
        fade = 1 - smoothstep(1.12, 1.3, self.radius)  # nothing reaches the edge of the map
        return fade * (1 - smoothstep(border - soft, border + soft, rough))

    def network(self, spacing: float, jitter: float = 0.3, width: float = 0.16) -> Map:
        """Return 0..1: the lines of a pigment network with meshes of `spacing` pixels."""
        distance, _ = cells(self.rng, SHAPE, spacing, jitter)
        thickness = width * np.clip(1.2 + 0.5 * self.texture(7, 2), 0.4, 2.2)
        depth = np.clip(0.75 + 0.35 * self.texture(5, 3), 0, 1.3)
        return np.asarray(depth * np.exp(-((distance / thickness) ** 2)), dtype=np.float32)


def nevus(frame: Frame) -> Pigment:
    """Melanocytic nevus: symmetric, one or two browns, regular network, globules or even colour."""
    drawn = Pigment.none(SHAPE)
    extent = frame.outline(frame.between(0.03, 0.14), frame.between(0.06, 0.3))
    depth = frame.between(0.35, 1.5)
    centre = 1 + frame.between(-0.35, 0.6) * (1 - smoothstep(0.0, 0.9, frame.radius))
    drawn.melanin[:] = extent * depth * (0.8 * centre + 0.12 * frame.texture(6, 5))
    drawn.keratin[:] = extent * frame.between(0.0, 0.15)
    drawn.blood[:] = extent * frame.rng.beta(1, 3) * 0.8 * (1 + 0.15 * frame.texture(4))
    kind = frame.rng.choice(["network", "globules", "even"], p=[0.55, 0.2, 0.25])
    if kind == "network":
        fade = 1 - smoothstep(0.6, 1.0, frame.radius) * frame.between(0.2, 0.9)
        drawn.melanin[:] += (
            extent * fade * depth * frame.between(0.5, 1.2) * (frame.network(frame.between(6, 10)) - 0.3)
        )
    elif kind == "globules":
        count = int(frame.between(50, 220))
        drawn.melanin[:] += extent * depth * frame.between(0.3, 0.7) * frame.spots(count, 0.95, (1.5, 4.0), 1.0)
    if frame.chance(0.15):
        _add_blotch(frame, drawn, extent, frame.between(0.3, 0.7))
    return drawn


def melanoma(frame: Frame) -> Pigment:
    """Melanoma: asymmetric, several colours, irregular border, dark blotches, blue-white veil, streaks, regression."""
    drawn = Pigment.none(SHAPE)
    force = frame.between(0.3, 1.0)  # how far the tumour has come; an early one still looks like a nevus
    extent = frame.outline(0.06 + 0.17 * force, frame.between(0.04, 0.18), lobes=8)
    tilt = frame.between(0, 2 * np.pi)
    gradient = 1 + 0.6 * force * (frame.x * np.cos(tilt) + frame.y * np.sin(tilt))
    depth = frame.between(0.6, 1.5)
    drawn.melanin[:] = extent * depth * np.maximum(0.15, gradient + (0.1 + 0.3 * force) * frame.texture(3, 6))
    drawn.blood[:] = extent * (frame.between(0.0, 0.35) + force * frame.between(0.0, 0.6) * frame.region(2, 0.35))
    atypical = frame.network(frame.between(6, 11), 0.5, 0.22) * frame.region(3, 0.55)
    drawn.melanin[:] += extent * depth * frame.between(0.2, 0.7) * atypical
    for _ in range(1 + int(2.5 * force)):
        _add_blotch(frame, drawn, extent, frame.between(0.4, 1.3) * force)
    if frame.chance(0.65):
        _add_veil(frame, drawn, extent, force)
    if frame.chance(0.45):
        drawn.melanin[:] += extent * force * frame.spots(int(frame.between(8, 40)), 1.0, (1.2, 4.5))
    if frame.chance(0.4):
        _add_streaks(frame, drawn, force)
    if frame.chance(0.3):
        drawn.white[:] += extent * force * 0.6 * frame.region(2.5, 0.2)
    return drawn


def basal_cell_carcinoma(frame: Frame) -> Pigment:
    """Basal cell carcinoma: pearly pink, branching vessels in focus, blue-grey nests, sometimes an ulcer."""
    drawn = Pigment.none(SHAPE)
    extent = frame.outline(frame.between(0.06, 0.2), frame.between(0.1, 0.35))
    drawn.blood[:] = extent * frame.between(0.15, 0.75) * (1 + 0.3 * frame.texture(4))
    drawn.melanin[:] = extent * frame.between(0.0, 0.35) * frame.region(3, 0.5)
    drawn.white[:] = extent * frame.between(0.05, 0.4) * frame.region(2.5, 0.5)
    if frame.chance(0.8):
        drawn.blood[:] += frame.between(0.4, 1.5) * _vessels(frame, int(frame.between(2, 8)))
    if frame.chance(0.65):
        nests = frame.spots(int(frame.between(1, 9)), 0.8, (3, 13), 3.0) * (0.8 + 0.3 * frame.texture(10, 3)).clip(
            0, 1.2
        )
        drawn.deep[:] += extent * frame.between(0.4, 1.1) * nests
        drawn.melanin[:] += extent * frame.between(0.1, 0.9) * nests
    if frame.chance(0.3):
        ulcer = frame.spots(int(frame.between(1, 4)), 0.5, (6, 18), 2.5) * frame.region(8, 0.55)
        drawn.blood[:] += 1.4 * ulcer
        drawn.keratin[:] += frame.between(0.3, 1.2) * ulcer
        drawn.melanin[:] += 0.5 * ulcer
    return drawn


def actinic_keratosis(frame: Frame) -> Pigment:
    """Actinic keratosis and Bowen's disease: pink-red without a clear border, pale follicles ("strawberry"), scale."""
    drawn = Pigment.none(SHAPE)
    extent = frame.outline(frame.between(0.12, 0.3), frame.between(0.25, 0.6), lobes=6)
    distance, _ = cells(frame.rng, SHAPE, frame.between(11, 20), 0.4)
    follicles = smoothstep(0.25, 0.75, distance) * frame.region(3, frame.between(0.4, 1.0))
    drawn.blood[:] = extent * frame.between(0.35, 1.1) * (1 + 0.3 * frame.texture(5)) * (1 - 0.6 * follicles)
    drawn.white[:] = extent * frame.between(0.05, 0.3) * follicles
    drawn.keratin[:] = extent * frame.between(0.0, 0.35) * follicles
    if frame.chance(0.7):
        scale = frame.region(frame.between(9, 18), frame.between(0.04, 0.16), 0.35) * frame.region(2, 0.6)
        drawn.white[:] += extent * frame.between(0.3, 0.8) * scale
        drawn.keratin[:] += extent * frame.between(0.0, 0.8) * scale
    if frame.chance(0.4):
        brown = frame.region(4, 0.4) * (1 - 0.7 * follicles)
        drawn.melanin[:] = extent * frame.between(0.2, 0.9) * brown
    return drawn


def benign_keratosis(frame: Frame) -> Pigment:
    """Seborrhoeic keratosis, solar lentigo and lichen-planus-like keratosis: sharp border, tan, horn cysts, ridges."""
    kind = frame.rng.choice(["stuck-on", "lentigo", "lichenoid"], p=[0.55, 0.27, 0.18])
    if kind == "stuck-on":
        return _stuck_on(frame)
    drawn = Pigment.none(SHAPE)
    soft = frame.between(0.04, 0.12) if kind == "lentigo" else frame.between(0.15, 0.4)
    extent = frame.outline(frame.between(0.12, 0.24), soft, lobes=9)
    depth = frame.between(0.25, 0.75)
    drawn.melanin[:] = extent * depth * (0.7 + 0.4 * frame.region(6, 0.5)) * (1 + 0.15 * frame.texture(10))
    drawn.keratin[:] = extent * frame.between(0.1, 0.45)
    if kind == "lichenoid":
        grains = frame.spots(int(frame.between(60, 260)), 0.95, (0.8, 2.2), 0.8) * frame.region(3, 0.6)
        drawn.deep[:] = extent * frame.between(0.3, 0.8) * grains
        drawn.blood[:] = extent * frame.between(0.2, 0.7) * frame.region(2.5, 0.5)
        drawn.melanin[:] *= 0.6
    return drawn


def dermatofibroma(frame: Frame) -> Pigment:
    """Dermatofibroma: a white scar-like centre in a pale brown, finely netted, slightly pink ring."""
    drawn = Pigment.none(SHAPE)
    extent = frame.outline(frame.between(0.04, 0.14), frame.between(0.2, 0.4))
    inner = frame.between(0.2, 0.5)
    ring = smoothstep(inner - 0.2, inner + 0.3, frame.radius + 0.08 * frame.texture(4))
    depth = frame.between(0.25, 0.85)
    drawn.melanin[:] = extent * depth * (0.25 + 0.75 * ring) * (1 + 0.12 * frame.texture(6))
    drawn.melanin[:] += extent * ring * depth * frame.between(0.2, 0.7) * (frame.network(frame.between(6, 10)) - 0.25)
    drawn.blood[:] = extent * frame.between(0.1, 0.8) * (1 + 0.2 * frame.texture(3))
    scar = (1 - ring) * (0.75 + 0.3 * frame.texture(7))
    drawn.white[:] = extent * frame.between(0.2, 0.8) * np.clip(scar, 0, 1)
    if frame.chance(0.3):
        drawn.white[:] += extent * (1 - ring) * 0.4 * _white_lines(frame)
    return drawn


def vascular(frame: Frame) -> Pigment:
    """Angioma and angiokeratoma: sharply bordered, red to purple lagoons between pale walls, black where clotted."""
    drawn = Pigment.none(SHAPE)
    extent = frame.outline(frame.between(0.05, 0.16), frame.between(0.03, 0.14))
    distance, value = cells(frame.rng, SHAPE, frame.between(18, 60), 0.45)
    walls = (1 - smoothstep(0.0, frame.between(0.2, 0.6), distance)) * frame.between(0.1, 1.0)
    depth = frame.between(0.9, 3.0)
    drawn.blood[:] = extent * depth * (1 - 0.6 * walls) * (0.75 + 0.5 * value) * (1 + 0.12 * frame.texture(6, 5))
    drawn.white[:] = extent * frame.between(0.0, 0.4) * walls
    drawn.deep[:] = extent * (1 - walls) * frame.between(0.0, 0.9) * frame.between(0.0, 1.0) * (0.5 + value)
    if frame.chance(0.25):
        clotted = (value > 0.6) * (1 - walls)
        drawn.melanin[:] = extent * clotted * frame.between(0.6, 1.6)
        drawn.deep[:] += extent * clotted * 0.8
    return drawn


DRAW: Mapping[str, Callable[[Frame], Pigment]] = {
    "akiec": actinic_keratosis,
    "bcc": basal_cell_carcinoma,
    "bkl": benign_keratosis,
    "df": dermatofibroma,
    "mel": melanoma,
    "nv": nevus,
    "vasc": vascular,
}


def draw_lesion(dx: str, rng: np.random.Generator) -> Pigment:
    """Return a lesion of HAM10000's class `dx`: float32 maps [224, 224], zero at the edges."""
    return DRAW[dx](Frame.of(rng))


def _stuck_on(frame: Frame) -> Pigment:
    drawn = Pigment.none(SHAPE)
    extent = frame.outline(frame.between(0.06, 0.18), frame.between(0.02, 0.07), lobes=9)
    depth = frame.between(0.4, 1.6)
    drawn.melanin[:] = extent * depth * (0.85 + 0.15 * frame.texture(8))
    drawn.keratin[:] = extent * frame.between(0.25, 0.9)
    if frame.chance(0.5):
        ridges = np.abs(noise(frame.rng, SHAPE, frame.between(9, 15)))
        drawn.melanin[:] += extent * depth * frame.between(0.3, 0.8) * (smoothstep(0.0, 0.6, ridges) - 0.7)
    cysts = frame.spots(int(frame.between(2, 28)), 0.85, (1.2, 4.0), 0.9)
    drawn.white[:] = extent * frame.between(0.4, 0.9) * cysts
    plugs = frame.spots(int(frame.between(0, 18)), 0.85, (1.5, 5.0), 0.9)
    drawn.melanin[:] += extent * frame.between(0.4, 1.2) * plugs
    drawn.keratin[:] += extent * 0.5 * plugs
    return drawn


def _add_blotch(frame: Frame, drawn: Pigment, extent: Map, amount: float) -> None:
    (x, y), size = frame.places(1, 0.75)[0], frame.between(0.15, 0.4)
    centre = (SIDE - 1) / 2
    away = np.hypot(frame.x - (x - centre) / RADIUS, frame.y - (y - centre) / RADIUS) + 0.12 * frame.texture(5)
    drawn.melanin[:] += extent * amount * (1 - smoothstep(size * 0.6, size * 1.3, away))


def _add_veil(frame: Frame, drawn: Pigment, extent: Map, force: float) -> None:
    veil = extent * frame.region(2, frame.between(0.15, 0.35), 0.7) * force
    drawn.deep[:] += frame.between(0.3, 1.0) * veil
    drawn.white[:] += frame.between(0.1, 0.4) * veil


def _add_streaks(frame: Frame, drawn: Pigment, force: float) -> None:
    centre, start = (SIDE - 1) / 2, frame.between(0, 2 * np.pi)
    lines = []
    for angle in start + np.sort(frame.rng.uniform(0, frame.between(1.5, 4.5), int(frame.between(8, 26)))):
        radius = frame.between(0.75, 0.95) * RADIUS
        point = (centre + radius * float(np.cos(angle)), centre + radius * float(np.sin(angle)))
        streak = wander(frame.rng, point, float(angle), frame.between(8, 20), bend=0.25, steps=5)
        lines.append((streak, frame.between(1.5, 3)))
    drawn.melanin[:] += 0.9 * force * strokes(SHAPE, lines, 0.8)


def _vessels(frame: Frame, count: int) -> Map:
    lines = []
    for start in frame.places(count, 0.9):
        heading, width = frame.between(0, 2 * np.pi), frame.between(1.2, 2.6)
        trunk = wander(frame.rng, start, heading, frame.between(35, 80), bend=0.6)
        lines.append((trunk, width))
        for fork in frame.rng.integers(2, len(trunk) - 2, 3):
            turn = frame.between(0.4, 1.0) * (1 if frame.chance(0.5) else -1)
            lines.append((wander(frame.rng, trunk[fork], heading + turn, frame.between(15, 40), bend=0.6), width * 0.6))
    return strokes(SHAPE, lines, 0.5)


def _white_lines(frame: Frame) -> Map:
    lines = [
        (wander(frame.rng, place, frame.between(0, 6.28), frame.between(12, 30), bend=0.2, steps=4), 1.6)
        for place in frame.places(18, 0.45)
    ]
    return strokes(SHAPE, lines, 0.7)
