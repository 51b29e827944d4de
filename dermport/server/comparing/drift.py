"""The drift alarm: phones that run one file agree with the server less than the policy asks for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from dermport.bundle.wire import ComparisonAnswer, DriftAnswer, DriftState
from dermport.contract import Contract, Fraction
from dermport.errors import DataError
from dermport.server.comparing.artifacts import ArtifactRunner
from dermport.server.storage.comparisons import ComparisonStore
from dermport.statistics.estimates import share_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BUILT_IN = Path(__file__).with_name("drift.toml")


class DriftPolicy(Contract):
    """``drift.toml``; see there for what each figure means."""

    id: str
    latest: int
    least: int
    otherwise: Fraction
    agreement: dict[str, Fraction]

    def bound(self, precision: str | None) -> float:
        """Return the least agreement that is asked of a precision; None is one that is not known."""
        return self.agreement.get(precision or "", self.otherwise)


@cache
def read_drift_policy(path: Path = BUILT_IN) -> DriftPolicy:
    """Read a policy file.

    Raises:
        DataError: The file is missing or is no policy.
    """
    try:
        return DriftPolicy.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no drift policy: {error}.", remedy=f"Start from {BUILT_IN.name}.") from error


def alarm(agreed: Sequence[bool], bound: float, least: int) -> str:
    """Return why the agreement is too low, or an empty string.

    It is too low where even the upper end of its 95 % Wilson interval is below the bound, so that bad luck with a few
    photos raises no alarm.

    Args:
        agreed: Of each comparison, whether both gave the same label.
        bound: The least agreement that is asked for.
        least: Comparisons below which nothing is said.
    """
    share = share_of(sum(agreed), len(agreed))
    if share.of < least or share.high >= bound:
        return ""
    return (
        f"Of the latest {share.of} comparisons, phone and server agree in {share.count} (95 % interval "
        f"{share.low:.1%} to {share.high:.1%}); the policy asks for {bound:.0%}."
    )


class DriftWatch:
    """Watches the agreement of every file that phones run; an alarm is raised once, and again after a recovery.

    Args:
        latest: Gives, of the latest n comparisons of a file, whether each agreed.
        on_alarm: Is told the file's sha256 and why.
        policy: What is asked for.
    """

    def __init__(
        self,
        latest: Callable[[str, int], Sequence[bool]],
        on_alarm: Callable[[str, str], None],
        policy: DriftPolicy | None = None,
    ) -> None:
        self._latest = latest
        self._on_alarm = on_alarm
        self._policy = policy or read_drift_policy()
        self._lock = threading.Lock()
        self._alarmed: set[str] = set()

    def heard(self, answer: ComparisonAnswer) -> None:
        """Take in a comparison that was stored.

        Raises:
            StorageError: The database cannot be read.
        """
        artifact = answer.phone.said.artifact_sha256
        precision = answer.phone.known.precision if answer.phone.known else None
        agreed = self._latest(artifact, self._policy.latest)
        why = alarm(agreed, self._policy.bound(precision), self._policy.least)
        with self._lock:
            new = bool(why) and artifact not in self._alarmed
            (self._alarmed.add if why else self._alarmed.discard)(artifact)
        if new:
            self._raise_alarm(artifact, why)

    def _raise_alarm(self, artifact: str, why: str) -> None:
        try:
            self._on_alarm(artifact, why)
        except Exception:
            with self._lock:
                self._alarmed.discard(artifact)  # so that the next comparison tries again
            raise


FILES = 20


def drift_states(store: ComparisonStore, runner: ArtifactRunner, policy: DriftPolicy | None = None) -> DriftAnswer:
    """Judge the :data:`FILES` files that were compared last, as :class:`.server.comparing.drift.DriftWatch` does.

    Raises:
        StorageError: The database fails.
    """
    policy = policy or read_drift_policy()

    def state(artifact: str) -> DriftState:
        known = runner.find(artifact)
        agreed = store.latest_labels(artifact, policy.latest)
        asked = policy.bound(known.export.record.precision if known else None)
        return DriftState(
            artifact_sha256=artifact,
            agreement=share_of(sum(agreed), len(agreed)),
            asked=asked,
            alarm=alarm(agreed, asked, policy.least),
        )

    files = tuple(map(state, store.latest_artifacts(FILES)))
    return DriftAnswer(policy=policy.id, latest=policy.latest, least=policy.least, files=files)
