"""Phone minus server, shared out: how much of each Δp comes from the tensor, from the file and from the runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dermport.bundle.wire import Decomposition, Parts

Probabilities = Mapping[str, float]


@dataclass(frozen=True)
class Cells:
    """The phone's answer and the four of {phone's tensor, server's tensor} × {phone's file, server's engine}.

    Each is probabilities by label id; None is one that could not be had.

    Attributes:
        phone: What the phone itself said.
        phone_phone: The phone's file on the phone's tensor, run here.
        phone_server: The phone's file on the server's tensor.
        live_phone: The server's engine on the phone's tensor.
        server: The server's engine on the server's tensor: its own answer.
    """

    phone: Probabilities
    phone_phone: Probabilities | None
    phone_server: Probabilities | None
    live_phone: Probabilities | None
    server: Probabilities


def decompose(cells: Cells, positive: Sequence[str]) -> Decomposition:
    """Share the difference out, label by label.

    Args:
        cells: What was answered.
        positive: The labels whose probabilities are summed up to the score.
    """
    by_label = {label: _parts(cells, (label,)) for label in cells.server}
    largest = max(by_label, key=lambda label: abs(by_label[label].change))
    score = _parts(cells, positive)
    complete = None not in (score.preprocessing, score.artifact, score.runtime)
    return Decomposition(label=largest, by_label=by_label, score=score, complete=complete)


def _parts(cells: Cells, labels: Sequence[str]) -> Parts:
    """Return the parts of one summed probability: all of them, or those that the evidence tells apart."""

    def of(found: Probabilities | None) -> float | None:
        return None if found is None else sum(found[label] for label in labels)

    own, on_servers, on_live = of(cells.phone_phone), of(cells.phone_server), of(cells.live_phone)
    phone, server = (sum(found[label] for label in labels) for found in (cells.phone, cells.server))
    preprocessing = _mean(_minus(own, on_servers), _minus(on_live, server))
    artifact = _mean(_minus(own, on_live), _minus(on_servers, server))
    runtime = _minus(phone, own)
    known = [part for part in (preprocessing, artifact, runtime) if part is not None]
    crossed = (_minus(own, on_servers), _minus(on_live, server))
    return Parts(
        change=phone - server,
        preprocessing=preprocessing,
        artifact=artifact,
        runtime=runtime,
        interaction=_minus(*crossed),
        unresolved=0.0 if len(known) == 3 else phone - server - sum(known),
    )


def _minus(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right


def _mean(*values: float | None) -> float | None:
    """Return the mean of those that there are: of both orders, or of the one that could be tried."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
