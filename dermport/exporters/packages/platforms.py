"""The platforms that packages are made for, as data."""

from __future__ import annotations

from dataclasses import dataclass

from dermport.errors import UsageError


@dataclass(frozen=True)
class Platform:
    """What a platform's developer gets.

    Attributes:
        name: Its name, as in ``--for``; its guide and sources lie in ``templates/<name>/``.
        title: Its name for people.
        target: The export target whose artifacts it runs.
        precision: The precision packaged where none is asked for.
        reason: Why that one.
        sources: Files of ``templates/<name>/`` that go to the top of the package.
        fallbacks: Further exports (target, precision) that the platform runs where the first cannot be.
        wheel: Whether dermport itself is installed there.
    """

    name: str
    title: str
    target: str
    precision: str
    reason: str
    sources: tuple[str, ...]
    fallbacks: tuple[tuple[str, str], ...] = ()
    wheel: bool = False

    def exports(self, precisions: tuple[str, ...] = ()) -> tuple[tuple[str, str], ...]:
        """Return the (target, precision) of every export that a package holds, without repeats."""
        chosen = precisions or (self.precision,)
        return tuple(dict.fromkeys([*((self.target, precision) for precision in chosen), *self.fallbacks]))


_HALF = "half the size of float32, and the precision that agrees best with the original among the small ones"

PLATFORMS = {
    platform.name: platform
    for platform in (
        Platform("ios", "iPhone and iPad", "coreml", "fp16", _HALF, ("DermportPrep.swift", "DermportAbstention.swift")),
        Platform("android", "Android", "tflite", "fp16", _HALF, ("DermportPrep.kt", "DermportAbstention.kt")),
        Platform(
            "web",
            "the browser",
            "tflite",
            "fp16",
            _HALF,
            ("dermport-prep.js", "dermport-decode.js", "dermport-abstention.js"),
        ),
        Platform(
            "jetson",
            "Jetson",
            "tensorrt",
            "fp16",
            "close to float32, and without the accuracy that int8 costs MobileNetV2",
            ("dermport.service", "requirements.txt"),
            fallbacks=(("onnx", "fp32"), ("tflite", "fp32")),
            wheel=True,
        ),
    )
}


def get_platform(name: str) -> Platform:
    """Return a platform.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in PLATFORMS:
        raise UsageError(f"There is no platform {name!r}.", remedy=f"Platforms: {', '.join(PLATFORMS)}.")
    return PLATFORMS[name]
