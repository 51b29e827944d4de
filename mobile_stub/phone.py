"""The phone's own prediction: the bundle's .tflite, run by LiteRT on photos prepared as everywhere."""

from __future__ import annotations

import time
from types import TracebackType

from bundle.errors import BundleError
from bundle.prep import prepare
from bundle.probabilities import answer
from bundle.store import Bundle, Export
from mobile_stub.prediction import Prediction
from runtimes.base import Runtime

TARGET = "tflite"
PREFERRED = "fp32"


class PhoneModel:
    """The model on the phone. Use it in a ``with`` block.

    Args:
        bundle: The bundle whose export is run.
        precision: Which one; None takes fp32, or the first one where that was not exported.

    Attributes:
        runtime: LiteRT with its version.
        artifact: Target and precision.

    Raises:
        BundleError: The bundle has no such export.
        IntegrityError: The artifact's bytes are not the recorded ones.
        UnavailableError: LiteRT is not installed.
    """

    def __init__(self, bundle: Bundle, precision: str | None = None) -> None:
        from runtimes.litert import LiteRT

        self._bundle = bundle
        self._export = _export(bundle, precision)
        self._runtime: Runtime = LiteRT(self._export.checked())
        self.runtime = self._runtime.name
        self.artifact = f"{TARGET} {self._export.record.precision}"

    def __enter__(self) -> PhoneModel:
        self._runtime.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runtime.__exit__(kind, error, trace)

    def predict(self, data: bytes) -> Prediction:
        """Return the phone's prediction for a JPEG or PNG; PhotoError where it is refused."""
        start = time.perf_counter()
        prepared = prepare(data, self._bundle.manifest.preprocessing)
        said = answer(self._bundle.manifest, self._runtime.predict(prepared.tensor[None])[0])
        return Prediction(
            label=said.label,
            probabilities=said.probabilities,
            score=said.score,
            positive=said.positive,
            input_sha256=prepared.input_sha256,
            model_sha256=self._bundle.model_sha256,
            artifact_sha256=self._export.record.artifact_sha256,
            artifact=self.artifact,
            runtime=self.runtime,
            milliseconds=round(1000 * (time.perf_counter() - start), 3),
        )


def _export(bundle: Bundle, precision: str | None) -> Export:
    found = {export.record.precision: export for export in bundle.exports() if export.record.target == TARGET}
    wanted = precision or (PREFERRED if PREFERRED in found else next(iter(found), PREFERRED))
    if wanted not in found:
        raise BundleError(
            f"{bundle.path} holds no {TARGET} {wanted} export (it holds: {', '.join(found) or 'none'}).",
            remedy=f"dermport export {bundle.path} --to {TARGET} --precision {wanted}",
        )
    return found[wanted]
