"""Which file the phone really runs: an old version, a damaged copy, or none that is known here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dermport.bundle.causes import SAME, FaultCode, largest_change
from dermport.bundle.manifest import Manifest
from dermport.bundle.store import Bundle
from dermport.bundle.wire import ComparisonRequest, Fault
from dermport.server.comparing.artifacts import ArtifactRunner, KnownArtifact
from dermport.server.comparing.experiments import ArtifactRun, Missing
from dermport.server.comparing.faults import fault
from dermport.server.comparing.likeness import Tensor


@dataclass(frozen=True)
class PhonesFile:
    """The phone's file, as far as it is known.

    Attributes:
        run: Runs it, or what is shown to answer as it does.
        faults: What is wrong with it.
        damaged: Whether it is another file than it is said to be, and answers otherwise.
    """

    run: Callable[[Tensor], ArtifactRun | Missing]
    faults: tuple[Fault, ...] = ()
    damaged: bool = False


def version_fault(phones: Manifest, live: Manifest) -> Fault:
    """Return the fault of a phone whose model is not the live one."""
    words = f"The phone runs {phones.name} {phones.version}; the server's live model is {live.name} {live.version}."
    if phones.name != live.name or phones.version == live.version:
        return fault("other-model", words, True)
    code: FaultCode = "older-version" if _number(phones) < _number(live) else "newer-version"
    return fault(code, words, True)


def unknown_file(
    said: ComparisonRequest, model: Bundle | None, tensor: Tensor | None, runner: ArtifactRunner
) -> PhonesFile:
    """Hold a file that no bundle here has against the export that it is said to be.

    Args:
        said: The phone's answer.
        model: The bundle of the model that the phone names; None where that is not known here.
        tensor: The phone's tensor; None where it is not known.
        runner: Runs known files.
    """

    def not_here(unused: Tensor) -> ArtifactRun | Missing:
        return runner.run(said.artifact_sha256, unused)

    sound = _said_to_be(said, model, runner)
    if sound is None:
        words = "No model of this server has an export with the sha256 of the phone's file."
        return PhonesFile(not_here, (fault("unknown-file", words, True),))
    name = f"{sound.bundle.manifest.name} {sound.bundle.manifest.version} {said.target} {said.precision}"
    words = f"The phone's file is said to be {name}, but its sha256 is not that of the export"
    sha256 = sound.export.record.artifact_sha256
    answer = Missing("") if tensor is None else runner.run(sha256, tensor)
    if isinstance(answer, Missing):
        return PhonesFile(not_here, (fault("unknown-file", f"{words}.", True),))
    change = largest_change(said.probabilities, answer.probabilities)
    if change <= SAME:
        named = fault("unknown-file", f"{words}, though it gives the export's numbers.", True, change=change)
        return PhonesFile(lambda asked: runner.run(sha256, asked), (named,))
    words = f"{words}, and its probabilities differ from the export's by up to {change:.2g}: it is damaged."
    return PhonesFile(not_here, (fault("damaged-file", words, False, change=change),), damaged=True)


def _said_to_be(said: ComparisonRequest, model: Bundle | None, runner: ArtifactRunner) -> KnownArtifact | None:
    if model is None:
        return None
    for export in model.exports():
        if (export.record.target, export.record.precision) == (said.target, said.precision):
            return runner.find(export.record.artifact_sha256)
    return None


def _number(manifest: Manifest) -> tuple[int, ...]:
    return tuple(int(part) for part in manifest.version.split("."))
