"""``dermport import``: a trained image classifier of any framework becomes a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dermport.cli.options import Json
from dermport.cli.requests import asks
from dermport.importing.request import ImportRequest

if TYPE_CHECKING:
    from dermport.bundle.store import Bundle


@asks(ImportRequest)
def import_model(request: ImportRequest, json: Json = False) -> None:
    """Make a bundle of a trained image classifier, proved against the original; it exports and serves like any.

    What the model takes, answers and tells apart is read from its graph and from files beside it, or found with photos;
    it is printed with the reason, and stands in bundle.json.
    """
    from dermport.cli import output
    from dermport.importing.pipeline import import_model as run

    bundle = run(request, output)
    _print(bundle)
    if json:
        output.emit_json(bundle.manifest.model_dump(mode="json", by_alias=True))


def _print(bundle: Bundle) -> None:
    from dermport.cli.output import say
    from dermport.statistics.metrics import TITLES
    from dermport.statistics.text import in_words

    manifest = bundle.manifest
    for key in ("accuracy", "balanced_accuracy", "macro_roc_auc") if manifest.metrics else ():
        say(f"{TITLES[key]:<24} {in_words(manifest.known_metrics.figures[key])}")
    labels = f"{len(manifest.task.ids):,} labels" + ("" if manifest.decision else ", no decision")
    say(
        f"[bold]{bundle.path}[/bold]: {manifest.model.architecture}, {labels}. "
        f"Next: `dermport export {bundle.path}`, `dermport verify {bundle.path}`."
    )
