"""What a phone believes of a server: the key that it was paired with, the newest root, the highest sequence it saw.

Roots follow one another as in TUF (https://theupdateframework.github.io/specification/latest/, "Update the root role"):
version n + 1 is signed by a root key of version n and by one of its own. Every function returns what is believed next,
and keeps nothing; docs/integration/golden/trust.json holds what each client must answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError

from dermport.bundle.signature import Envelope, key_of, read_envelope, verify
from dermport.bundle.wire import RELEASE_TYPE, ROOT_TYPE, Message, RawKey, ReleaseManifest, RootDocument
from dermport.contract import Contract
from dermport.errors import TrustError

_Document = TypeVar("_Document", bound=Message)
_KEPT = "The model on this phone is kept and goes on."


class Trust(Contract):
    """What one phone believes of one server."""

    schema_version: Annotated[Literal["dermport-trust/1"], Field(alias="schema")] = "dermport-trust/1"
    pin: Annotated[RawKey, Field(description="the root key or the release key that the phone was paired with")]
    root: Annotated[RootDocument | None, Field(description="the newest that was proved; null: the pin signs")] = None
    past: Annotated[tuple[RawKey, ...], Field(description="release keys of earlier roots")] = ()
    sequence: Annotated[int, Field(ge=0, description="the highest that was seen; 0: none")] = 0

    @property
    def release_keys(self) -> tuple[str, ...]:
        """The keys that may sign what is installed next."""
        return self.root.release_keys if self.root else (self.pin,)

    def walked(self, roots: Iterable[Envelope]) -> Trust:
        """Return what is believed after every root that there is now.

        Args:
            roots: Those after the one that is known, in order.

        Raises:
            TrustError: As :meth:`followed`. Where no root is known yet, those before the first that the pin signed are
                passed over; there may be none, of a server before there were roots.
        """
        trust = self
        for root in roots:
            try:
                trust = trust.followed(root)
            except TrustError:
                if trust.root:
                    raise
        return trust

    def followed(self, envelope: Envelope) -> Trust:
        """Return what is believed once the next root is found to be signed as it must.

        Where no root is known, the pin must have signed it: the first one, or one that lists the pin as a root key.

        Raises:
            TrustError: "untrusted", "replayed": it is not the next version; "unknown-form".
        """
        by = self.root.root_keys if self.root else (self.pin,)
        root = _read(verify(envelope, ROOT_TYPE, map(key_of, by)), RootDocument)
        verify(envelope, ROOT_TYPE, map(key_of, root.root_keys))
        if not self._is_next(root):
            raise TrustError(
                f"Root {root.version} does not follow root {self.root.version if self.root else 0}.",
                code="replayed",
                remedy=_KEPT,
            )
        stays = not {*self.release_keys}.isdisjoint(root.release_keys)
        past = tuple(dict.fromkeys((*self.past, *self.release_keys)))
        # Who had stolen the key that is gone may have signed any sequence with it: counting begins anew.
        return self.model_copy(update={"root": root, "past": past, "sequence": self.sequence if stays else 0})

    def _is_next(self, root: RootDocument) -> bool:
        if self.root:
            return root.version == self.root.version + 1
        return root.version == 1 or self.pin in root.root_keys

    def admitted(self, envelope: bytes, now: str) -> tuple[ReleaseManifest, Trust]:
        """Return a manifest that may be installed at `now` (as :func:`utc` writes it), and what is believed then.

        Raises:
            TrustError: "untrusted", "replayed", "expired", "unknown-form".
        """
        if self.root:
            _refuse_expired(f"What the server's root key signed (root {self.root.version})", self.root.expires, now)
        manifest = _read(verify(read_envelope(envelope), RELEASE_TYPE, map(key_of, self.release_keys)), ReleaseManifest)
        which = f"The manifest of {manifest.name} {manifest.version}"
        if manifest.sequence is None or manifest.expires is None:
            if self.root or self.sequence:
                raise _replayed(f"{which} has no sequence number, and earlier ones had.")
            return manifest, self
        if manifest.sequence < self.sequence:
            raise _replayed(f"{which} is an old one: number {manifest.sequence}, {self.sequence} was seen.")
        _refuse_expired(which, manifest.expires, now)
        return manifest, self.model_copy(update={"sequence": manifest.sequence})

    def installed(self, envelope: bytes) -> ReleaseManifest:
        """Return the manifest of what was installed: one that was admitted once stays good.

        Raises:
            TrustError: "untrusted", "unknown-form".
        """
        keys = (*self.past, *self.release_keys)
        return _read(verify(read_envelope(envelope), RELEASE_TYPE, map(key_of, keys)), ReleaseManifest)


def utc(time: datetime | None = None) -> str:
    """Return an aware time (None: now) as signed documents write it, so that text compares as time does."""
    return (time or datetime.now(timezone.utc)).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(payload: bytes, kind: type[_Document]) -> _Document:
    try:
        return kind.model_validate_json(payload)
    except ValidationError as error:
        raise TrustError(
            "The signed document is of a form that this version does not know.",
            code="unknown-form",
            remedy="Update dermport.",
        ) from error


def _refuse_expired(what: str, expires: str, now: str) -> None:
    if expires <= now:
        raise TrustError(
            f"{what} ended on {expires[:10]}, and this phone's clock says {now[:10]}: it was not renewed, or the clock "
            "of the phone or of the server is wrong.",
            code="expired",
            remedy=f"Set the clock that is wrong, or reach the server to renew it. {_KEPT}",
        )


def _replayed(message: str) -> TrustError:
    remedy = f"Somebody on the way may have kept it, or the server was set back: ask whoever runs it. {_KEPT}"
    return TrustError(message, code="replayed", remedy=remedy)
