"""Experiments: which file on which input gives which answer, so that each difference can be seen by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dermport.bundle.causes import largest_change
from dermport.bundle.wire import ComparisonRequest, Experiment, ExperimentName
from dermport.server.comparing.decomposition import Cells, Probabilities
from dermport.server.comparing.likeness import Tensor


@dataclass(frozen=True)
class ArtifactRun:
    """What a file answered on this server.

    Attributes:
        artifact_sha256: The file.
        artifact: Its target and precision.
        runtime: What ran it.
        probabilities: By label id.
    """

    artifact_sha256: str
    artifact: str
    runtime: str
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class Missing:
    """Evidence that is not to be had, in words."""

    words: str


@dataclass(frozen=True)
class Inputs:
    """The two inputs of one photo.

    Attributes:
        phone: sha256 of the tensor that the phone's model was given.
        server: sha256 of the one that the server makes of the photo for the phone's model.
        phone_tensor: Makes the phone's tensor, or says why it is not known.
        server_tensor: Makes the server's one.
        live_takes_phones: Whether the live model takes the same kind of input as the phone's.
    """

    phone: str
    server: str
    phone_tensor: Callable[[], Tensor] | Missing
    server_tensor: Callable[[], Tensor]
    live_takes_phones: bool

    @property
    def differ(self) -> bool:
        """Whether the two are not the same bytes."""
        return self.phone != self.server


@dataclass(frozen=True)
class Evidence:
    """What the experiments gave.

    Attributes:
        cells: The answers, those that could be had.
        experiments: What was run.
        missing: What could not be.
    """

    cells: Cells
    experiments: tuple[Experiment, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Laboratory:
    """What can be run.

    Attributes:
        live: Has the live model answer a tensor.
        phones: Has the phone's own file answer a tensor, or says why it cannot.
    """

    live: Callable[[Tensor], ArtifactRun]
    phones: Callable[[Tensor], ArtifactRun | Missing]


def gather(said: ComparisonRequest, server: ArtifactRun, inputs: Inputs, laboratory: Laboratory) -> Evidence:
    """Run {phone's tensor, server's tensor} × {phone's file, live model}, without what is known to be the same.

    Args:
        said: The phone's answer.
        server: The server's.
        inputs: Their inputs.
        laboratory: What can be run.
    """
    return _Experimenter(said, server, inputs, laboratory).evidence()


class _Experimenter:
    def __init__(self, said: ComparisonRequest, server: ArtifactRun, inputs: Inputs, laboratory: Laboratory) -> None:
        self._said, self._server, self._inputs, self._laboratory = said, server, inputs, laboratory
        self._experiments: list[Experiment] = []
        self._missing: dict[str, None] = {}  # an ordered set

    def evidence(self) -> Evidence:
        server, tensor = self._server, self._inputs.phone_tensor
        if isinstance(tensor, Missing):
            self._missing[tensor.words] = None
        own_file = self._said.artifact_sha256 != server.artifact_sha256
        phone_phone, phone_server = self._phones_on_both(tensor) if own_file else (None, server.probabilities)
        live_phone = None if isinstance(tensor, Missing) else self._live_on_phones(tensor)
        if not own_file:
            phone_phone = live_phone
        cells = Cells(self._said.probabilities, phone_phone, phone_server, live_phone, server.probabilities)
        return Evidence(cells, tuple(self._experiments), tuple(self._missing))

    def _live_on_phones(self, tensor: Callable[[], Tensor]) -> Probabilities | None:
        if not self._inputs.differ:
            return self._server.probabilities
        if not self._inputs.live_takes_phones:
            return None
        return self._noted("live-model-on-phone-input", self._inputs.phone, self._laboratory.live(tensor()))

    def _phones_on_both(
        self, tensor: Callable[[], Tensor] | Missing
    ) -> tuple[Probabilities | None, Probabilities | None]:
        """Return what the phone's file answers to the phone's tensor, and to the server's."""
        inputs, phones = self._inputs, self._laboratory.phones
        own = None
        if not isinstance(tensor, Missing):
            own = self._noted("phone-artifact-on-phone-input", inputs.phone, phones(tensor()))
            if own is None or not inputs.differ:
                return own, own
        return own, self._noted("phone-artifact-on-server-input", inputs.server, phones(inputs.server_tensor()))

    def _noted(self, name: ExperimentName, input_sha256: str, run: ArtifactRun | Missing) -> Probabilities | None:
        if isinstance(run, Missing):
            self._missing[run.words] = None
            return None
        self._experiments.append(_experiment(name, input_sha256, run, self._said, self._server))
        return run.probabilities


def _experiment(
    name: ExperimentName, sha256: str, run: ArtifactRun, said: ComparisonRequest, server: ArtifactRun
) -> Experiment:
    return Experiment(
        name=name,
        artifact_sha256=run.artifact_sha256,
        artifact=run.artifact,
        runtime=run.runtime,
        input_sha256=sha256,
        probabilities=dict(run.probabilities),
        change_from_phone=largest_change(said.probabilities, run.probabilities),
        change_from_server=largest_change(server.probabilities, run.probabilities),
    )
