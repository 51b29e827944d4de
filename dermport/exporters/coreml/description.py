"""What an .mlpackage says about itself in Xcode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class PackageDescription:
    """The metadata of an .mlpackage.

    Attributes:
        author: Who made the model.
        licence: The licence of the model.
        text: What the model does, for whom, and that it is no medical device.
        version: The model's version.
        metadata: Anything else that an app reads from it: labels, preprocessing, origin. Values are strings.
    """

    author: str
    licence: str
    text: str
    version: str
    metadata: Mapping[str, str] = field(default_factory=dict)
