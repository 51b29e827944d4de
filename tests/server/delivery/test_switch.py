"""Activation and rollback that outlive the server."""

from __future__ import annotations

from typing import Any

from dermport.server.storage.rollouts import Rollout
from tests.server.delivery.made import Site, make_release


def _post(site: Site, what: str, **body: str) -> Any:
    answer = site.client.post(f"/v1/admin/models/{what}", json=body or None)
    return {"status": answer.status_code, **answer.json}


def _live(site: Site) -> str:
    return site.models.current.model.version


def test_activated_model_is_live_and_stays_so_after_a_restart(site: Site) -> None:
    answer = _post(site, "activate", name="ham7", version="1.1.0")
    assert answer == {"status": 200, "name": "ham7", "version": "1.1.0", "runtime": "Still 1.0", "remembered": True}
    assert _live(site) == "1.1.0"
    site.start()
    assert _live(site) == "1.1.0"


def test_rollback_leads_back_also_after_a_restart_and_forth_again(site: Site) -> None:
    _post(site, "activate", name="ham7", version="1.1.0")
    site.start()
    assert _post(site, "rollback")["version"] == "1.0.0"
    site.start()
    assert _live(site) == "1.0.0"
    assert _post(site, "rollback")["version"] == "1.1.0"
    assert [entry.who for entry in [site.activations.last()] if entry] == ["nobody"]


def test_history_says_where_a_rollback_leads(site: Site) -> None:
    assert site.client.get("/v1/admin/models/activations").json == {"activations": [], "rollback": None}
    _post(site, "activate", name="ham7", version="1.1.0")
    site.start()
    told = site.client.get("/v1/admin/models/activations").json
    assert [(entry["version"], entry["who"]) for entry in told["activations"]] == [
        ("1.1.0", "nobody"),
        ("1.0.0", "start"),
    ]
    assert told["activations"][0]["activated"].endswith("+00:00")
    assert told["rollback"] == {"name": "ham7", "version": "1.0.0"}
    assert _post(site, "rollback")["version"] == told["rollback"]["version"]


def test_rollback_without_a_history(site: Site) -> None:
    answer = _post(site, "rollback")
    assert (answer["status"], answer["code"]) == (409, "no-earlier-model")
    assert site.activations.last() is None


def test_model_that_fails_its_proof_changes_nothing(site: Site) -> None:
    site.broken.add("1.1.0")
    answer = _post(site, "activate", name="ham7", version="1.1.0")
    assert (answer["status"], answer["code"]) == (409, "not-activated")
    assert _live(site) == "1.0.0"
    assert site.activations.last() is None


def test_unknown_model(site: Site) -> None:
    assert _post(site, "activate", name="ham7", version="9.9.9")["code"] == "no-such-model"
    assert _post(site, "activate", name="../x", version="1")["status"] == 422


def test_what_cannot_be_stored_is_not_made_live(site: Site) -> None:
    make_release(site.folder / "models" / "third", version="1.2.0")
    site.models.rescan()
    _post(site, "activate", name="ham7", version="1.1.0")
    site.database.full = True
    refused = _post(site, "activate", name="ham7", version="1.2.0")
    assert (refused["status"], refused["code"]) == (507, "storage-unavailable")
    assert _live(site) == "1.1.0"  # as in every other process, which could not have been told
    site.database.full = False
    assert _post(site, "activate", name="ham7", version="1.2.0")["remembered"] is True
    assert _post(site, "rollback")["version"] == "1.1.0"


def test_roll_outs_of_what_is_live_now_end(site: Site) -> None:
    site.rollouts.set(Rollout("ham7", "android", "1.1.0", 50))
    other = site.rollouts.set(Rollout("ham7", "web", "1.2.0", 50))
    _post(site, "activate", name="ham7", version="1.1.0")
    assert site.rollouts.all() == (other,)
