"""The roots of a server: which keys may sign, each version signed by the one before; the root key that signs them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from dermport.bundle.signature import payload_of, raw_key, read_envelope, sign
from dermport.bundle.trust import utc
from dermport.bundle.wire import ROOT_TYPE, RootDocument
from dermport.errors import DataError, TrustError, UsageError
from dermport.server.delivery.key_file import make_key, read_key, write_new
from dermport.server.storage.base import utc_now
from dermport.server.storage.folder import private_folder

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNING_KEY = "signing.key"
ROOT_KEY = "root.key"
LIFETIME = timedelta(days=5 * 365)
"""How long a root is good. A Jetson runs for years without anybody near, and each rotation begins it anew."""
_NEXT = ".next"


class Roots:
    """The files ``<state>/roots/<version>.json`` and ``<state>/root.key``.

    Args:
        state: The server's state folder.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._folder = state / "roots"
        self._found: RootDocument | None = None

    @property
    def root_key(self) -> Path:
        """Where the root key is, unless it was taken off the machine."""
        return self._state / ROOT_KEY

    def envelope(self, version: int) -> bytes | None:
        """Return a signed root; None where there is none.

        Raises:
            DataError: It cannot be read.
        """
        path = self._path(version)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}.") from error

    def newest(self) -> RootDocument | None:
        """Return the newest root, looked for on each call; None where there is none yet.

        Raises:
            DataError: A file cannot be read, or is no root.
        """
        version = self._found.version + 1 if self._found else 1
        while (envelope := self.envelope(version)) is not None:
            try:
                self._found = RootDocument.model_validate_json(payload_of(read_envelope(envelope)))
            except (TrustError, ValidationError) as error:
                raise DataError(f"{self._path(version)} is no root.", remedy="Restore it from a backup.") from error
            version += 1
        return self._found

    def begin(self) -> RootDocument:
        """Return the newest root; make the first one, with its keys where they are missing.

        The signing key signs it, too: phones that pinned that one go on.

        Raises:
            DataError: A key or a root cannot be read or written.
            UnavailableError: The package cryptography is not installed.
        """
        if found := self.newest():
            return found
        signing, root = make_key(self._state / SIGNING_KEY), make_key(self.root_key)
        self._publish(1, root, signing, (root, signing))
        return self._told()

    def signing_key(self, root: RootDocument) -> Ed25519PrivateKey:
        """Return the private key that `root` lets sign manifests.

        Raises:
            DataError: It is missing, or another one is in its place.
        """
        for path in (self._state / SIGNING_KEY, self._state / f"{SIGNING_KEY}{_NEXT}"):
            if path.exists():
                key = read_key(path)
                if raw_key(key.public_key()) in root.release_keys:
                    return key
        raise DataError(
            f"{self._state / SIGNING_KEY} is missing, or not the key that root {root.version} lets sign: phones would "
            "refuse it.",
            remedy="Restore it from a backup, or make a new one that phones take: dermport signing rotate.",
        )

    def export(self, file: Path) -> None:
        """Move the root key to `file`, which must not be there; nothing is removed before that is on the disk.

        Raises:
            DataError: The root key is not in the state folder, or `file` cannot be written.
        """
        read_key(self.root_key)
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:
                copy.write(self.root_key.read_bytes())
                copy.flush()
                os.fsync(copy.fileno())
            self.root_key.unlink()
        except OSError as error:
            raise DataError(f"The root key cannot be moved to {file}: {error.strerror}.") from error

    def rotate(self, root_key: Path | None = None, *, new_root: bool = False) -> RootDocument:
        """Make a new signing key, signed by the root key; the one before is removed, and a running server follows.

        Args:
            root_key: Where the root key is; None: in the state folder.
            new_root: Whether to make a new root key, too, left in the state folder.

        Raises:
            UsageError: There is no root yet, or the root key is not the one that the newest root lists.
            DataError: A file cannot be read or written.
        """
        before = self.newest()
        if before is None:
            raise UsageError(f"{self._state} has no root yet.", remedy="Start the server once: dermport serve.")
        self._finish(before)
        old = read_key(root_key, on_stick=True) if root_key else read_key(self.root_key)
        if raw_key(old.public_key()) not in before.root_keys:
            path = root_key or self.root_key
            raise UsageError(f"{path} is not the root key that root {before.version} lists: phones would refuse it.")
        signing = make_key(self._state / f"{SIGNING_KEY}{_NEXT}")
        root = make_key(self._state / f"{ROOT_KEY}{_NEXT}") if new_root else old
        self._publish(before.version + 1, root, signing, (old, root) if new_root else (old,))
        after = self._told()
        self._finish(after)
        return after

    def _finish(self, root: RootDocument) -> None:
        """Give keys that `root` lists, made by a rotation that may have been stopped, their names; drop others."""
        for name, listed in ((SIGNING_KEY, root.release_keys), (ROOT_KEY, root.root_keys)):
            path = self._state / f"{name}{_NEXT}"
            if path.exists():
                if raw_key(read_key(path).public_key()) in listed:
                    path.replace(self._state / name)
                else:
                    path.unlink()

    def _publish(
        self, version: int, root: Ed25519PrivateKey, signing: Ed25519PrivateKey, by: Sequence[Ed25519PrivateKey]
    ) -> None:
        document = RootDocument(
            version=version,
            expires=utc(utc_now() + LIFETIME),
            root_keys=(raw_key(root.public_key()),),
            release_keys=(raw_key(signing.public_key()),),
        )
        envelope = sign(document.model_dump_json(by_alias=True).encode(), ROOT_TYPE, *by)
        path = self._path(version)
        try:
            private_folder(path.parent)
            write_new(path, envelope.model_dump_json(by_alias=True).encode())  # another may have been quicker
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror}.") from error

    def _told(self) -> RootDocument:
        newest = self.newest()
        assert newest is not None  # one was published just now
        return newest

    def _path(self, version: int) -> Path:
        return self._folder / f"{version}.json"
