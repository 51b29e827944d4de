"""``dermport models``: which model a running server serves, who gets which, and a phone's copy of it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli import output
from dermport.cli.options import ApiKey, Authority, Json
from dermport.cli.output import console, emit_json, new_table, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from dermport.bundle.wire import ActivationAnswer, ModelsAnswer, RolloutState
    from dermport.mobile_stub.model_folder import InstalledModel
    from dermport.mobile_stub.release_client import ReleaseClient
    from dermport.mobile_stub.update import UpdateOutcome

app = typer.Typer(name="models", help="Ask a running server for its models, and change them.", no_args_is_help=True)

Server = Annotated[
    str,
    typer.Option("--server", envvar="DERMPORT_SERVER", help="The server, e.g. http://jetson:8080."),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The model's name, e.g. ham7.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="Its version, e.g. 1.1.0.")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The phone's models and the key that it trusts.")]


class PlatformName(str, Enum):
    """What phones run, as an option."""

    IOS = "ios"
    ANDROID = "android"
    WEB = "web"


class TestedPlatform(str, Enum):
    """The platforms whose models this machine can test."""

    ANDROID = "android"
    WEB = "web"


@app.command("list")
def list_models(server: Server, key: ApiKey = None, ca: Authority = None, json: Json = False) -> None:
    """List the server's models, and which of them is live."""
    from dermport.bundle.wire import ModelsAnswer

    with _client(server, key, ca) as client:
        answer = client.ask("GET", "/v1/models", ModelsAnswer)
    if json:
        _emit(answer)
    else:
        _print_models(answer)


@app.command()
def activate(
    name: Name, version: Version, server: Server, key: ApiKey = None, ca: Authority = None, json: Json = False
) -> None:
    """Make a model live: it is loaded and proved first, and no request fails.

    Exit 1 if it cannot take over; the one before then goes on.
    """
    from dermport.bundle.wire import ActivationAnswer, ModelKey

    wanted = _asked_for(ModelKey, name=name, version=version)
    with _client(server, key, ca) as client:
        answer = client.ask("POST", "/v1/admin/models/activate", ActivationAnswer, body=wanted)
    _tell_live(answer, json)


@app.command()
def rollback(server: Server, key: ApiKey = None, ca: Authority = None, json: Json = False) -> None:
    """Make the model live that was live before this one.

    Exit 1 if there was none, or it cannot take over.
    """
    from dermport.bundle.wire import ActivationAnswer

    with _client(server, key, ca) as client:
        answer = client.ask("POST", "/v1/admin/models/rollback", ActivationAnswer)
    _tell_live(answer, json)


@app.command()
def rescan(server: Server, key: ApiKey = None, ca: Authority = None, json: Json = False) -> None:
    """Have the server look into its model folders again; the live model stays."""
    from dermport.bundle.wire import KnownModels

    with _client(server, key, ca) as client:
        answer = client.ask("POST", "/v1/admin/models/rescan", KnownModels)
    for model in answer.models:
        say(f"{model.name} {model.version}")
    if json:
        _emit(answer)


@app.command()
def rollouts(server: Server, key: ApiKey = None, ca: Authority = None, json: Json = False) -> None:
    """List the roll-outs: which share of the phones gets a model that is not live yet."""
    from dermport.bundle.wire import RolloutsAnswer

    with _client(server, key, ca) as client:
        answer = client.ask("GET", "/v1/admin/rollouts", RolloutsAnswer)
    if json:
        _emit(answer)
    else:
        _print_rollouts(answer.rollouts)


@app.command()
def rollout(
    name: Name,
    version: Version,
    platform: Annotated[PlatformName, typer.Option("--platform", help="Whose phones.")],
    percentage: Annotated[int, typer.Option("--percentage", min=0, max=100, help="Share of the devices that get it.")],
    server: Server,
    minimum_app_version: Annotated[
        str | None, typer.Option("--minimum-app-version", help="Older apps do not get it, e.g. 2.1.")
    ] = None,
    pause: Annotated[
        str | None, typer.Option("--pause", metavar="REASON", help="Give it to nobody for now, and say why.")
    ] = None,
    key: ApiKey = None,
    ca: Authority = None,
    json: Json = False,
) -> None:
    """Hand a version to a share of the phones of a platform, instead of the model's earlier roll-out there.

    A growing percentage reaches further devices and keeps those that have it. The same command without --pause goes on.
    """
    from dermport.bundle.wire import RolloutState, RolloutWish

    wish = _asked_for(
        RolloutWish,
        model=name,
        platform=platform.value,
        candidate=version,
        percentage=percentage,
        minimum_app_version=minimum_app_version,
        paused=pause is not None,
        pause_reason=pause or "",
    )
    with _client(server, key, ca) as client:
        answer = client.ask("PUT", "/v1/admin/rollouts", RolloutState, body=wish)
    if json:
        _emit(answer)
    else:
        _print_rollouts((answer,))


@app.command()
def fetch(
    folder: Folder,
    server: Server,
    platform: Annotated[TestedPlatform, typer.Option("--platform", help="As what it asks.")] = TestedPlatform.ANDROID,
    precision: Annotated[
        str | None, typer.Option("--precision", help="Precision of the artifact. Default: fp16, or the first there is.")
    ] = None,
    app_version: Annotated[str | None, typer.Option("--app-version", help="Of the phone's app, e.g. 2.1.")] = None,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="PEM file of the server's root key, to trust from now on.")
    ] = None,
    trust_first_use: Annotated[
        bool, typer.Option("--trust-first-use", help="Trust the key that the server shows, if none is trusted yet.")
    ] = False,
    key: ApiKey = None,
    ca: Authority = None,
    json: Json = False,
) -> None:
    """Do what a phone does: fetch the model that the server wants it to have, check it, test it, and use it.

    Whatever fails, the model that was there stays. Exit 1 if a signature, a file or the model's answers are wrong.
    """
    from dermport.mobile_stub.model_folder import ModelFolder
    from dermport.mobile_stub.update import PhoneProfile, Updater

    models = ModelFolder(folder)
    if public_key:
        say(f"Trusted from now on: key {models.pin(_read(public_key))}.")
    with _client(server, key, ca) as client:
        phone = PhoneProfile(platform.value, precision, app_version)
        updater = Updater(client, models, phone, progress=output)
        if trust_first_use and not models.is_pinned:
            say(f"Trusted from now on, as the server shows it: key {updater.trust_first_use()}.")
        done = updater.update()
    _tell_update(done, json)


@app.command()
def undo(folder: Folder, json: Json = False) -> None:
    """Have the phone use the model before the present one again; a second call leads back.

    Exit 1 if that one is damaged; the present one then stays.
    """
    from dermport.mobile_stub.model_folder import ModelFolder

    with _failed_checks():
        model = ModelFolder(folder).rollback()
    say(f"{model.key} is in use.")
    if json:
        emit_json(_model_document(model))


@contextmanager
def _client(server: str, key: str | None, ca: Path | None) -> Iterator[ReleaseClient]:
    from dermport.mobile_stub.release_client import ReleaseClient

    with _failed_checks(), ReleaseClient(server, api_key=(key or "").strip() or None, ca=ca) as client:
        yield client


@contextmanager
def _failed_checks() -> Iterator[None]:
    """End with 1 where all was well understood, and a check failed."""
    from dermport.errors import IntegrityError, RequestError

    try:
        yield
    except (IntegrityError, RequestError) as error:
        if isinstance(error, RequestError) and error.status != 409:
            raise
        sys.stderr.write(f"dermport: {error}\n")
        raise typer.Exit(1) from error


def _asked_for(kind: type[BaseModel], **fields: object) -> BaseModel:
    from pydantic import ValidationError

    from dermport.errors import UsageError

    try:
        return kind(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{'.'.join(map(str, first['loc']))} cannot be {first['input']!r}: {first['msg']}.") from error


def _read(path: Path) -> str:
    from dermport.errors import UsageError

    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no PEM file that can be read.") from error


def _emit(answer: BaseModel) -> None:
    emit_json(answer.model_dump(mode="json", by_alias=True))


def _say_plain(text: str) -> None:
    from rich.markup import escape

    say(escape(text))


def _tell_live(answer: ActivationAnswer, json: bool) -> None:
    _say_plain(f"{answer.name} {answer.version} is live on {answer.runtime}.")
    if not answer.remembered:
        say("[yellow]The server could not store that: started again, it goes on with the one before.[/yellow]")
    if json:
        _emit(answer)


def _print_models(answer: ModelsAnswer) -> None:
    table = new_table("model", "version", "live on", "exports")
    for model in answer.models:
        exports = ", ".join(f"{export.target} {export.precision}" for export in model.exports)
        table.add_row(model.name, model.version, model.runtime.name if model.runtime else "", exports)
    console().print(table)


def _print_rollouts(found: tuple[RolloutState, ...]) -> None:
    from rich.markup import escape

    table = new_table("model", "platform", "version", "share", "app from", "state")
    for one in found:
        state = escape(f"paused: {one.pause_reason}") if one.paused else "goes on"
        table.add_row(
            one.model, one.platform, one.candidate, f"{one.percentage} %", one.minimum_app_version or "", state
        )
    console().print(table)


def _tell_update(done: UpdateOutcome, json: bool) -> None:
    said = "is in use now" if done.changed else "was in use already"
    _say_plain(f"{done.model.key} {done.model.artifact.precision} {said}. {done.latest.why}")
    if done.figures:
        say(f"It answers {done.figures.photos} golden photos to within {done.figures.max_change:.2g} of the original.")
    if json:
        document = {**_model_document(done.model), "changed": done.changed, "reason": done.latest.reason}
        emit_json({**document, "max_change": done.figures.max_change if done.figures else None})


def _model_document(model: InstalledModel) -> dict[str, object]:
    return {
        "name": model.manifest.name,
        "version": model.manifest.version,
        "precision": model.artifact.precision,
        "path": str(model.folder / model.artifact.path),
        "sha256": model.artifact.sha256,
        "notice": model.manifest.notice,
    }
