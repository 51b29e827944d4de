"""The services, made and joined: what one room says that another has to know."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

from dermport.bundle.wire import AgreementGroup
from dermport.errors import DermportError
from dermport.server.comparing.artifacts import ArtifactRunner
from dermport.server.comparing.comparisons import ComparisonService, Keeping
from dermport.server.comparing.drift import DriftWatch
from dermport.server.comparing.photos import KeptPhotos
from dermport.server.config import ServerConfig, StorageConfig
from dermport.server.delivery.kept_signer import KeptSigner
from dermport.server.delivery.service import ModelDelivery
from dermport.server.delivery.switch import ModelSwitch
from dermport.server.housekeeping import Housekeeping
from dermport.server.operations.gauges import Agreement
from dermport.server.operations.metrics import ServerMetrics, share_counts
from dermport.server.security.access import Access
from dermport.server.security.limits import Limits
from dermport.server.services import Services
from dermport.server.serving.live import LiveModel
from dermport.server.serving.models import Key, Models
from dermport.server.serving.runtimes import ServingCandidate
from dermport.server.sharing.board import Board
from dermport.server.sharing.region import OnlyOne
from dermport.server.sharing.run_folder import run_folder
from dermport.server.storage.activations import Activations
from dermport.server.storage.base import utc_now
from dermport.server.storage.clock import Clock, ClockWatch
from dermport.server.storage.comparisons import ComparisonStore, Filters
from dermport.server.storage.database import Database, open_database
from dermport.server.storage.generations import Generations
from dermport.server.storage.offers import Offers
from dermport.server.storage.rollouts import Rollouts
from dermport.server.storage.state import ServerState

_LOG = logging.getLogger("dermport.drift")


def open_services(config: ServerConfig, candidates: tuple[ServingCandidate, ...], in_worker: bool = False) -> Services:
    """Open the storage, load and prove the model that was live last, and join everything.

    Args:
        config: What the server was told.
        candidates: The runtimes to choose from, best first.
        in_worker: Whether this process is one of several that serve, and does nothing else.

    Raises:
        BundleError: A bundle or the artifact is missing or not what was recorded.
        UnavailableError: Nothing in the bundle can be served on this machine.
        StorageError: The database cannot be reached.
    """
    with ExitStack() as stack:
        meeting = run_folder(config.storage.folder)
        board = _closed_by(stack, Board(meeting, tidy=not in_worker))
        if in_worker:
            share_counts(meeting / "counts", board.place)
        database = _closed_by(stack, open_database(config.storage))
        generations = _closed_by(stack, Generations(database))
        activations, rollouts = Activations(database), Rollouts(database)
        models = Models(
            config.bundles,
            partial(LiveModel, serving=config.serving, candidates=candidates, publish=board.publish),
            _Shared(generations, activations),
            config.serving.wait_seconds,
        )
        _closed_by(stack, models)
        _closed_by(stack, _Follower(models))
        clock = Clock(ServerState(database))
        access = _closed_by(stack, Access(database, config.access, lambda: generations.now()["keys"], clock.now))
        limits = _closed_by(stack, Limits(config.access.rate, meeting))
        runner = ArtifactRunner(models.bundles)
        comparisons = _closed_by(stack, _comparisons(config, models, database, rollouts, runner))
        keeper = _closed_by(stack, OnlyOne(meeting / "housekeeping"))
        _closed_by(stack, Housekeeping(comparisons.purge, keeper.is_mine))
        return Services(
            config=config,
            models=models,
            database=database,
            access=access,
            limits=limits,
            delivery=ModelDelivery(
                models, rollouts, Offers(database), _signer(config.storage, database), config.storage.folder
            ),
            switch=ModelSwitch(models, activations, rollouts),
            comparisons=comparisons,
            metrics=ServerMetrics(
                models.lease,
                _RecentAgreement(comparisons, runner),
                database_failures=lambda: database.failures,
                board=board,
            ),
            closing=stack.pop_all(),
        )


class _Closable(Protocol):
    def close(self) -> None: ...


_Service = TypeVar("_Service", bound=_Closable)


def _closed_by(stack: ExitStack, service: _Service) -> _Service:
    stack.callback(service.close)
    return service


def _signer(storage: StorageConfig, database: Database) -> KeptSigner:
    """Return what signs; where the state was found or made before (`state_id`), its keys were, too."""
    return KeptSigner(storage.folder, ServerState(database), may_begin=storage.state_id is None)


class _Shared:
    """What all processes agree on is in the database (a :class:`dermport.server.serving.models.Direction`)."""

    def __init__(self, generations: Generations, activations: Activations) -> None:
        self._generations, self._activations = generations, activations

    def numbers(self) -> tuple[int, int]:
        known = self._generations.now()
        return known["live"], known["folders"]

    def live(self) -> Key | None:
        last = self._activations.last()
        return last.key if last else None

    def looked(self) -> None:
        self._activations.looked()


class _Follower:
    """Has a process that nobody asks follow the live model, too, so that the first who does need not wait."""

    _SECONDS = 0.5

    def __init__(self, models: Models) -> None:
        self._models = models
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(self._SECONDS):
            with suppress(DermportError):  # it is logged, and tried again
                self._models.follow()


def _comparisons(
    config: ServerConfig, models: Models, database: Database, rollouts: Rollouts, runner: ArtifactRunner
) -> ComparisonService:
    store, state = ComparisonStore(database), ServerState(database)
    watch = DriftWatch(
        store.latest_votes, partial(_rolled_out_since, runner, rollouts), partial(_pause_roll_outs, runner, rollouts)
    )
    return ComparisonService(
        models,
        store,
        runner,
        KeptPhotos(config.storage.folder / "photos"),
        keeping=Keeping(config.storage.keep_photos, config.storage.retention_days),
        listeners=(watch.heard,),
        now=Clock(state).now,
        believes=ClockWatch(state).believes,
    )


def _rolled_out_since(runner: ArtifactRunner, rollouts: Rollouts, artifact_sha256: str) -> datetime | None:
    """Return when the roll-outs of a file's version were last changed; None where none goes on."""
    known = runner.find(artifact_sha256)
    if known is None:
        return None
    version = known.bundle.manifest.name, known.bundle.manifest.version
    going_on = (one for one in rollouts.all() if (one.model, one.candidate) == version and not one.paused)
    return max((one.updated_at for one in going_on if one.updated_at), default=None)


def _pause_roll_outs(runner: ArtifactRunner, rollouts: Rollouts, artifact_sha256: str, why: str) -> None:
    """Stop handing out a version whose file disagrees with the server."""
    known = runner.find(artifact_sha256)
    if known is None:
        _LOG.error("phones run an unknown file that disagrees: %s", why)
        return
    manifest, record = known.bundle.manifest, known.export.record
    paused = rollouts.pause(manifest.name, manifest.version, f"{record.target} {record.precision}: {why}")
    _LOG.error(
        "%s %s, %s %s: %s %d roll-outs are paused.",
        manifest.name,
        manifest.version,
        record.target,
        record.precision,
        why,
        paused,
    )


class _RecentAgreement:
    """Agreement of the last 30 days by artifact, counted anew at most once a minute: a scrape must not be dear."""

    _DAYS, _SECONDS = 30, 60.0

    def __init__(self, comparisons: ComparisonService, runner: ArtifactRunner) -> None:
        self._comparisons = comparisons
        self._runner = runner
        self._counted: tuple[Agreement, ...] = ()
        self._until = 0.0

    def __call__(self) -> tuple[Agreement, ...]:
        if time.monotonic() >= self._until:
            since = utc_now() - timedelta(days=self._DAYS)
            groups = self._comparisons.summary(Filters(since=since)).artifacts
            self._counted = tuple(filter(None, map(self._of, groups)))
            self._until = time.monotonic() + self._SECONDS
        return self._counted

    def _of(self, group: AgreementGroup) -> Agreement | None:
        known = self._runner.find(group.key)
        if known is None:
            return None
        manifest, record, label = known.bundle.manifest, known.export.record, group.label_agreement
        return Agreement(
            f"{manifest.name} {manifest.version}",
            f"{record.target}-{record.precision}",
            label.of,
            label.count / label.of,
            label.low,
        )
