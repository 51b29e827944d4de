"""Why a known file gives other numbers on the phone than here: what else may it have been fed, or what else was run?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.causes import FaultCode, largest_change
from dermport.bundle.policy import read_policy
from dermport.bundle.wire import Fault
from dermport.server.comparing.artifacts import ArtifactRunner, KnownArtifact
from dermport.server.comparing.experiments import Missing
from dermport.server.comparing.faults import fault
from dermport.server.comparing.likeness import Tensor

# Runtimes of one file differ by some 1e-6 (float) to 1e-3 (int8); below this nothing needs a name.
LOOK = 1e-3
# What a named fault may leave of the difference: the phone's own rounding.
_LEFT, _LEFT_SHARE = 1e-4, 0.05
_MOST_FILES = 6
_MEAN, _SPREAD = (
    np.array(by_channel, np.float32) for by_channel in ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
)


@dataclass(frozen=True)
class _CandidateFault:
    code: FaultCode
    words: str
    artifact_sha256: str
    values: Tensor | NDArray[np.float32]


def runtime_fault(
    said: Mapping[str, float], own: Mapping[str, float], tensor: Tensor, known: KnownArtifact, runner: ArtifactRunner
) -> Fault | None:
    """Name why the phone's answer is not its file's; None where the difference is that of sound runtimes.

    Args:
        said: The phone's probabilities by label id.
        own: The same file's on the same tensor, here.
        tensor: The phone's tensor, uint8 [S, S, 3].
        known: The phone's file.
        runner: Runs files.
    """
    gap = largest_change(said, own)
    if gap <= LOOK:
        return None
    best: tuple[float, _CandidateFault] | None = None
    for candidate in _candidates(tensor, known, runner):
        run = runner.run(candidate.artifact_sha256, candidate.values)
        if isinstance(run, Missing):
            continue
        left = largest_change(said, run.probabilities)
        if left <= max(_LEFT, _LEFT_SHARE * gap if candidate.code != "another-file" else 0) and (
            best is None or left < best[0]
        ):
            best = (left, candidate)
        if left <= _LEFT:
            break
    return _unnamed(gap) if best is None else fault(best[1].code, best[1].words, best[0] <= _LEFT, change=best[0])


def _candidates(tensor: Tensor, known: KnownArtifact, runner: ArtifactRunner) -> Iterator[_CandidateFault]:
    sha256, values = known.export.record.artifact_sha256, tensor.astype(np.float32)
    words = "The phone's numbers come out here when its file is fed"
    twice: dict[str, NDArray[np.float32]] = {
        "0..1": values / np.float32(255),
        "-1..1": values / np.float32(127.5) - np.float32(1),
        "ImageNet's mean and deviation": (values - _MEAN) / _SPREAD,
    }
    for scale, fed in twice.items():
        yield _CandidateFault("normalised-twice", f"{words} pixels normalised already ({scale}).", sha256, fed)
    swapped = np.ascontiguousarray(tensor[:, :, ::-1])
    yield _CandidateFault(
        "fed-swapped-channels", f"{words} the hashed tensor with its channels swapped.", sha256, swapped
    )
    for other in runner.alternatives(known)[:_MOST_FILES]:
        record, manifest = other.export.record, other.bundle.manifest
        name = f"{manifest.name} {manifest.version} {record.target} {record.precision}"
        words = f"The phone's numbers are those of {name}, not of the file that it names."
        yield _CandidateFault("another-file", words, record.artifact_sha256, tensor)


def _unnamed(gap: float) -> Fault:
    bound = read_policy().rules["fp16"].fail.max_change or 0.0
    if gap <= bound:
        words = f"The phone's numbers are off by {gap:.2g}, as float16 arithmetic may make them (up to {bound:.2g})."
        return fault("half-precision", words, False, change=gap)
    words = f"The phone's numbers are off by {gap:.2g}, more than float16 arithmetic makes: file or runtime is damaged."
    return fault("broken-runtime", words, False, change=gap)
