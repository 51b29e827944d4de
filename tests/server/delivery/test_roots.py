"""Roots and offers: who may sign, and in which order; through the HTTP interface, as phones see them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from dermport.bundle.trust import Trust
from dermport.bundle.wire import ReleaseManifest, RootsAnswer
from dermport.errors import DataError, TrustError, UsageError
from dermport.server.delivery import service
from dermport.server.delivery.roots import ROOT_KEY, SIGNING_KEY, Roots
from dermport.server.delivery.signer import Signer
from dermport.server.storage.database import Database
from dermport.server.storage.offers import LIFETIME, Offers
from dermport.server.storage.rollouts import Rollout
from tests.server.delivery.made import Site, add_artifact

NOW = datetime(2026, 12, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    def at(time: datetime) -> None:
        monkeypatch.setattr(service, "utc_now", lambda: time)

    at(NOW)
    return at


def _trust(site: Site, pin: str | None = None) -> Trust:
    answer = RootsAnswer.model_validate(site.client.get("/v1/roots").json)
    return Trust(pin=pin or site.client.get("/v1/signing-key").json["root"]["raw"]).walked(answer.roots)


def _manifest(site: Site, version: str = "1.0.0", trust: Trust | None = None) -> ReleaseManifest:
    envelope = site.client.get(f"/v1/models/ham7/{version}/manifest").data
    return (trust or _trust(site)).admitted(envelope, "2000-01-01T00:00:00Z")[0]


def _sequence(site: Site, version: str = "1.0.0") -> int:
    return _manifest(site, version).sequence or 0


def test_what_is_offered_has_a_number_and_an_end(site: Site, clock: Callable[[datetime], None]) -> None:
    manifest = _manifest(site)
    assert (manifest.sequence, manifest.expires) == (int(NOW.timestamp()), "2026-12-31T12:00:00Z")
    clock(NOW + timedelta(days=14))
    assert _manifest(site) == manifest
    clock(NOW + timedelta(days=16))
    assert _manifest(site).expires == "2027-01-16T12:00:00Z"
    assert _sequence(site) > (manifest.sequence or 0)


def test_what_is_not_offered_is_not_signed(site: Site) -> None:
    answer = site.client.get("/v1/models/ham7/1.1.0/manifest")
    assert (answer.status_code, answer.json["code"]) == (409, "not-offered")
    site.rollouts.set(Rollout("ham7", "ios", "1.1.0", 100))  # which it has no artifact for
    assert site.client.get("/v1/models/ham7/1.1.0/manifest").status_code == 409


CHANGES: dict[str, Callable[[Site], Any]] = {
    "roll-out": lambda site: site.rollouts.set(Rollout("ham7", "android", "1.1.0", 50)),
    "share": lambda site: site.rollouts.set(Rollout("ham7", "android", "1.1.0", 20)),
    "pause": lambda site: site.rollouts.pause("ham7", "1.1.0", "it drifts"),
    "export": lambda site: add_artifact(site.models.bundle("ham7", "1.0.0"), precision="int8", content=b"small"),
    "activation": lambda site: site.switch.activate("ham7", "1.1.0", "test"),
    "the way back": lambda site: site.switch.rollback("test"),
    "new key": lambda site: Roots(site.folder / "state").rotate(),
}


def test_every_change_of_the_offer_has_a_higher_number(site: Site, clock: Callable[[datetime], None]) -> None:
    before, renamed = _sequence(site), "1.0.0"
    for name, change in CHANGES.items():
        change(site)
        renamed = "1.1.0" if name == "activation" else "1.0.0"
        assert _sequence(site, renamed) == before + 1, name
        site.start()
        before = _sequence(site, renamed)
    assert before == int(NOW.timestamp()) + len(CHANGES)


def test_everything_offered_at_one_time_has_one_number(site: Site) -> None:
    site.rollouts.set(Rollout("ham7", "android", "1.1.0", 50))
    assert _sequence(site) == _sequence(site, "1.1.0")


def test_number_rises_over_restored_databases_wrong_clocks_and_many_processes(tmp_path: Path) -> None:
    url, year = f"sqlite:///{tmp_path / 'a.db'}", timedelta(days=365)
    database = Database(url)
    database.migrate()
    database.close()
    shutil.copy(tmp_path / "a.db", tmp_path / "old.db")
    offers = Offers(Database(url))
    far = offers.numbered("a", NOW + year)
    back = offers.numbered("a", NOW)  # the clock is right again: what ends in its future is not handed out
    assert (back.sequence, back.expires) == (far.sequence + 1, NOW + LIFETIME)
    assert offers.numbered("b", datetime(1970, 1, 2, tzinfo=timezone.utc)).sequence == far.sequence + 2
    restored = Offers(Database(f"sqlite:///{tmp_path / 'old.db'}"))
    assert restored.numbered("b", NOW + 2 * year).sequence > far.sequence + 2
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda one: Offers(Database(url)).numbered(one, NOW), ["c"] * 8))
    assert len(found) == 1


def test_full_disk_hands_out_what_is_good(site: Site, clock: Callable[[datetime], None]) -> None:
    before = _manifest(site)
    site.database.full = True
    clock(NOW + timedelta(days=20))
    assert _manifest(site) == before
    clock(NOW + timedelta(days=31))
    assert site.client.get("/v1/models/ham7/1.0.0/manifest").status_code == 507


# Keys


def test_phone_of_any_age_follows_new_keys(site: Site) -> None:
    answer = site.client.get("/v1/signing-key").json
    before, old = _trust(site), site.client.get("/v1/models/ham7/1.0.0/manifest").data
    state = site.folder / "state"
    shutil.move(state / ROOT_KEY, site.folder / "stick.key")
    Roots(state).rotate(site.folder / "stick.key")
    Roots(state).rotate(site.folder / "stick.key", new_root=True)
    for pin in (answer["raw"], answer["root"]["raw"], None):  # an app of last year, one of today, a new one
        trust = _trust(site, pin)
        assert trust.root is not None
        assert trust.root.version == 3
        _manifest(site, trust=trust)
        with pytest.raises(TrustError, match="not by a trusted key"):
            trust.admitted(old, "2000-01-01T00:00:00Z")
    with pytest.raises(TrustError, match="not by a trusted key"):
        _manifest(site, trust=before)
    assert (state / ROOT_KEY).exists()  # the new one, for the stick
    assert not list(state.glob("*.next"))


def test_root_key_of_somebody_else_signs_nothing(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "other"
    Signer(other)
    with pytest.raises(UsageError, match="not the root key that root 1 lists"):
        Roots(site.folder / "state").rotate(other / ROOT_KEY)
    with pytest.raises(UsageError, match="no root yet"):
        Roots(tmp_path / "empty").rotate()
    assert site.client.get("/v1/roots?after=1").json == {"roots": []}


@pytest.mark.parametrize("made", [True, False], ids=["lost", "another"])
def test_signing_key_never_changes_silently(site: Site, tmp_path: Path, made: bool) -> None:
    path = site.folder / "state" / SIGNING_KEY
    path.unlink()
    if made:
        Signer(tmp_path / "other")
        shutil.copy(tmp_path / "other" / SIGNING_KEY, path)
    with pytest.raises(DataError, match="missing, or not the key") as error:
        Signer(site.folder / "state")
    assert "dermport signing rotate" in error.value.remedy
    Roots(site.folder / "state").rotate()
    assert Signer(site.folder / "state").public.key_id


@pytest.mark.parametrize("step", ["_publish", "_finish"])
def test_rotation_that_was_stopped_leaves_a_server_that_signs(
    site: Site, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots, calls = Roots(site.folder / "state"), []
    whole = getattr(Roots, step)

    def stopped(self: Roots, *given: Any) -> None:
        calls.append(step)
        if step == "_publish" or len(calls) == 2:
            raise KeyboardInterrupt
        whole(self, *given)

    monkeypatch.setattr(Roots, step, stopped)
    with pytest.raises(KeyboardInterrupt):
        roots.rotate(new_root=True)
    monkeypatch.undo()
    _manifest(site)
    site.signer = Signer(site.folder / "state")
    _manifest(site)
    Roots(site.folder / "state").rotate()
    _manifest(site)


def test_damaged_root_is_told(site: Site) -> None:
    path = site.folder / "state" / "roots" / "1.json"
    path.write_text("{}")
    with pytest.raises(DataError, match=r"1\.json is no root"):
        Signer(site.folder / "state")


@pytest.mark.parametrize(("query", "status"), [("after=-1", 422), ("after=x", 422), ("after=9007199254740991", 200)])
def test_roots_are_asked_for_by_number(site: Site, query: str, status: int) -> None:
    assert site.client.get(f"/v1/roots?{query}").status_code == status
