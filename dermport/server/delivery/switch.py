"""Making a model live in every process, so that a server that starts again goes on with it."""

from __future__ import annotations

import logging

from dermport.bundle.wire import ActivationAnswer, ActivationEntry, ActivationsAnswer, ModelKey
from dermport.errors import RequestError, StorageError
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

    def activate(self, name: str, version: str, who: str) -> ActivationAnswer:
        """Make a model live.

        Raises:
            RequestError: There is no such model (404), it cannot take over (409), or no process could be told (507 or
                503 "storage-unavailable"); the live one goes on.
        """
        live = self._models.activate(name, version, lambda: self._record((name, version), who))
        return ActivationAnswer(name=name, version=version, runtime=live.served_by.name, remembered=True)

    def rollback(self, who: str) -> ActivationAnswer:
        """Make the model live that was live before this one, also where that was before the server was started.

        Raises:
            RequestError: 409: there was none, or it cannot take over; 507 or 503 "storage-unavailable". The live one
                goes on.
        """
        earlier = self._before(_key(self._models.current))
        if earlier is None:
            raise RequestError(
                "There is no earlier model.", code="no-earlier-model", status=409, remedy="Activate one by name."
            )
        return self.activate(*earlier, who)

    def history(self) -> ActivationsAnswer:
        """Return the latest :data:`HISTORY` activations, and where a rollback leads.

        Raises:
            RequestError: 503 "storage-unavailable".
        """
        earlier = self._before(_key(self._models.current))
        entries = self._activations.latest(HISTORY)
        return ActivationsAnswer(
            activations=tuple(map(_entry, entries)),
            rollback=ModelKey(name=earlier[0], version=earlier[1]) if earlier else None,
        )

    def _before(self, live: Key) -> Key | None:
        last = self._activations.last()
        found = self._activations.previous() if last and last.key == live else last
        return found.key if found else None

    def _record(self, live: Key, who: str) -> int:
        """Have every process know, and a server that starts again."""
        before, last = _key(self._models.current), self._activations.last()
        number = self._activations.record(*live, who, before=None if last and last.key == before else (*before, START))
        try:
            self._rollouts.finish(*live)
        except StorageError as error:
            _LOG.error("%s %s is live, but its roll-outs are not over: %s", *live, error.message)
        return number


def _entry(made: Activation) -> ActivationEntry:
    activated = made.activated_at.isoformat(timespec="seconds")
    return ActivationEntry(name=made.name, version=made.version, activated=activated, who=made.who)


def _key(live: LiveModel) -> Key:
    return live.model.name, live.model.version
