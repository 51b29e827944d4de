"""Which exports may leave the house: there, made from this very model, and not proved wrong."""

from __future__ import annotations

from dermport.bundle.store import Bundle, Export
from dermport.errors import BundleError, ExportError, Parameters


def select_exports(
    bundle: Bundle, wanted: tuple[tuple[str, str], ...], *, allow_failed: bool
) -> tuple[tuple[Export, ...], tuple[str, ...]]:
    """Open the wanted exports and judge them.

    Args:
        bundle: The bundle that they were made from.
        wanted: Their targets and precisions.
        allow_failed: Whether an export that failed its proof is only warned of.

    Returns:
        The exports, and a warning for each of which less than a pass was proved.

    Raises:
        BundleError: An export is missing; the remedy is the command that makes it.
        ExportError: An export is of another model, or failed its proof.
        IntegrityError: A file of an export is not the recorded one.
    """
    _check_present(bundle, wanted)
    exports = tuple(bundle.export(target, precision) for target, precision in wanted)
    for export in exports:
        _check_fresh(bundle, export)
        export.checked()
    warnings = tuple(warning for export in exports if (warning := _judge(bundle, export, allow_failed=allow_failed)))
    return exports, warnings


def _check_present(bundle: Bundle, wanted: tuple[tuple[str, str], ...]) -> None:
    there = {(export.record.target, export.record.precision) for export in bundle.exports()}
    missing = [pair for pair in wanted if pair not in there]
    if not missing:
        return
    names = ", ".join(f"{target}-{precision}" for target, precision in missing)
    commands = " && ".join(_export_command(bundle, *pair) for pair in missing)
    raise BundleError(f"{bundle.path} holds no export {names}.", remedy=f"Run: {commands}")


def _export_command(bundle: Bundle, target: str, precision: str) -> str:
    return f"dermport export {bundle.path} --to {target} --precision {precision}"


def _check_fresh(bundle: Bundle, export: Export) -> None:
    record = export.record
    if record.bundle.model_sha256 != bundle.model_sha256:
        command = _export_command(bundle, record.target, record.precision)
        raise ExportError(f"{export.path} was made from another model than the bundle's.", remedy=f"Run: {command}")


def _judge(bundle: Bundle, export: Export, *, allow_failed: bool) -> str:
    """Return what to warn of, or an empty string."""
    name, parity = export.path.name, export.record.parity
    verify = f"dermport verify {bundle.path} --to {export.record.target} --precision {export.record.precision}"
    if parity is None:
        return f"{name} is not proved against the original. Run: {verify}"
    reasons = "; ".join(parity.reasons)
    if parity.status == "fail" and not allow_failed:
        raise ExportError(
            f"{name} failed its proof against the original: {reasons}.",
            remedy=f"Export it again and run `{verify}`; {{allow_failed}} packages it all the same.",
            of=Parameters,
        )
    return "" if parity.status == "pass" else f"{name}: {parity.status}: {reasons}"
