"""TensorRT engines on the machine that will run them: built from kits, or where a server misses them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.errors import EngineMismatchError, UnavailableError, UsageError

if TYPE_CHECKING:
    from dermport.bundle.store import Bundle


def has_tensorrt() -> bool:
    """Return whether engines can be built and run on this machine."""
    from dermport.runtimes.engine import this_machine

    try:
        this_machine()
    except UnavailableError:
        return False
    return True


def build_missing_engines(bundle: Bundle, say: Callable[[str], None]) -> bool:
    """Build the engines that are missing or do not match this machine; return whether there are new ones."""
    from dermport.exporters.tensorrt.builder import engine_for
    from dermport.runtimes.engine import checked_engine, this_machine

    built = False
    for export in bundle.exports():
        if export.record.target == "tensorrt":
            try:
                checked_engine(export.path, this_machine())
            except EngineMismatchError:
                engine_for(export.path, say)
                built = True
    return built


def engine_kits(path: Path, precisions: Sequence[str] | None) -> list[Path]:
    """Return the folders of an engine kit, or of all kits in a bundle, of these precisions; None for all.

    Raises:
        UsageError: There are none.
    """
    from dermport.bundle.store import MANIFEST
    from dermport.exporters.tensorrt.kit import KIT, read_kit

    in_bundle = (path / MANIFEST).is_file()
    found = sorted(kit.parent for kit in path.glob(f"exports/tensorrt-*/{KIT}")) if in_bundle else [path]
    kits = {folder: read_kit(folder) for folder in found}
    chosen = [folder for folder, kit in kits.items() if not precisions or kit.precision in precisions]
    if not chosen:
        raise UsageError(
            f"{path} holds no engine kit" + (f" of precision {', '.join(precisions)}." if precisions else "."),
            remedy="`dermport export --to tensorrt` writes them.",
        )
    return chosen
