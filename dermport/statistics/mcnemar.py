"""McNemar's test of two answers to the same cases (McNemar 1947), in its exact form, which few cases do not spoil."""

from __future__ import annotations

from math import comb


def mcnemar_exact(first_only: int, second_only: int) -> float:
    """Return the two-sided p-value that two are right equally often.

    Of the cases in which only one of them is right, each is by chance the first one's or the second one's: a binomial
    test with probability one half (sign test).

    Args:
        first_only: Cases in which only the first is right.
        second_only: Cases in which only the second is right.
    """
    trials = first_only + second_only
    tail = sum(comb(trials, k) for k in range(min(first_only, second_only) + 1))
    return min(1.0, float(2 * tail / 2**trials))
