"""The models as phones get them: releases, roll-outs, and which version is for whom."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import cast

from flask import Request, Response

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.signature import Envelope, read_envelope
from dermport.bundle.trust import utc
from dermport.bundle.wire import (
    MOST_ROOTS,
    RELEASE_TYPE,
    LatestAnswer,
    ModelKey,
    Platform,
    RolloutState,
    RolloutWish,
    RootsAnswer,
    SigningKeyAnswer,
)
from dermport.errors import RequestError
from dermport.server.delivery.checked_files import CheckedFiles
from dermport.server.delivery.gzip_variants import GzipVariants
from dermport.server.delivery.kept_signer import KeptSigner
from dermport.server.delivery.latest import Choice, DeviceInfo, choose
from dermport.server.delivery.releases import Release, Releases
from dermport.server.delivery.responses import FileResponder
from dermport.server.delivery.signer import Signer
from dermport.server.serving.models import Key, Models
from dermport.server.storage.base import utc_now
from dermport.server.storage.offers import Offers
from dermport.server.storage.rollouts import Rollout, Rollouts


class ModelDelivery:
    """Answers what phones, and those who roll models out to them, ask.

    Args:
        models: The models, one of them live.
        rollouts: The stored roll-outs.
        offers: Numbers what is offered.
        signer: Signs the manifests.
        state: The server's state folder, for the gzip variants of files.
    """

    def __init__(
        self, models: Models, rollouts: Rollouts, offers: Offers, signer: KeptSigner | Signer, state: Path
    ) -> None:
        self._models = models
        self._rollouts = rollouts
        self._offers = offers
        self._signer = signer
        self._releases = Releases()
        self._compressed = GzipVariants(state / "compressed")
        self._delivery = FileResponder(CheckedFiles(), self._compressed)

    @property
    def signing_key(self) -> SigningKeyAnswer:
        """The public keys: what signs manifests, and what phones pin."""
        return self._signer.public

    def trouble(self) -> str:
        """Return why nothing is signed, as anybody may be told; empty where it is."""
        try:
            assert self.signing_key
        except RequestError as error:
            return error.message
        return ""

    def roots(self, after: int) -> RootsAnswer:
        """Return the signed roots after a version, in order."""
        found: list[Envelope] = []
        while len(found) < MOST_ROOTS and (envelope := self._signer.roots.envelope(after + 1 + len(found))):
            found.append(read_envelope(envelope))
        return RootsAnswer(roots=tuple(found))

    def manifest(self, name: str, version: str) -> bytes:
        """Return the signed manifest of a version that phones are offered now: the live one, or one that is rolled out.

        All that are offered at one time have one sequence number, so that a phone may be led from one to the other;
        any change of what is offered makes a higher one. A version that is not offered gets none: nobody on the way can
        make a phone take it.

        Raises:
            RequestError: There is no such model (404), it is not offered (409), its files are damaged or the database
                cannot be read (503).
        """
        release = self.release(name, version)
        offered, rules = self._offered()
        if (name, version) not in offered:
            raise RequestError(
                f"{name} {version} is neither live nor rolled out.",
                code="not-offered",
                status=409,
                remedy="GET /v1/models/latest says which version a phone should have.",
            )
        said = [sorted(offered.items()), rules, self.signing_key.key_id]
        offer = self._offers.numbered(sha256_bytes(json.dumps(said).encode()), utc_now())
        numbered = release.manifest.model_copy(update={"sequence": offer.sequence, "expires": utc(offer.expires)})
        signed = self._signer.sign(numbered.model_dump_json(by_alias=True).encode(), RELEASE_TYPE)
        return signed.model_dump_json(by_alias=True).encode()

    def _offered(self) -> tuple[dict[Key, str], list[str]]:
        """Return the versions that some phone should have, each with the sha256 of its manifest; and by which rules."""
        live = self._models.current.model
        found = [one for one in self._rollouts.all() if one.model == live.name]
        versions = {live.version: self.release(live.name, live.version)}
        for rollout in found:
            release = (
                None if rollout.paused else self._usable(live.name, rollout.candidate, cast(Platform, rollout.platform))
            )
            if release:
                versions[rollout.candidate] = release
        rules = [repr(replace(one, pause_reason="", updated_at=None)) for one in found]
        return {(live.name, version): release.sha256 for version, release in versions.items()}, rules

    def release(self, name: str, version: str) -> Release:
        """Return a model's release.

        Raises:
            RequestError: There is no such model (404), or its files are damaged (503).
        """
        return self._releases.of(self._models.bundle(name, version))

    def file(self, request: Request, name: str, version: str, path: str, sha256: str | None) -> Response:
        """Answer `request` with a file that a model's release lists.

        Args:
            request: What its headers ask for: encoding, validators, one range.
            name: The model's name.
            version: Its version.
            path: As the manifest has it.
            sha256: The file that is meant; None takes the one that is listed now.

        Raises:
            RequestError: There is no such model or file (404), it was replaced by another (410), or it is missing or
                changed on disk (503).
            RequestedRangeNotSatisfiable: 416.
        """
        found = self.release(name, version).files.get(path)
        if found is None:
            raise RequestError(
                "The model's manifest lists no such file.",
                code="no-such-file",
                status=404,
                remedy="Take the paths from the manifest.",
            )
        listed, place = found
        if sha256 not in (None, listed.sha256):
            raise RequestError(
                "The file was replaced by another since the manifest was fetched.",
                code="file-replaced",
                status=410,
                remedy="Fetch the manifest again.",
            )
        return self._delivery.response(request, place, listed, forever=sha256 is not None)

    def rescan(self) -> tuple[ModelKey, ...]:
        """Look for models again, forget the gzip variants of those that are gone, and return those that are known.

        Raises:
            RequestError: 409: a folder holds something that cannot be used; what was known stays known.
        """
        bundles = self._models.rescan()
        with contextlib.suppress(RequestError):  # a damaged model must not cost the others their variants
            releases = [self._releases.of(bundle) for bundle in bundles]
            self._compressed.keep_only(listed.sha256 for release in releases for listed, _ in release.files.values())
        return tuple(ModelKey(name=bundle.manifest.name, version=bundle.manifest.version) for bundle in bundles)

    def latest(self, phone: DeviceInfo) -> LatestAnswer:
        """Return the version that a phone should have.

        Raises:
            RequestError: 404: the live model has no artifact for the phone's platform; 503: its files are damaged, or
                the database cannot be read: the phone keeps what it has.
        """
        live = self._models.current.model
        choice = choose(live.version, self._rollouts.get(live.name, phone.platform), phone)
        if choice.version != live.version and self._usable(live.name, choice.version, phone.platform) is None:
            why = f"Version {choice.version} is rolled out, but the server cannot hand it out."
            choice = Choice(live.version, "candidate-unavailable", why)
        manifest = self._for_platform(live.name, choice.version, phone.platform).manifest
        return LatestAnswer(
            name=manifest.name,
            version=manifest.version,
            sha256=manifest.sha256,
            platform=phone.platform,
            manifest=f"/v1/models/{manifest.name}/{manifest.version}/manifest",
            update=phone.current != f"{manifest.name}/{manifest.version}",
            reason=choice.reason,
            why=choice.why,
        )

    def rollouts(self) -> tuple[RolloutState, ...]:
        """Return every roll-out."""
        return tuple(map(_state, self._rollouts.all()))

    def roll_out(self, wish: RolloutWish) -> RolloutState:
        """Store a roll-out.

        Raises:
            RequestError: 404: there is no such model, or it has no artifact for the platform.
        """
        self._for_platform(wish.model, wish.candidate, wish.platform)
        return _state(self._rollouts.set(Rollout(**wish.model_dump())))

    def _for_platform(self, name: str, version: str, platform: Platform) -> Release:
        release = self.release(name, version)
        if not release.runs_on(platform):
            raise RequestError(
                f"{name} {version} has no artifact for {platform}.",
                code="no-artifact-for-platform",
                status=404,
                remedy="Whoever runs the server can export it with `dermport export`.",
            )
        return release

    def _usable(self, name: str, version: str, platform: Platform) -> Release | None:
        try:
            return self._for_platform(name, version, platform)
        except RequestError:
            return None


def _state(rollout: Rollout) -> RolloutState:
    updated = rollout.updated_at.isoformat(timespec="seconds") if rollout.updated_at else ""
    return RolloutState.model_validate({**vars(rollout), "updated": updated})
