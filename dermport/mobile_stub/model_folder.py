"""The phone's models on disk: the one in use, the one before it, and what is believed of the server."""

from __future__ import annotations

import re
import secrets
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from dermport.bundle.atomic import sync_tree, write_bytes, write_json, write_text
from dermport.bundle.hashing import sha256_file
from dermport.bundle.signature import key_id, raw_key, read_public_key
from dermport.bundle.trust import Trust, utc
from dermport.bundle.wire import ReleaseArtifact, ReleaseFile, ReleaseManifest
from dermport.contract import Contract
from dermport.errors import DataError, IntegrityError, UsageError

KEY = "signing-key.pem"
TRUST = "trust.json"
STATE = "installed.json"
RELEASE = "release.dsse.json"
_PART = re.compile(r"\.[a-z0-9._-]+-\d+\.\d+\.\d+-[0-9a-f]{16}\.part")
_FolderName = Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9._-]*$")]


class InstalledVersion(Contract):
    """An installed model: its folder, and the artifact of it that is used."""

    folder: _FolderName
    target: str
    precision: str


class State(Contract):
    """The whole of ``installed.json``."""

    schema_version: Annotated[Literal["dermport-installed/1"], Field(alias="schema")] = "dermport-installed/1"
    current: InstalledVersion | None = None
    previous: InstalledVersion | None = None


@dataclass(frozen=True)
class InstalledModel:
    """A model that this phone can run.

    Attributes:
        folder: Where its files are, under the paths of the manifest.
        manifest: What the server signed.
        artifact: What of it is used.
    """

    folder: Path
    manifest: ReleaseManifest
    artifact: ReleaseArtifact

    @property
    def key(self) -> str:
        """Name and version, as the server is told."""
        return f"{self.manifest.name}/{self.manifest.version}"

    def is_renewed(self, now: str | None = None) -> bool:
        """Whether the server said in time that this phone should have it; where not, it goes on all the same."""
        return self.manifest.expires is None or (now or utc()) < self.manifest.expires

    def checked(self) -> Path:
        """Return the artifact's path once its files are proved to be the listed ones; IntegrityError otherwise."""
        for listed in files_of(self.manifest, self.artifact):
            path = self.folder / listed.path
            if not path.is_file() or sha256_file(path) != listed.sha256:
                raise IntegrityError(f"{path} is missing or damaged.", remedy="Fetch the model again.")
        return self.folder / self.artifact.path


def files_of(manifest: ReleaseManifest, artifact: ReleaseArtifact) -> tuple[ReleaseFile, ...]:
    """Return the files that an artifact needs, and those that it is tested with."""
    wanted = (artifact.target, artifact.precision)
    return tuple(
        file
        for file in manifest.files
        if (file.target, file.precision) == wanted or file.path == manifest.golden.tensors
    )


class ModelFolder:
    """Holds ``installed.json``, ``signing-key.pem``, ``trust.json``, ``device-id`` and a folder for each model.

    Args:
        path: The folder; made when something is written to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_pinned(self) -> bool:
        """Whether a server's key is trusted here."""
        return (self.path / KEY).exists()

    def pin(self, pem: str) -> str:
        """Trust a public key (PEM), root or signing key, from now on instead of the one before; return its id.

        Raises:
            DataError: It is no Ed25519 public key.
        """
        found = key_id(read_public_key(pem.encode()))
        write_text(self.path / KEY, pem)
        return found

    def device(self) -> str:
        """Return this device's name, drawn at the first call: a random one that tells nobody whose it is."""
        path = self.path / "device-id"
        if not path.exists():
            write_text(path, f"{uuid.uuid4()}\n")
        return path.read_text().strip()

    def trust(self) -> Trust:
        """Return what is believed of the server.

        Raises:
            UsageError: No key is trusted yet.
            DataError: The files cannot be read.
        """
        if not self.is_pinned:
            raise UsageError(
                f"{self.path} trusts no server's key yet.",
                remedy="Bring the server's key by a safe way (--public-key FILE), or take it as it is: "
                "--trust-first-use.",
            )
        pin = raw_key(read_public_key((self.path / KEY).read_bytes()))
        try:
            trust = Trust.model_validate_json((self.path / TRUST).read_bytes())
        except FileNotFoundError:
            return Trust(pin=pin)
        except (OSError, ValidationError) as error:
            # Not removed by itself: without it an old manifest would be taken again.
            raise DataError(
                f"{self.path / TRUST} cannot be read.", remedy="Remove it, and pin the key again."
            ) from error
        return trust if trust.pin == pin else Trust(pin=pin)

    def believe(self, trust: Trust) -> None:
        """Keep what is believed now."""
        write_json(self.path / TRUST, trust.model_dump(mode="json", by_alias=True))

    def current(self) -> InstalledModel | None:
        """Return the model in use; None where there is none. Raises as :meth:`trust`, and IntegrityError."""
        return self._open(self._state().current)

    def part(self, manifest: ReleaseManifest, artifact: ReleaseArtifact) -> Path:
        """Return where a model's files are gathered before it is installed; they survive a failed attempt."""
        return self.path / f".{_name(manifest, artifact)}.part"

    def install(
        self, part: Path, envelope: bytes, manifest: ReleaseManifest, artifact: ReleaseArtifact
    ) -> InstalledModel:
        """Use the model in `part` from now on; the one in use until now is kept for :meth:`rollback`, older ones go.

        A phone that is switched off on the way has the old model or the new one.
        """
        state = self._state()
        write_bytes(part / RELEASE, envelope)
        sync_tree(part)
        # A name never used before: the model in use, be it this one, damaged, stays until the change is written.
        name = _name(manifest, artifact)
        folder = part.rename(self.path / f"{name}-{secrets.token_hex(4)}")
        replaced = state.current is not None and state.current.folder.startswith(name)
        place = InstalledVersion(folder=folder.name, target=artifact.target, precision=artifact.precision)
        self._write(State(current=place, previous=state.previous if replaced else state.current))
        self._tidy()
        return InstalledModel(folder, manifest, artifact)

    def renew(self, model: InstalledModel, envelope: bytes, manifest: ReleaseManifest) -> InstalledModel:
        """Keep a newer manifest of a model whose files are the very same."""
        write_bytes(model.folder / RELEASE, envelope)
        return InstalledModel(model.folder, manifest, model.artifact)

    def rollback(self) -> InstalledModel:
        """Use the model before the present one again; a second call leads back.

        Raises:
            UsageError: There is none.
            IntegrityError: Its files are damaged; the present one stays.
        """
        state = self._state()
        earlier = self._open(state.previous)
        if earlier is None:
            raise UsageError(f"{self.path} holds no earlier model.")
        earlier.checked()
        self._write(State(current=state.previous, previous=state.current))
        return earlier

    def _open(self, place: InstalledVersion | None) -> InstalledModel | None:
        if place is None:
            return None
        folder = self.path / place.folder
        try:
            manifest = self.trust().installed((folder / RELEASE).read_bytes())
        except OSError as error:
            raise IntegrityError(f"{folder / RELEASE} cannot be read: {error.strerror}.") from error
        for artifact in manifest.artifacts:
            if (artifact.target, artifact.precision) == (place.target, place.precision):
                return InstalledModel(folder, manifest, artifact)
        raise IntegrityError(f"{folder / RELEASE} lists no {place.target} {place.precision}.")

    def _state(self) -> State:
        try:
            return State.model_validate_json((self.path / STATE).read_bytes())
        except FileNotFoundError:
            return State()
        except (OSError, ValidationError) as error:
            raise DataError(
                f"{self.path / STATE} cannot be read.", remedy="Remove it, and fetch the model again."
            ) from error

    def _write(self, state: State) -> None:
        write_json(self.path / STATE, state.model_dump(mode="json", by_alias=True))

    def _tidy(self) -> None:
        state = self._state()
        keep = {place.folder for place in (state.current, state.previous) if place}
        for path in self.path.iterdir():
            is_model = (path / RELEASE).exists() or _PART.fullmatch(path.name)
            if is_model and path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)


def _name(manifest: ReleaseManifest, artifact: ReleaseArtifact) -> str:
    return f"{manifest.name}-{manifest.version}-{artifact.sha256[:16]}"
