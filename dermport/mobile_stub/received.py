"""What the phone reads of the answer to a comparison: no more than it uses, so that a newer server is understood.

:class:`dermport.bundle.wire.ComparisonAnswer` is the whole of it; its causes are a closed list, and a newer
server may know more.
"""

from __future__ import annotations

from dermport.bundle.wire import Message, ServedModel, ServedRuntime, Verdict
from dermport.contract import Fraction, Sha256

FACTORS = ("preprocessing", "artifact", "runtime")
"""What a difference is shared out to."""


class ReceivedVerdict(Message):
    """Whether the two agree, and if not, why."""

    same_label: bool
    same_decision: bool | None = None
    same_input: bool
    change: float
    cause: str
    words: str = ""


class ReceivedStep(Message):
    """One step on the way from the phone's answer to the server's."""

    cause: str
    change: float
    share: Fraction
    also: tuple[str, ...] = ()
    within_policy: bool | None = None


class ReceivedParts(Message):
    """What each factor makes of the difference of the decision's score, phone minus server; null: not told apart."""

    change: float
    preprocessing: float | None = None
    artifact: float | None = None
    runtime: float | None = None
    unresolved: float = 0.0


class ReceivedDecomposition(Message):
    """How much of the difference comes from which factor."""

    score: ReceivedParts


class ReceivedFault(Message):
    """What was done otherwise, where a test of the server names it."""

    code: str
    words: str = ""
    remedy: str = ""


class ReceivedServerSide(Message):
    """The server's own answer; `milliseconds` are by stage, where the server tells them."""

    label: str
    probabilities: dict[str, Fraction]
    decision: Verdict | None = None
    model: ServedModel
    runtime: ServedRuntime
    input_sha256: Sha256
    milliseconds: dict[str, float] | None = None


class ReceivedComparison(Message):
    """A comparison as the phone reads it."""

    id: str
    verdict: ReceivedVerdict
    steps: tuple[ReceivedStep, ...] = ()
    decomposition: ReceivedDecomposition | None = None
    faults: tuple[ReceivedFault, ...] = ()
    missing: tuple[str, ...] = ()
    server: ReceivedServerSide
