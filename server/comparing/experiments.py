"""Experiments: which file on which input gives which answer, so that each difference can be seen by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.causes import largest_change
from bundle.wire import ComparisonRequest, Experiment, ExperimentName
from server.comparing.cause import Station

Tensor = NDArray[np.uint8]


@dataclass(frozen=True)
class Run:
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


@dataclass(frozen=True)
class Evidence:
    """What the experiments gave.

    Attributes:
        stations: From the phone's answer to the server's.
        experiments: What was run.
        missing: What could not be.
    """

    stations: tuple[Station, ...]
    experiments: tuple[Experiment, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Laboratory:
    """What can be run.

    Attributes:
        live: Has the live model answer a tensor.
        phones: Has the phone's own file answer a tensor, or says why it cannot.
    """

    live: Callable[[Tensor], Run]
    phones: Callable[[Tensor], Run | Missing]


def gather(said: ComparisonRequest, server: Run, inputs: Inputs, laboratory: Laboratory) -> Evidence:
    """Run whatever parts the differences between a phone's answer and the server's.

    Args:
        said: The phone's answer.
        server: The server's.
        inputs: Their inputs.
        laboratory: What can be run.
    """
    missing: dict[str, None] = {}  # an ordered set
    between: list[tuple[ExperimentName, str, Run]] = []
    for name, input_sha256, run in _plan(said, server, inputs, laboratory):
        if isinstance(done := run(), Missing):
            missing[done.words] = None
        else:
            between.append((name, input_sha256, done))
    if isinstance(inputs.phone_tensor, Missing):
        missing[inputs.phone_tensor.words] = None
    stations = (
        Station(said.probabilities, "phone", said.artifact_sha256, inputs.phone),
        *(Station(run.probabilities, "server", run.artifact_sha256, sha256) for _, sha256, run in between),
        Station(server.probabilities, "server", server.artifact_sha256, inputs.server),
    )
    experiments = tuple(_experiment(name, sha256, run, said, server) for name, sha256, run in between)
    return Evidence(stations, experiments, tuple(missing))


_Planned = tuple[ExperimentName, str, Callable[[], "Run | Missing"]]


def _plan(said: ComparisonRequest, server: Run, inputs: Inputs, laboratory: Laboratory) -> Sequence[_Planned]:
    """Return the experiments that can show something, in the order of their stations."""
    tensor = inputs.phone_tensor
    own_file = said.artifact_sha256 != server.artifact_sha256
    own_input = inputs.phone != inputs.server
    plan: list[_Planned] = []
    if own_file and not isinstance(tensor, Missing):
        plan.append(("phone-artifact-on-phone-input", inputs.phone, lambda: laboratory.phones(tensor())))
    if own_input and inputs.live_takes_phones and not isinstance(tensor, Missing):
        plan.append(("live-model-on-phone-input", inputs.phone, lambda: laboratory.live(tensor())))
    elif own_input and own_file:
        plan.append(
            ("phone-artifact-on-server-input", inputs.server, lambda: laboratory.phones(inputs.server_tensor()))
        )
    return plan


def _experiment(name: ExperimentName, sha256: str, run: Run, said: ComparisonRequest, server: Run) -> Experiment:
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
