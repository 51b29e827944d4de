"""The phone's updater: asks which model it should have, fetches it, proves it, and only then uses it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.parity import Figures, compare, in_bundle_order
from dermport.bundle.policy import read_policy
from dermport.bundle.trust import Trust, utc
from dermport.bundle.wire import PLATFORM_PRECISION, LatestAnswer, Platform, ReleaseArtifact, ReleaseManifest
from dermport.errors import ExportError, IntegrityError, UsageError
from dermport.mobile_stub.download import download
from dermport.mobile_stub.model_folder import InstalledModel, ModelFolder, files_of
from dermport.mobile_stub.release_client import ReleaseClient
from dermport.progress import SILENT, Progress
from dermport.runtimes.base import Runtime
from dermport.runtimes.registry import get_runtime

_LITERT = get_runtime("litert")
TARGET = _LITERT.target
_UNTOUCHED = "The model that was there is untouched."


@dataclass(frozen=True)
class PhoneProfile:
    """What the phone says of itself, and what it wants.

    Attributes:
        platform: ``android`` or ``web``: those that run LiteRT, by which the model is tested.
        precision: Of the artifact; None takes fp16, or the first there is.
        app_version: Of the app.
    """

    platform: Platform = "android"
    precision: str | None = None
    app_version: str | None = None


@dataclass(frozen=True)
class UpdateOutcome:
    """How an update ended.

    Attributes:
        model: The model in use now.
        changed: Whether it is another one than before.
        latest: What the server said.
        figures: How it answered the golden photos; None where nothing changed.
    """

    model: InstalledModel
    changed: bool
    latest: LatestAnswer
    figures: Figures | None = None


class Updater:
    """Keeps one folder of models up to date with one server.

    Args:
        client: Asks the server.
        folder: Where the models are.
        phone: Who asks, for what.
        open_runtime: Loads an artifact to test it.
        progress: Told what is being done, for people.
        sleep: Waits some seconds before a download goes on.
        now: The phone's clock, as :func:`dermport.bundle.trust.utc`.

    Raises:
        UsageError: The platform's artifacts cannot be tested here.
    """

    def __init__(
        self,
        client: ReleaseClient,
        folder: ModelFolder,
        phone: PhoneProfile,
        *,
        open_runtime: Callable[[Path], Runtime] = _LITERT.open,
        progress: Progress = SILENT,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], str] = utc,
    ) -> None:
        if phone.platform == "ios":
            raise UsageError("Core ML cannot be run here, so a model for ios cannot be tested.")
        self._client = client
        self._folder = folder
        self._phone = phone
        self._open_runtime = open_runtime
        self._progress = progress
        self._sleep = sleep
        self._now = now

    def trust_first_use(self) -> str:
        """Trust the key that the server shows, and return its id: only for a first contact over a safe network."""
        shown = self._client.signing_key()
        pinned = self._folder.pin((shown.root or shown).pem)
        self._walked()
        return pinned

    def update(self) -> UpdateOutcome:
        """Have the model that the server wants this phone to have.

        Whatever fails, the model in use stays as it is.

        Raises:
            TrustError: A root or the manifest is not signed as it must be, replayed, or has ended.
            IntegrityError: The manifest is not of the model that was promised, a file is not the listed one, or the
                model does not answer the golden photos as the original did.
            RequestError: The server refuses something, with its own code.
            ServerError: The server does not answer, or not in the agreed form.
            UnavailableError: LiteRT, or the package cryptography, is not installed.
            UsageError: No key is trusted yet, the wanted precision is not there, or the folder cannot be written.
        """
        try:
            return self._update()
        except OSError as error:
            raise UsageError(f"{self._folder.path} cannot be used: {error.strerror}. {_UNTOUCHED}") from error

    def _update(self) -> UpdateOutcome:
        trust = self._walked()
        current = self._usable_current()
        said = self._client.latest(
            self._phone.platform,
            self._folder.device(),
            self._phone.app_version,
            current.key if current else None,
        )
        envelope = self._client.document(f"/v1/models/{said.name}/{said.version}/manifest")
        manifest, trust = trust.admitted(envelope, self._now())
        _check_promise(said, manifest)
        self._folder.believe(trust)
        artifact = _choose(manifest, self._phone)
        if current and _is_same(current, manifest, artifact):
            return UpdateOutcome(self._folder.renew(current, envelope, manifest), changed=False, latest=said)
        return self._install(said, envelope, manifest, artifact)

    def _walked(self) -> Trust:
        before = self._folder.trust()
        trust = before.walked(self._client.roots(before.root.version if before.root else 0))
        if trust != before:
            self._folder.believe(trust)
        return trust

    def _usable_current(self) -> InstalledModel | None:
        """Return the model in use; one that is damaged, or signed by a key that is no longer trusted, is replaced."""
        try:
            current = self._folder.current()
            if current:
                current.checked()
        except IntegrityError as error:
            self._progress.say(f"{error.message} It is fetched again.")
            return None
        return current

    def _install(
        self, said: LatestAnswer, envelope: bytes, manifest: ReleaseManifest, artifact: ReleaseArtifact
    ) -> UpdateOutcome:
        part = self._folder.part(manifest, artifact)
        for listed in files_of(manifest, artifact):
            self._progress.say(f"{listed.path}, {listed.bytes / 1e6:.1f} MB")
            url = f"/v1/models/{manifest.name}/{manifest.version}/files/{quote(listed.path)}"
            download(self._client, url, listed, part / listed.path, self._sleep)
        try:
            figures = self_test(part, manifest, artifact, self._open_runtime)
        except IntegrityError:
            shutil.rmtree(part, ignore_errors=True)
            raise
        model = self._folder.install(part, envelope, manifest, artifact)
        return UpdateOutcome(model, changed=True, latest=said, figures=figures)


def self_test(
    folder: Path,
    manifest: ReleaseManifest,
    artifact: ReleaseArtifact,
    open_runtime: Callable[[Path], Runtime] = _LITERT.open,
) -> Figures:
    """Have an artifact answer the golden photos, and return how far it is from the original.

    Args:
        folder: Where the manifest's files are.
        manifest: What says how the original answered.
        artifact: Which artifact.
        open_runtime: Loads it.

    Raises:
        IntegrityError: It is further than the policy allows, cannot be loaded, or the golden photos are damaged.
        UnavailableError: The runtime is not installed.
    """
    tensors = _golden_tensors(folder, manifest)
    try:
        with open_runtime(folder / artifact.path) as runtime:
            answers, labels = runtime.predict(tensors), runtime.labels
    except ExportError as error:
        raise IntegrityError(f"The model cannot be run: {error.message}", remedy=_UNTOUCHED) from error
    original = np.asarray([vector.probabilities for vector in manifest.golden.vectors], np.float32)
    if answers.shape != original.shape:
        raise IntegrityError(f"The model answers {answers.shape}, the original {original.shape}.", remedy=_UNTOUCHED)
    figures = compare(manifest, original, in_bundle_order(answers, labels, manifest.task.ids), labels)
    status, reasons = read_policy().judge(artifact.policy, figures)
    if status == "fail":
        raise IntegrityError(
            f"{manifest.name} {manifest.version} does not answer as the original does on this phone: "
            f"{'; '.join(reasons)}.",
            remedy=_UNTOUCHED,
        )
    return figures


def _golden_tensors(folder: Path, manifest: ReleaseManifest) -> NDArray[np.uint8]:
    path = folder / manifest.golden.tensors
    try:
        tensors: NDArray[np.uint8] = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise IntegrityError(f"{path.name} holds no tensors.", remedy=_UNTOUCHED) from error
    size = manifest.preprocessing.size
    hashes = [sha256_bytes(tensor.tobytes()) for tensor in tensors] if tensors.ndim == 4 else []
    wanted = [vector.input_sha256 for vector in manifest.golden.vectors]
    if hashes != wanted or tensors.dtype != np.uint8 or tensors.shape[1:] != (size, size, 3):
        raise IntegrityError(f"{path.name} does not hold the golden photos of the manifest.", remedy=_UNTOUCHED)
    return tensors


def _check_promise(said: LatestAnswer, manifest: ReleaseManifest) -> None:
    promised = (said.name, said.version, said.sha256)
    if (manifest.name, manifest.version, manifest.sha256) != promised:
        raise IntegrityError(
            f"The server promised {said.name} {said.version} and signed another model: "
            f"{manifest.name} {manifest.version}.",
            remedy=_UNTOUCHED,
        )


def _is_same(current: InstalledModel, manifest: ReleaseManifest, artifact: ReleaseArtifact) -> bool:
    """Whether an offer needs the very files that are in use."""
    used = (current.key, current.artifact, files_of(current.manifest, current.artifact))
    return used == (f"{manifest.name}/{manifest.version}", artifact, files_of(manifest, artifact))


def _choose(manifest: ReleaseManifest, phone: PhoneProfile) -> ReleaseArtifact:
    found = {artifact.precision: artifact for artifact in manifest.artifacts if artifact.target == TARGET}
    usual = PLATFORM_PRECISION if PLATFORM_PRECISION in found else next(iter(found), PLATFORM_PRECISION)
    wanted = phone.precision or usual
    if wanted not in found:
        raise UsageError(
            f"{manifest.name} {manifest.version} has no {phone.platform} {wanted} "
            f"(it has: {', '.join(found) or 'none'})."
        )
    return found[wanted]
