"""People and their healthy skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from dermport.training.sample.fields import Map, cells, dots, fractal, strokes, wander
from dermport.training.sample.pigment import Pigment

# Melanin of Fitzpatrick's types I to VI, and how often each is drawn. HAM10000 has almost only I to III; a sample set
# that shows what dermport does should not.
_TONES = (0.02, 0.10, 0.24, 0.48, 0.85, 1.35)
_TONE_SHARES = (0.16, 0.26, 0.22, 0.16, 0.12, 0.08)


@dataclass(frozen=True)
class Person:
    """The skin in which a lesion lies; the same in all its photos.

    Attributes:
        tone: Melanin of the healthy skin (0 palest, about 1.5 darkest).
        flush: Blood of the healthy skin.
        freckles: Share of the skin that sun has mottled, 0..1.
        hair: Hairs in a photo, on average.
        hair_shade: Grey level of the hair, 0 black to 1.
    """

    tone: float
    flush: float
    freckles: float
    hair: float
    hair_shade: float


def draw_person(rng: np.random.Generator) -> Person:
    """Return a random person."""
    kind = int(rng.choice(6, p=_TONE_SHARES))
    return Person(
        tone=max(0.0, float(rng.normal(_TONES[kind], 0.04 + 0.04 * kind))),
        flush=0.04 + 0.4 * float(rng.beta(1.3, 2.2)) / (1 + _TONES[kind]),
        freckles=float(rng.beta(1.2, 3)),
        hair=float(rng.choice([0, 3, 12], p=[0.5, 0.35, 0.15])),
        hair_shade=float(rng.uniform(0.02, 0.12 if kind > 2 else 0.35)),
    )


def healthy_skin(person: Person, rng: np.random.Generator, shape: tuple[int, int]) -> Pigment:
    """Return a fresh patch of the person's skin, float32 maps of `shape` (225 x 300 shows 3/4 of a finger's width)."""
    unit = shape[1] / 300
    skin = Pigment.none(shape)
    mottle = fractal(rng, shape, 6, 5)
    fine = fractal(rng, shape, 40, 3)
    creases = _creases(rng, shape, 11 * unit)
    pores = dots(shape, _scatter(rng, shape, 90, (0.4 * unit, 1.1 * unit)), 0.7)
    skin.melanin[:] = person.tone * (1 + 0.10 * mottle + 0.12 * creases) + 0.03 * creases + 0.10 * pores
    sun = np.maximum(0, fractal(rng, shape, 9, 4) - 1.1)
    skin.melanin[:] += 0.35 * person.freckles * sun + 0.02 * fine
    skin.blood[:] = person.flush * (1 + 0.12 * fractal(rng, shape, 4, 3) + 0.25 * fine) - 0.03 * creases
    if person.flush > 0.22:
        skin.blood[:] += 0.35 * person.flush * _capillaries(rng, shape, unit)
    skin.keratin[:] = 0.06 * (1 + 0.5 * fractal(rng, shape, 2, 2))
    return skin


def _creases(rng: np.random.Generator, shape: tuple[int, int], spacing: float) -> Map:
    # Drawn at half the size: they are faint, and their cells are what takes longest.
    distance, _ = cells(rng, (shape[0] // 2 + 1, shape[1] // 2 + 1), spacing / 2, 0.48)
    lines = Image.fromarray(np.exp(-((distance / np.float32(0.16)) ** 2)))
    return np.asarray(lines.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def _scatter(
    rng: np.random.Generator, shape: tuple[int, int], count: int, sizes: tuple[float, float]
) -> list[tuple[float, float, float]]:
    x, y = rng.uniform(0, shape[1], count), rng.uniform(0, shape[0], count)
    return list(zip(x.tolist(), y.tolist(), rng.uniform(*sizes, count).tolist(), strict=True))


def _capillaries(rng: np.random.Generator, shape: tuple[int, int], unit: float) -> Map:
    lines = [
        (wander(rng, (x, y), float(rng.uniform(0, 6.28)), 40 * unit, bend=0.9, steps=8), width)
        for x, y, width in _scatter(rng, shape, 14, (0.6 * unit, 1.4 * unit))
    ]
    return strokes(shape, lines, 1.2)
