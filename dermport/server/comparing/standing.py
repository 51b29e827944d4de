"""How each file that phones run stands against the drift policy now."""

from __future__ import annotations

from dermport.bundle.wire import DriftAnswer, DriftState
from dermport.server.comparing.artifacts import ArtifactRunner
from dermport.server.comparing.drift import DriftPolicy, alarm, read_drift_policy
from dermport.server.storage.comparisons import ComparisonStore
from dermport.statistics.estimates import share_of

FILES = 20


def standing(store: ComparisonStore, runner: ArtifactRunner, policy: DriftPolicy | None = None) -> DriftAnswer:
    """Judge the :data:`FILES` files that were compared last, as :class:`.server.comparing.drift.DriftWatch` does.

    Raises:
        RequestError: 503 "storage-unavailable".
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
