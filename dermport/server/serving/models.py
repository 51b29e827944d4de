"""Every model that the server knows, the one that is live, and its replacement without a failed request.

Which model is live is one thing for all processes of a server: the database knows it (:class:`Direction`). A process
looks at each request whether that has changed, and then loads and proves the new one before it answers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from dermport.bundle.store import MANIFEST, Bundle, is_model
from dermport.errors import BundleError, DermportError, RequestError
from dermport.server.serving.live import LiveModel

_LOG = logging.getLogger("dermport.models")
Key = tuple[str, str]
"""Name and version of a model."""
# After it could not be loaded, a model is not tried again for so many seconds.
_PAUSE = 2.0


class Direction(Protocol):
    """What all processes of a server agree on; of each number, that it grows means that something has changed."""

    def numbers(self) -> tuple[int, int]:
        """Return the numbers of the newest activation, or better artifact, and of the newest look into the folders."""
        ...

    def live(self) -> Key | None:
        """Return the model that should be live; None where none was ever activated."""
        ...

    def looked(self) -> None:
        """Have every other process look into the folders."""
        ...


class Alone:
    """The direction of a process that shares its models with nobody.

    Args:
        start: The model that is live first; None, or one that is no longer there, for the first bundle.
    """

    def __init__(self, start: Key | None = None) -> None:
        self._start = start

    def numbers(self) -> tuple[int, int]:
        """Return the only ones that there are."""
        return 0, 0

    def live(self) -> Key | None:
        """Return the model to start with."""
        return self._start

    def looked(self) -> None:
        """Tell nobody."""


class _LoadedModel:
    """A live model with its number, and how many requests use it."""

    def __init__(self, live: LiveModel, number: int) -> None:
        self.live, self.number = live, number
        self._users, self._lock = 0, threading.Lock()
        self._retired, self._unused = False, threading.Event()

    def enter(self) -> None:
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._retired and not self._users:
                self._unused.set()

    def close_when_unused(self) -> None:
        with self._lock:
            self._retired = True
            if not self._users:
                self._unused.set()
        self._unused.wait()
        self.live.close()


class Models:
    """The models below some folders, one of them live.

    Args:
        folders: Bundle folders, or folders of bundles.
        open_live: Loads and proves a bundle.
        direction: Says which model is live: the first bundle unless another was activated that is still there.
        wait_seconds: How long a request waits for a model that is being replaced.

    Raises:
        BundleError: There is no bundle, two bundles have one name and version, or the first cannot be loaded.
        UnavailableError: Nothing in the bundle can be served on this machine.
    """

    def __init__(
        self,
        folders: tuple[Path, ...],
        open_live: Callable[[Bundle], LiveModel],
        direction: Direction | None = None,
        wait_seconds: float = 10.0,
    ) -> None:
        self._folders, self._open_live = folders, open_live
        self._direction = direction or Alone()
        self._wait_seconds = wait_seconds
        number, self._looked = self._direction.numbers()
        self._bundles = find_bundles(folders)
        self._held = _LoadedModel(open_live(self._wanted()), number)
        self._lock = threading.Lock()  # guards self._held
        self._changing = threading.Lock()  # one replacement at a time
        self._not_before = 0.0  # when a model that could not be loaded is tried again
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
        """Have the live model for the ``with`` block; it is not closed before that ends.

        Raises:
            RequestError: 503 "model-changing": another one is live, and could not be loaded here (yet).
        """
        self.follow()
        with self._lock:
            held = self._held
            held.enter()
        try:
            yield held.live
        finally:
            held.leave()

    def follow(self) -> None:
        """See that the model which is live everywhere is the one that answers here; it costs little where it is.

        Raises:
            RequestError: 503 "model-changing": it could not be loaded here (yet).
        """
        if self._is_followed():
            return
        if not self._changing.acquire(timeout=self._wait_seconds):
            raise _changing(self._wait_seconds)
        try:
            if not self._is_followed():
                self._catch_up()
        finally:
            self._changing.release()

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
        """Look into the folders again, in every process, and return every model that is known now.

        Raises:
            RequestError: 409: a folder holds something that cannot be used; what was known stays known. 503
                "storage-unavailable": the others could not be told.
        """
        with self._changing:
            self._look()
            self._direction.looked()
            _, self._looked = self._direction.numbers()
        return self.bundles()

    def activate(self, name: str, version: str, record: Callable[[], int] = int) -> LiveModel:
        """Load and prove a model, then have it answer instead of the live one; until then that one goes on.

        Args:
            name: The model's name.
            version: Its version.
            record: Tells every process, and returns the activation's number; where it raises, the live one goes on.

        Raises:
            RequestError: There is no such model (404), or it cannot take over (409), or what `record` raises.
        """
        with self._changing:
            live = self._proved(self.bundle(name, version))
            try:
                number = record()
            except BaseException:
                live.close()
                raise
            return self._replace_by(live, number)

    def close(self) -> None:
        """Close the live model and those that are still being retired, once nobody uses them."""
        with self._changing:
            for thread in self._retiring:
                thread.join()
            self._held.close_when_unused()

    def _is_followed(self) -> bool:
        return (self._held.number, self._looked) == self._direction.numbers()

    def _catch_up(self) -> None:
        number, looked = self._direction.numbers()
        if time.monotonic() < self._not_before:
            raise _changing(_PAUSE)
        try:
            if self._looked != looked or self._direction.live() not in self._bundles:
                self._look()
            if self._held.number != number:
                self._replace_by(self._proved(self.bundle(*self._direction.live() or self._live_key())), number)
            self._looked = looked
        except RequestError as error:
            self._not_before = time.monotonic() + _PAUSE
            raise _changing(_PAUSE) from error

    def _wanted(self) -> Bundle:
        key = self._direction.live()
        return (self._bundles.get(key) if key else None) or next(iter(self._bundles.values()))

    def _live_key(self) -> Key:
        return _key(self._held.live.bundle)

    def _look(self) -> None:
        try:
            self._bundles = find_bundles(self._folders)
        except DermportError as error:
            _LOG.error("rescan: %s", error.message)
            raise RequestError(
                "A model folder cannot be used; the log says why.", code="not-rescanned", status=409
            ) from error

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

    def _replace_by(self, live: LiveModel, number: int) -> LiveModel:
        with self._lock:
            before, self._held = self._held, _LoadedModel(live, number)
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
        for path in [folder] if (folder / MANIFEST).exists() or is_model(folder) else _children(folder):
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


def _changing(seconds: float) -> RequestError:
    return RequestError(
        "Another model has been made live, and this process does not have it yet.",
        code="model-changing",
        status=503,
        remedy="Send the request again after the time in Retry-After.",
        retry_after=seconds,
    )


def _refused(why: str) -> RequestError:
    return RequestError(
        f"The model was not activated, and the one before goes on. {why}",
        code="not-activated",
        status=409,
        remedy="Check it with `dermport verify`.",
    )
