"""``dermport models`` as its users type it, against a server on a real socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result
from werkzeug.serving import make_server

from dermport.bundle.wire import ModelsAnswer
from dermport.cli.models import app
from dermport.errors import DermportError, RequestError, ServerError, UsageError
from dermport.server.api import models as listing
from tests.server.delivery.made import Site, make_release


class Served:
    """A running server with two versions of one model, and the command that asks it."""

    def __init__(self, folder: Path) -> None:
        for version in ("1.0.0", "1.1.0"):
            make_release(folder / "models" / version, version=version)
        self.site = Site(folder)
        self.site.app.register_api(listing.api)
        self.site.app.before_request(self._keep_key)
        self.keys: list[str | None] = []
        self.server = make_server("127.0.0.1", 0, self.site.app, threaded=True)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.port}"

    def run(self, *words: object, **environment: str) -> Result:
        found = {"DERMPORT_SERVER": self.url, "DERMPORT_KEY": "", **environment}
        result = CliRunner().invoke(app, [str(word) for word in words], env=found)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def ask(self, *words: object) -> Any:
        result = self.run(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def _keep_key(self) -> None:
        from flask import request

        self.keys.append(request.headers.get("X-Api-Key"))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A running server."""
    served = Served(tmp_path)
    yield served
    served.server.shutdown()


def test_list_activate_rollback_rescan(served: Served) -> None:
    assert [model.live is not None for model in ModelsAnswer.model_validate(served.ask("list")).models] == [True, False]
    assert served.ask("activate", "ham7", "1.1.0")["version"] == "1.1.0"
    assert served.site.models.current.model.version == "1.1.0"
    assert served.ask("rollback")["version"] == "1.0.0"
    make_release(served.site.folder / "models" / "third", version="1.2.0")
    assert len(served.ask("rescan")["models"]) == 3


def test_for_people(served: Served) -> None:
    assert "1.1.0" in served.run("list").stderr
    assert "ham7 1.1.0 is live on Still 1.0" in served.run("activate", "ham7", "1.1.0").stderr
    served.run("rollout", "ham7", "1.0.0", "--platform", "web", "--percentage", 5, "--pause", "[red]drift")
    assert "paused: [red]drift" in served.run("rollouts").stderr


def test_what_the_server_cannot_store_is_not_activated(served: Served) -> None:
    served.site.database.full = True
    with pytest.raises(RequestError, match="disk is full"):
        served.run("activate", "ham7", "1.1.0")
    assert served.site.models.current.model.version == "1.0.0"


def test_exit_1_where_the_model_cannot_take_over(served: Served) -> None:
    served.site.broken.add("1.1.0")
    result = served.run("activate", "ham7", "1.1.0")
    assert result.exit_code == 1
    assert "was not activated" in result.stderr
    assert served.run("rollback").exit_code == 1


def test_roll_out(served: Served) -> None:
    words = ("rollout", "ham7", "1.1.0", "--platform", "android", "--percentage", 10)
    assert served.ask(*words, "--minimum-app-version", "2.1")["minimum_app_version"] == "2.1"
    assert served.ask(*words, "--pause", "drift")["paused"] is True
    assert served.ask(*words)["paused"] is False
    [found] = served.ask("rollouts")["rollouts"]
    assert (found["candidate"], found["percentage"], found["pause_reason"]) == ("1.1.0", 10, "")


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (("activate", "ham7", "9.9.9"), RequestError, "no such model"),
        (("activate", "../ham7", "1.0.0"), UsageError, "name cannot be"),
        (("rollout", "ham7", "1.1.0", "--platform", "ios", "--percentage", 5), RequestError, "no artifact for ios"),
        (
            ("rollout", "ham7", "1.1.0", "--platform", "web", "--percentage", 5, "--minimum-app-version", "new"),
            UsageError,
            "minimum_app_version cannot be 'new'",
        ),
        (("list", "--server", "jetson"), UsageError, "no server's address"),
        (("list", "--server", "http://127.0.0.1:1"), ServerError, "does not answer"),
    ],
)
def test_exit_2_for_what_cannot_be_meant(
    served: Served, words: tuple[object, ...], kind: type[DermportError], message: str
) -> None:
    with pytest.raises(kind, match=message) as error:
        served.run(*words)
    assert error.value.exit_code == 2


def test_usage_by_typer(served: Served) -> None:
    assert served.run("rollout", "ham7", "1.1.0", "--platform", "web", "--percentage", 101).exit_code == 2
    assert served.run("fetch", "phone", "--platform", "ios").exit_code == 2


def test_key_from_option_or_variable(served: Served) -> None:
    served.run("list", "--key", "dp_1")
    served.run("list", DERMPORT_KEY="dp_2\n")
    served.run("list")
    assert served.keys == ["dp_1", "dp_2", None]


def test_fetch_asks_for_trust(served: Served, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="trusts no server's key yet"):
        served.run("fetch", tmp_path / "phone")
    with pytest.raises(UsageError, match="no PEM file"):
        served.run("fetch", tmp_path / "phone", "--public-key", tmp_path / "missing.pem")


def test_exit_1_where_the_fetched_model_is_none(served: Served, tmp_path: Path) -> None:
    pem = tmp_path / "server.pem"
    pem.write_text(served.site.signer.public.pem)
    result = served.run("fetch", tmp_path / "phone", "--public-key", pem)
    assert result.exit_code == 1  # its weights are no TFLite file
    assert "The model that was there is untouched" in result.stderr


def test_undo_without_an_earlier_model(served: Served, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no earlier model"):
        served.run("undo", tmp_path / "phone")
