"""Other decoders than the published photos' are found out: by doctor, by verify, and (tests/server) by the server."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
import simplejpeg

from dermport.bundle import prep
from dermport.bundle.store import Bundle
from dermport.bundle.vectors import proof
from dermport.cli.doctor import examine
from dermport.errors import UnavailableError
from dermport.workflows.verify import verify


@pytest.fixture(params=["fastupsample", "strict"])
def other_decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A libjpeg that doubles chroma otherwise, or that is silent about damage; returns a photo that tells it."""
    other = partial(simplejpeg.decode_jpeg, **{request.param: request.param != "strict"})
    monkeypatch.setattr(prep.simplejpeg, "decode_jpeg", other)
    proof.failing_photos.cache_clear()
    yield {"fastupsample": "subsampling-420.jpg", "strict": "refused/cut-and-closed.jpg"}[request.param]
    proof.failing_photos.cache_clear()


def test_what_is_installed_reads_the_published_photos() -> None:
    assert proof.failing_photos() == ()
    assert next(check for check in examine() if check.name == "photos").ok


def test_another_decoder_is_found_out(other_decoder: str, shared_bundle: Bundle) -> None:
    assert other_decoder in proof.failing_photos()
    check = next(check for check in examine() if check.name == "photos")
    assert (check.ok, other_decoder in check.found) == (False, True)
    with pytest.raises(UnavailableError, match=other_decoder):
        verify(shared_bundle)
