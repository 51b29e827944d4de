"""API keys as they are sent: ``dp_<id>_<secret>``."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field

from dermport.bundle.hashing import sha256_bytes

_ID_BYTES = 6
_SECRET_BYTES = 32
_FORM = re.compile(rf"dp_([0-9a-f]{{{2 * _ID_BYTES}}})_([0-9a-f]{{{2 * _SECRET_BYTES}}})")


@dataclass(frozen=True)
class Token:
    """A key in its owner's hands.

    Attributes:
        id: Its public part, which names it in lists and logs.
        secret: 256 random bits in hexadecimal digits, which a double click selects as one word.
    """

    id: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return f"dp_{self.id}_{self.secret}"

    @property
    def secret_sha256(self) -> str:
        """What is stored of the secret.

        A slow, salted hash protects passwords, which can be guessed. 256 random bits cannot, so that one SHA-256 is as
        strong, and does not cost every request, or whoever floods the server with false keys, a tenth of a second.
        """
        return sha256_bytes(self.secret.encode())


def new_token() -> Token:
    """Return a new key from the system's source of randomness."""
    return Token(secrets.token_hex(_ID_BYTES), secrets.token_hex(_SECRET_BYTES))


def parse_token(text: str) -> Token | None:
    """Return the key that `text` is; None where it has another form."""
    match = _FORM.fullmatch(text)
    return Token(match[1], match[2]) if match else None
