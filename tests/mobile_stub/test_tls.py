"""A server behind TLS with a clinic's own authority, as `dermport models` and `compare` meet it."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask
from werkzeug.serving import make_server

from dermport.errors import ServerError, UnreachableError, UsageError
from dermport.mobile_stub.client import JetsonClient
from tests.server.live import DERMPORT

_KEY = ec.generate_private_key(ec.SECP256R1())


def _certificate(name: str, *addresses: str) -> x509.Certificate:
    """Return a certificate that is signed by itself, an authority and a server's at once."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address)) for address in addresses])
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(_KEY.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(names, critical=False)
    return made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        _KEY, hashes.SHA256()
    )


@dataclass(frozen=True)
class Clinic:
    """A server with a certificate that only `authority` vouches for."""

    port: int
    authority: Path
    other: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("tls")
    for name, certificate in (("ca", _certificate("clinic", "127.0.0.1")), ("other", _certificate("other", "::1"))):
        (folder / f"{name}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    key = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(key + (folder / "ca.crt").read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    app = Flask("clinic", static_folder=None)
    app.add_url_rule("/v1/models", view_func=lambda: {"models": []})
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield Clinic(server.server_port, folder / "ca.crt", folder / "other.crt")
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_authority_is_named_by_option_or_variable(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    with JetsonClient(clinic.url, ca=clinic.authority) as client:
        assert client.models().models == ()
    monkeypatch.setenv("SSL_CERT_FILE", str(clinic.authority))
    with JetsonClient(clinic.url) as client:
        assert client.models().models == ()


def test_a_certificate_that_is_not_trusted_is_said_with_the_option(clinic: Clinic) -> None:
    def typed(*options: str) -> subprocess.CompletedProcess[str]:
        command = (*DERMPORT, "models", "list", "--server", clinic.url, *options)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    for said in (typed(), typed("--ca", str(clinic.other))):
        assert said.returncode == 2
        assert "is not trusted: self-signed certificate" in said.stderr
        assert "--ca FILE, or SSL_CERT_FILE" in said.stderr
        assert "dermport serve" not in said.stderr
    assert typed("--ca", str(clinic.authority)).returncode == 0


def test_other_troubles_with_tls_are_told_apart(clinic: Clinic, tmp_path: Path) -> None:
    with (
        JetsonClient(f"https://localhost:{clinic.port}", ca=clinic.authority) as client,
        pytest.raises(ServerError, match=r"not trusted: .*localhost") as refused,
    ):
        client.models()
    assert "Ask by a name" in refused.value.remedy
    assert not isinstance(refused.value, UnreachableError)  # which would be asked again and again
    (tmp_path / "empty.crt").write_text("")
    for path, why in ((tmp_path / "none.crt", "No such file"), (tmp_path / "empty.crt", "holds no certificate")):
        with pytest.raises(UsageError, match=why):
            JetsonClient(clinic.url, ca=path)
