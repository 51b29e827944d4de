"""TLS of the phone's client: whose certificates it trusts, and why it does not trust one."""

from __future__ import annotations

import ssl
from pathlib import Path

from dermport.errors import Parameters, ServerError, UsageError

_OTHER_NAME = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


def trust(ca: Path | None) -> ssl.SSLContext | bool:
    """Return what httpx takes as `verify`: the authorities of `ca` alone; for None, SSL_CERT_FILE's or the system's.

    Args:
        ca: A PEM file with certificates of authorities, such as a clinic's own.

    Raises:
        UsageError: The file cannot be read, or holds none.
    """
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca))
    except OSError as error:  # ssl.SSLError is one
        why = "holds no certificate" if isinstance(error, ssl.SSLError) else f"cannot be read: {error.strerror}"
        raise UsageError(
            f"{ca} {why}.", remedy="{ca} takes the authority's certificate as PEM, e.g. ca.crt.", of=Parameters
        ) from error


def tls_failure(url: str, error: BaseException) -> ServerError | None:
    """Return what went wrong with TLS, where that is why a request failed."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, ssl.SSLError):
        found = found.__cause__ or found.__context__
    if found is None:
        return None
    if not isinstance(found, ssl.SSLCertVerificationError):
        return ServerError(
            f"{url} does not speak TLS as it should: {found.reason or found}.",
            remedy="Is it an http:// address? Is a proxy in between?",
        )
    remedy = "Name the certificate of the authority that signed it: {ca} FILE, or SSL_CERT_FILE."
    if found.verify_code in _OTHER_NAME:
        remedy = "Ask by a name or address that its certificate has; {ca} does not help here."
    return ServerError(
        f"{url} shows a certificate that is not trusted: {found.verify_message.rstrip('.')}.",
        remedy=remedy,
        of=Parameters,
    )
