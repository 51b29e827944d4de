"""The platforms that packages are made for, as data."""

from __future__ import annotations

from dataclasses import dataclass

from dermport.bundle.wire import PLATFORM_PRECISION, PLATFORM_TARGETS, Platform
from dermport.errors import UsageError
from dermport.runtimes.registry import SERVING


@dataclass(frozen=True)
class PackagePlatform:
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


def _phone(name: Platform, title: str, *sources: str) -> PackagePlatform:
    return PackagePlatform(name, title, PLATFORM_TARGETS[name], PLATFORM_PRECISION, _HALF, sources)


def _jetson() -> PackagePlatform:
    """Return the platform that serves: by the runtime that a server prefers, and by the others where that cannot be."""
    best, *others = SERVING
    return PackagePlatform(
        "jetson",
        "Jetson",
        best.target,
        best.precisions[0],
        "close to float32, and without the accuracy that int8 costs MobileNetV2",
        ("dermport.service", "requirements.txt"),
        fallbacks=tuple((runtime.target, runtime.precisions[0]) for runtime in others),
        wheel=True,
    )


_HALF = "half the size of float32, and the precision that agrees best with the original among the small ones"
_ALL = (
    _phone("ios", "iPhone and iPad", "DermportPrep.swift", "DermportJpeg.swift", "DermportAbstention.swift"),
    _phone("android", "Android", "DermportPrep.kt", "DermportJpeg.kt", "DermportAbstention.kt"),
    _phone(
        "web", "the browser", "dermport-prep.js", "dermport-decode.js", "dermport-jpeg.js", "dermport-abstention.js"
    ),
    _jetson(),
)
PLATFORMS = {platform.name: platform for platform in _ALL}


def get_platform(name: str) -> PackagePlatform:
    """Return a platform.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in PLATFORMS:
        raise UsageError(f"There is no platform {name!r}.", remedy=f"Platforms: {', '.join(PLATFORMS)}.")
    return PLATFORMS[name]
