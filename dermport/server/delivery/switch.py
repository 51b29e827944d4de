"""Making a model live, so that a server that starts again goes on with it."""

from __future__ import annotations

import logging
import threading

from dermport.bundle.wire import ActivationAnswer, ActivationEntry, ActivationsAnswer, ModelKey
from dermport.errors import StorageError
from dermport.server.serving.live import LiveModel
from dermport.server.serving.models import Key, Models
from dermport.server.storage.activations import Activation, Activations
from dermport.server.storage.rollouts import Rollouts

_LOG = logging.getLogger("dermport.handout")
HISTORY = 20
START = "start"
"""Who made the first live model live."""


class ModelSwitch:
    """Activates models and remembers it.

    Args:
        models: The models, one of them live.
        activations: The history of live models.
        rollouts: The roll-outs; those of a model end when it is live.
    """

    def __init__(self, models: Models, activations: Activations, rollouts: Rollouts) -> None:
        self._models = models
        self._activations = activations
        self._rollouts = rollouts
        self._lock = threading.Lock()  # what is remembered last is what is live

    def activate(self, name: str, version: str, who: str) -> ActivationAnswer:
        """Make a model live.

        Raises:
            RequestError: There is no such model (404), or it cannot take over (409); the live one goes on.
        """
        with self._lock:
            before = _key(self._models.current)
            return self._remember(before, self._models.activate(name, version), who)

    def rollback(self, who: str) -> ActivationAnswer:
        """Make the model live that was live before this one, also where that was before the server was started.

        Raises:
            RequestError: 409: there was none, or it cannot take over; the live one goes on.
        """
        with self._lock:
            before = _key(self._models.current)
            earlier = self._before(before)
            live = self._models.activate(*earlier) if earlier else self._models.rollback()
            return self._remember(before, live, who)

    def history(self) -> ActivationsAnswer:
        """Return the latest :data:`HISTORY` activations, and where a rollback leads.

        Raises:
            StorageError: The database fails.
        """
        earlier = self._before(_key(self._models.current))
        entries = self._activations.latest(HISTORY)
        return ActivationsAnswer(
            activations=tuple(map(_entry, entries)),
            rollback=ModelKey(name=earlier[0], version=earlier[1]) if earlier else None,
        )

    def _before(self, live: Key) -> Key | None:
        try:
            last = self._activations.last()
            found = self._activations.previous() if last and last.key == live else last
        except StorageError:  # without the database, the models themselves know what was live since the start
            return None
        return found.key if found else None

    def _remember(self, before: Key, live: LiveModel, who: str) -> ActivationAnswer:
        return ActivationAnswer(
            name=live.model.name,
            version=live.model.version,
            runtime=live.served_by.name,
            remembered=self._is_recorded(before, _key(live), who),
        )

    def _is_recorded(self, before: Key, live: Key, who: str) -> bool:
        try:
            last = self._activations.last()
            if last is None or last.key != before:
                self._activations.record(*before, START)
            self._activations.record(*live, who)
            self._rollouts.finish(*live)
        except StorageError as error:
            _LOG.error("%s %s is live, but a server that starts again will not know: %s", *live, error.message)
            return False
        return True


def _entry(made: Activation) -> ActivationEntry:
    activated = made.activated_at.isoformat(timespec="seconds")
    return ActivationEntry(name=made.name, version=made.version, activated=activated, who=made.who)


def _key(live: LiveModel) -> Key:
    return live.model.name, live.model.version
