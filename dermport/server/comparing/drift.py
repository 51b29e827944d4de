"""The drift alarm: phones that run one file agree with the server less than the policy asks for."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

from dermport.bundle.wire import ComparisonAnswer, DriftAnswer, DriftState
from dermport.contract import Contract, Fraction
from dermport.errors import DataError
from dermport.server.comparing.artifacts import ArtifactRunner
from dermport.server.storage.comparisons import ComparisonStore, Vote
from dermport.statistics.estimates import Share, share_of

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
    devices: int
    per_device: int
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


_Latest = Callable[[str, int, "datetime | None"], Sequence[Vote]]
# How far back is looked for those that are counted: a device that posts without end hides others only beyond that.
_LOOKED_AT = 10


def counted(votes: Sequence[Vote], policy: DriftPolicy) -> tuple[Vote, ...]:
    """Return the latest votes that count: of each device no more than :attr:`DriftPolicy.per_device`."""
    of_device: Counter[str] = Counter()
    taken = []
    for vote in votes:
        of_device[vote.device] += 1
        if of_device[vote.device] <= policy.per_device:
            taken.append(vote)
    return tuple(taken[: policy.latest])


def alarm(votes: Sequence[Vote], bound: float, policy: DriftPolicy) -> str:
    """Return why the agreement is too low, or an empty string.

    It is too low where even the upper end of its 95 % Wilson interval is below the bound, so that bad luck with a few
    photos raises no alarm; and still is whichever device is left out, so that none raises it alone.

    Args:
        votes: Those that count.
        bound: The least agreement that is asked for.
        policy: How many comparisons, of how many devices, there must be.
    """
    devices = {vote.device for vote in votes}
    share = _share(votes)
    if share.of < policy.least or len(devices) < policy.devices or share.high >= bound:
        return ""
    if any(_share([vote for vote in votes if vote.device != one]).high >= bound for one in devices):
        return ""
    return (
        f"Of the latest {share.of} comparisons of {len(devices)} devices, phone and server agree in {share.count} "
        f"(95 % interval {share.low:.1%} to {share.high:.1%}); the policy asks for {bound:.0%}."
    )


def _share(votes: Sequence[Vote]) -> Share:
    return share_of(sum(vote.agrees for vote in votes), len(votes))


class DriftWatch:
    """Watches the agreement of every file that phones run; all that it decides by is in the database.

    Args:
        latest: Gives, of a file, the latest n votes since a time, newest first.
        rolled_out_since: Gives the time since which a file's version is rolled out as it is now; None where it is not,
            or is paused. What was said before counts no more: whoever has it go on has seen it.
        on_alarm: Is told the file's sha256 and why; of a file that is rolled out each time, of others once.
        policy: What is asked for.
    """

    def __init__(
        self,
        latest: _Latest,
        rolled_out_since: Callable[[str], datetime | None],
        on_alarm: Callable[[str, str], None],
        policy: DriftPolicy | None = None,
    ) -> None:
        self._latest = latest
        self._rolled_out_since = rolled_out_since
        self._on_alarm = on_alarm
        self._policy = policy or read_drift_policy()
        self._told: set[str] = set()

    def heard(self, answer: ComparisonAnswer) -> None:
        """Take in a comparison that was stored; one that agrees raises no alarm.

        Raises:
            StorageError: The database cannot be read.
        """
        if answer.verdict.same_label or answer.verdict.cause == "photo-changed":
            return
        artifact, policy = answer.phone.said.artifact_sha256, self._policy
        precision = answer.phone.known.precision if answer.phone.known else None
        since = self._rolled_out_since(artifact)
        votes = counted(self._latest(artifact, _LOOKED_AT * policy.latest, since), policy)
        why = alarm(votes, policy.bound(precision), policy)
        if not why:
            self._told.discard(artifact)
        elif since is not None or artifact not in self._told:
            self._on_alarm(artifact, why)
            self._told.add(artifact)


FILES = 20


def drift_states(store: ComparisonStore, runner: ArtifactRunner, policy: DriftPolicy | None = None) -> DriftAnswer:
    """Judge the :data:`FILES` files that were compared last, as :class:`.server.comparing.drift.DriftWatch` does.

    Raises:
        StorageError: The database fails.
    """
    policy = policy or read_drift_policy()

    def state(artifact: str) -> DriftState:
        known = runner.find(artifact)
        votes = counted(store.latest_votes(artifact, _LOOKED_AT * policy.latest), policy)
        asked = policy.bound(known.export.record.precision if known else None)
        return DriftState(
            artifact_sha256=artifact,
            agreement=_share(votes),
            devices=len({vote.device for vote in votes}),
            asked=asked,
            alarm=alarm(votes, asked, policy),
        )

    files = tuple(map(state, store.latest_artifacts(FILES)))
    return DriftAnswer(policy=policy.id, latest=policy.latest, least=policy.least, devices=policy.devices, files=files)
