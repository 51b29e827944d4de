"""Every model that the server knows, the one that is live, and its replacement without a failed request."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dermport.bundle.store import MANIFEST, Bundle
from dermport.errors import BundleError, DermportError, RequestError
from dermport.server.serving.live import LiveModel

_LOG = logging.getLogger("dermport.models")
Key = tuple[str, str]
"""Name and version of a model."""


class _LoadedModel:
    """A live model with the number of requests that use it."""

    def __init__(self, live: LiveModel) -> None:
        self.live = live
        self._users = 0
        self._none_left = threading.Condition()

    @contextmanager
    def use(self) -> Iterator[LiveModel]:
        with self._none_left:
            self._users += 1
        try:
            yield self.live
        finally:
            with self._none_left:
                self._users -= 1
                self._none_left.notify_all()

    def close_when_unused(self) -> None:
        with self._none_left:
            self._none_left.wait_for(lambda: self._users == 0)
        self.live.close()


class Models:
    """The models below some folders, one of them live.

    Args:
        folders: Bundle folders, or folders of bundles.
        open_live: Loads and proves a bundle.
        start: The model that is live first; None, or one that is no longer there, for the first bundle.

    Raises:
        BundleError: There is no bundle, two bundles have one name and version, or the first cannot be loaded.
        UnavailableError: Nothing in the bundle can be served on this machine.
    """

    def __init__(
        self, folders: tuple[Path, ...], open_live: Callable[[Bundle], LiveModel], start: Key | None = None
    ) -> None:
        self._folders = folders
        self._open_live = open_live
        self._bundles = find_bundles(folders)
        first = self._bundles.get(start) if start else None
        self._held = _LoadedModel(open_live(first or next(iter(self._bundles.values()))))
        self._before: Key | None = None
        self._lock = threading.Lock()  # guards self._held
        self._changing = threading.Lock()  # one replacement at a time
        self._retiring: list[threading.Thread] = []
        self._listeners: list[Callable[[LiveModel], None]] = []

    @property
    def current(self) -> LiveModel:
        """The live model; to ask it something, :meth:`lease` it."""
        return self._held.live

    def on_live(self, listener: Callable[[LiveModel], None]) -> None:
        """Have `listener` called with every model that becomes live from now on; it must return at once."""
        self._listeners.append(listener)

    @contextmanager
    def lease(self) -> Iterator[LiveModel]:
        """Have the live model for the ``with`` block; it is not closed before that ends."""
        with self._lock:
            use = self._held.use()
            live = use.__enter__()
        try:
            yield live
        finally:
            use.__exit__(None, None, None)

    def bundles(self) -> tuple[Bundle, ...]:
        """Return every known model, sorted by name and version."""
        return tuple(self._bundles[key] for key in sorted(self._bundles))

    def bundle(self, name: str, version: str) -> Bundle:
        """Return a known model; RequestError 404 where there is none of that name and version."""
        try:
            return self._bundles[name, version]
        except KeyError:
            raise RequestError(
                "There is no such model.",
                code="no-such-model",
                status=404,
                remedy="GET /v1/models lists those there are.",
            ) from None

    def rescan(self) -> tuple[Bundle, ...]:
        """Look into the folders again, and return every model that is known now.

        Raises:
            RequestError: 409: a folder holds something that cannot be used; what was known stays known.
        """
        with self._changing:
            try:
                self._bundles = find_bundles(self._folders)
            except DermportError as error:
                _LOG.error("rescan: %s", error.message)
                raise RequestError(
                    "A model folder cannot be used; the log says why.", code="not-rescanned", status=409
                ) from error
        return self.bundles()

    def activate(self, name: str, version: str) -> LiveModel:
        """Load and prove a model, then have it answer instead of the live one; until then that one goes on.

        Raises:
            RequestError: There is no such model (404), or it cannot take over (409); the live one goes on.
        """
        with self._changing:
            bundle = self.bundle(name, version)
            live = self._proved(bundle)
            if (before := _key(self._held.live.bundle)) != _key(bundle):
                self._before = before
            return self._replace_by(live)

    def rollback(self) -> LiveModel:
        """Activate the model that was live before this one.

        Raises:
            RequestError: 409: there was none, or it cannot take over; the live one goes on.
        """
        if self._before is None:
            raise RequestError(
                "There is no earlier model.", code="no-earlier-model", status=409, remedy="Activate one by name."
            )
        return self.activate(*self._before)

    def close(self) -> None:
        """Close the live model and those that are still being retired, once nobody uses them."""
        with self._changing:
            for thread in self._retiring:
                thread.join()
            self._held.close_when_unused()

    def _proved(self, bundle: Bundle) -> LiveModel:
        try:
            live = self._open_live(Bundle.open(bundle.path))
        except DermportError as error:
            _LOG.error("%s cannot be activated: %s", bundle.path, error.message)
            raise _refused("It cannot be loaded on this machine; the log says why.") from error
        if live.proof.complaint:
            live.close()
            _LOG.error("%s cannot be activated: %s", bundle.path, live.proof.complaint)
            raise _refused(live.proof.complaint)
        return live

    def _replace_by(self, live: LiveModel) -> LiveModel:
        with self._lock:
            before, self._held = self._held, _LoadedModel(live)
        self._retiring = [thread for thread in self._retiring if thread.is_alive()]
        self._retiring.append(threading.Thread(target=before.close_when_unused, name="retire", daemon=True))
        self._retiring[-1].start()
        _LOG.info("%s %s is live on %s", live.model.name, live.model.version, live.served_by.name)
        for listener in self._listeners:
            listener(live)
        return live


def find_bundles(folders: tuple[Path, ...]) -> dict[Key, Bundle]:
    """Open the bundles that are the folders, or that lie directly in them; the order is that of the folders.

    Raises:
        BundleError: There is none, one is invalid, or two have one name and version.
    """
    found: dict[Key, Bundle] = {}
    for folder in folders:
        for path in [folder] if (folder / MANIFEST).exists() else _children(folder):
            bundle = Bundle.open(path)
            if (other := found.setdefault(_key(bundle), bundle)).path != path:
                raise BundleError(
                    f"{other.path} and {path} are both {' '.join(_key(bundle))}.",
                    remedy="Give one another name or version, or serve only one of them.",
                )
    if not found:
        raise BundleError(
            f"There is no bundle in {', '.join(map(str, folders))}.",
            remedy="Name a folder that `dermport train` wrote.",
        )
    return found


def _children(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob(f"*/{MANIFEST}") if not path.parent.name.startswith("."))


def _key(bundle: Bundle) -> Key:
    return bundle.manifest.name, bundle.manifest.version


def _refused(why: str) -> RequestError:
    return RequestError(
        f"The model was not activated, and the one before goes on. {why}",
        code="not-activated",
        status=409,
        remedy="Check it with `dermport verify`.",
    )
