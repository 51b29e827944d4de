"""Whether phone and Jetson agree often enough: the policy's bounds for the two artifacts that they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dermport.bundle.policy import read_policy
from dermport.mobile_stub.comparison import AgreementCheck
from dermport.statistics.estimates import Share

UNKNOWN = "int8"
"""The class by which a file of unknown precision is judged: it may be the loosest."""


def check_agreement(agreement: Share, phone: str | None, server: str | None) -> AgreementCheck:
    """Judge how often the labels are equal, by the looser of the two artifacts' bounds.

    As in ``dermport verify``, the bound is held against the upper end of the interval: few photos must not fail a sound
    pair.

    Args:
        agreement: Of the labels.
        phone: The class of precision of what the phone runs; None where it is not known.
        server: The same of the server.
    """
    policy = read_policy()
    classes = tuple(name if name in policy.rules else UNKNOWN for name in (phone, server) if name is not None)
    classes = classes or (UNKNOWN,)
    bounds = [policy.rules[name].fail.top1_agreement for name in classes]
    least = None if None in bounds else min(bound for bound in bounds if bound is not None)
    failed = least is not None and agreement.of > 0 and agreement.high < least
    return AgreementCheck(
        status="fail" if failed else "pass",
        least=least,
        policy=policy.id,
        classes=classes,
        words=_words(agreement, least, failed, classes),
    )


def policy_class(precision: str | None, known: Mapping[str, str]) -> str | None:
    """Return the class of a precision by the bundle's records (precision to class); None for none of them."""
    return None if precision is None else known.get(precision, precision)


def _words(agreement: Share, least: float | None, failed: bool, classes: Sequence[str]) -> str:
    pair = " and ".join(dict.fromkeys(classes))
    if least is None:
        return f"The policy bounds no agreement of {pair}."
    if not agreement.of:
        return "No photo has two predictions."
    verdict = "which it misses" if failed else "which it reaches"
    return (
        f"The policy asks of {pair} for {100 * least:g} % equal labels, {verdict} "
        f"({100 * agreement.high:.1f} %, the interval's upper end)."
    )
