"""What the figures of a published table say of one another: no data needed, only their definitions."""

from __future__ import annotations


def f1_score(precision: float, recall: float) -> float:
    """Return the harmonic mean of precision and recall, which F1 is by its definition."""
    return 2 * precision * recall / (precision + recall)


def implied_prevalence(precision: float, recall: float, accuracy: float) -> float:
    """Return the share of positive cases that makes three figures of one decision on one set true together.

    With P positives and N negatives, the hits are ``recall * P``, the false alarms ``recall * P * (1/precision - 1)``,
    and so the accuracy is (hits + N - false alarms) / (P + N), which is solved for P / (P + N).

    Raises:
        ZeroDivisionError: The figures fit no set, or any.
    """
    gained = recall - recall * (1 / precision - 1)
    return (1 - accuracy) / (1 - gained)


def always_yes_f1(prevalence: float) -> float:
    """Return the F1 score of answering yes to every case, where `prevalence` is the share of positive cases."""
    return 2 * prevalence / (1 + prevalence)
