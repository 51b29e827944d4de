"""The signing key: made once, for nobody else's eyes."""

from __future__ import annotations

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dermport.bundle.signature import key_id, read_public_key, verify
from dermport.errors import DataError
from dermport.server.delivery.roots import SIGNING_KEY as FILE
from dermport.server.delivery.signer import Signer


def test_key_is_made_for_its_owner_alone_and_found_again(tmp_path: Path) -> None:
    first, again = Signer(tmp_path / "state"), Signer(tmp_path / "state")
    assert first.public == again.public
    files = sorted(path for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert [str(path.relative_to(tmp_path)) for path in files] == [
        "state/root.key",
        "state/roots/1.json",
        f"state/{FILE}",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_public_key_verifies_what_was_signed(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    key = read_public_key(signer.public.pem.encode())
    assert verify(signer.sign(b"x", "text/plain"), "text/plain", [key]) == b"x"
    assert (key_id(key), key.public_bytes_raw()) == (signer.public.key_id, base64.b64decode(signer.public.raw))


def test_servers_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        signers = list(threads.map(Signer, [tmp_path] * 8))
    assert len({(signer.public.key_id, signer.roots.envelope(1)) for signer in signers}) == 1


def test_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    Signer(tmp_path)
    (tmp_path / FILE).chmod(0o640)
    with pytest.raises(DataError, match="Others may read") as error:
        Signer(tmp_path)
    assert "chmod 600" in error.value.remedy


def test_damaged_key_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / FILE).touch(0o600)
    with pytest.raises(DataError, match="no key in PEM form"):
        Signer(tmp_path)
    assert (tmp_path / FILE).read_bytes() == b""
