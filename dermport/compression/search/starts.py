"""Where a search starts from: the parent, and bundles that were compressed from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dermport.bundle.manifest import Manifest
from dermport.bundle.store import Bundle
from dermport.compression.network import from_model
from dermport.compression.search.request import SearchRequest
from dermport.errors import BundleError, UsageError
from dermport.exporters.source import load_model

PARENT = "parent"


@dataclass(frozen=True)
class StartingBundle:
    """A bundle that candidates start from.

    Attributes:
        name: ``parent``, or the bundle's own name.
        bundle: The bundle; never changed.
        changeable: Whether its network can be pruned and trained on; a quantised one is taken as it is.
        origin: Where it comes from, in words.
    """

    name: str
    bundle: Bundle
    changeable: bool
    origin: str

    @property
    def is_parent(self) -> bool:
        """Whether it is what everything is held against."""
        return self.name == PARENT


def open_starts(parent: Bundle, folders: Sequence[Path]) -> tuple[StartingBundle, ...]:
    """Return the parent as a start, and the other bundles.

    Raises:
        UsageError: Two have the same name, or one has other labels, another crop, or another split of another data
            set: photos that one of them was trained on could be ones that another is judged by.
        BundleError: One is damaged.
    """
    others = [Bundle.open(folder) for folder in folders]
    known = {bundle.model_sha256: bundle.manifest.name for bundle in (parent, *others)}
    starts = [StartingBundle(PARENT, parent, _changeable(parent), "what everything is held against")]
    for bundle in others:
        _check(bundle, parent)
        starts.append(
            StartingBundle(bundle.manifest.name, bundle, _changeable(bundle), _origin(bundle.manifest, known))
        )
    names = [start.name for start in starts]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"Two bundles to start from are named {', '.join(repeated)}.", remedy="Name each one once.")
    return tuple(starts)


def _check(bundle: Bundle, parent: Bundle) -> None:
    wanted, found = _question(parent), _question(bundle)
    if different := [name for name, value in wanted.items() if found[name] != value]:
        raise UsageError(
            f"{bundle.path} cannot be held against {parent.path}: another {' and another '.join(different)}.",
            remedy="Start from bundles that were compressed from the parent, or trained on its split.",
        )


def _question(bundle: Bundle) -> dict[str, object]:
    manifest = bundle.manifest
    split = next(entry.sha256 for entry in manifest.files if entry.path == manifest.known_dataset.split.file)
    return {
        "data set": manifest.known_dataset.fingerprint,
        "split": split,
        "task": manifest.task,
        "crop": manifest.preprocessing.crop,
    }


def _origin(manifest: Manifest, known: dict[str, str]) -> str:
    made = manifest.compression
    if made is None:
        return "trained by itself on the same split"
    if made.parent.model_sha256 not in known:
        raise UsageError(
            f"{manifest.name} was made from {made.parent.name} ({made.parent.model_sha256[:8]}), "
            "which is neither the parent nor another start.",
            remedy="Name that bundle with {starts}, too, or search from it.",
            of=SearchRequest,
        )
    return f"made from {known[made.parent.model_sha256]} by {made.recipe}"


def _changeable(bundle: Bundle) -> bool:
    """Return whether the network has the layers that steps change: a quantised one has no batch normalisation."""
    model = load_model(bundle)
    try:
        return any(hasattr(layer, "moving_mean") for layer in model.layers) and bool(from_model(model))
    except BundleError:
        return False
