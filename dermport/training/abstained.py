"""A bundle with a rule for when its model cannot tell: a copy of another, whose model and exports it keeps."""

from __future__ import annotations

import shutil
from pathlib import Path

from dermport.bundle.atomic import atomic_directory
from dermport.bundle.manifest import Abstention
from dermport.bundle.store import Bundle, check_files, file_entries, write_manifest
from dermport.contract import FileEntry
from dermport.training.evaluation.files import MODEL_CARD
from dermport.training.evaluation.model_card import with_section

_CARD = f"evaluation/{MODEL_CARD}"


def write_abstaining(bundle: Bundle, rule: Abstention, out: Path) -> Bundle:
    """Write the bundle with the rule to `out`, which must not exist; the bundle itself is not changed.

    Raises:
        UsageError: `out` exists.
        IntegrityError: A file of the bundle is not the recorded one.
    """
    check_files(bundle.path, bundle.manifest.files, "Restore the bundle, or train it again.")
    with atomic_directory(out) as folder:
        shutil.copytree(bundle.path, folder, dirs_exist_ok=True)
        card = folder / _CARD
        if card.is_file():
            card.write_text(with_section(card.read_text(encoding="utf-8"), rule), encoding="utf-8")
        changes = {"abstention": rule, "files": _entries(bundle, folder)}
        write_manifest(folder, bundle.manifest.model_copy(update=changes))
    return Bundle.open(out)


def _entries(bundle: Bundle, folder: Path) -> tuple[FileEntry, ...]:
    """Return the bundle's own entries, the model card's anew."""
    found = {entry.path: entry for entry in file_entries(folder / "evaluation")} if (folder / _CARD).is_file() else {}
    card = found.get(MODEL_CARD)
    return tuple(
        FileEntry(path=_CARD, size=card.size, sha256=card.sha256) if card and entry.path == _CARD else entry
        for entry in bundle.manifest.files
    )
