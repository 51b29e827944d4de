"""Private keys in files: PEM, for their owner's eyes alone, never written over."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.bundle.signature import not_installed
from dermport.errors import DataError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_OTHERS = 0o077
_RESTORE = "Restore it from a backup."


def make_key(path: Path) -> Ed25519PrivateKey:
    """Return the key in `path`, made (mode 0600) where there is none; raises as :func:`read_key`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            write_new(path, _new_key())
    except OSError as error:
        raise DataError(f"The key {path} cannot be written: {error.strerror}.") from error
    return read_key(path)


def write_new(path: Path, data: bytes) -> bool:
    """Write a file of mode 0600 that was not there, whole and on the disk; whether nobody else was quicker.

    It belongs to the owner of its folder, so that a command run by root leaves a server's key to the server.

    Raises:
        OSError: It cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if os.name == "posix" and os.geteuid() == 0:
            owner = path.parent.stat()
            os.chown(part, owner.st_uid, owner.st_gid)
        path.hardlink_to(part)  # fails where the file is there; a rename would throw away a key that signs
    except FileExistsError:
        return False
    finally:
        part.unlink()
    return True


def read_key(path: Path, *, on_stick: bool = False) -> Ed25519PrivateKey:
    """Read a private key.

    Args:
        path: Its file.
        on_stick: Whether it lies where files may have no owners.

    Raises:
        DataError: The file is no Ed25519 key, cannot be read, or others may read it.
        UnavailableError: The package cryptography is not installed.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise not_installed(error) from error
    try:
        if os.name == "posix" and not on_stick and path.stat().st_mode & _OTHERS:
            raise DataError(f"Others may read the key {path}.", remedy=f"chmod 600 {path}")
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise DataError(f"The key {path} cannot be read: {error.strerror}.", remedy=_RESTORE) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise DataError(f"{path} is no key in PEM form without a password.", remedy=_RESTORE) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise DataError(f"{path} is not an Ed25519 key.", remedy=_RESTORE)
    return key


def _new_key() -> bytes:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    except ImportError as error:
        raise not_installed(error) from error
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
