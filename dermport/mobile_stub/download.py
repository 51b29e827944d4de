"""A file over a network that breaks: what has arrived is kept, the rest is asked for, and the whole is checked."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from dermport.bundle.hashing import sha256_file
from dermport.bundle.wire import ReleaseFile
from dermport.errors import IntegrityError, RequestError, ServerError
from dermport.mobile_stub.client import Response
from dermport.mobile_stub.release_client import ReleaseClient

TRIES = 4
"""Attempts in a row in which nothing arrives before the download is given up."""
_REMEDY = "It was changed on the way, or on the server. The model that was there is untouched."


def download(client: ReleaseClient, url: str, listed: ReleaseFile, to: Path, sleep: Callable[[float], None]) -> None:
    """Fetch a listed file to `to`, going on where an earlier attempt ended; nothing is asked where it is there already.

    Args:
        client: Asks the server.
        url: Path of the file below the server's address.
        listed: What it must be.
        to: Where it belongs; what has arrived so far lies beside it as ``<name>.part``.
        sleep: Waits some seconds between two attempts.

    Raises:
        IntegrityError: What arrived is not the listed file; it is removed.
        RequestError: The server refuses it, with its own code.
        ServerError: The connection fails again and again; what has arrived is kept.
    """
    if to.exists():
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f"{to.name}.part")
    tries = 0
    while (before := _size(part)) < listed.bytes or not part.exists():
        failure = _attempt(client, url, listed, part)
        tries = 0 if _size(part) > before else tries + 1
        if tries == TRIES:
            raise failure or ServerError(f"{client.url} sends less of {listed.path} than it promised.")
        if failure:
            sleep(0.5 * 2**tries)
    if _size(part) != listed.bytes or sha256_file(part) != listed.sha256:
        part.unlink()
        raise IntegrityError(f"{listed.path} is not the file that the signed manifest lists.", remedy=_REMEDY)
    part.replace(to)


def _attempt(client: ReleaseClient, url: str, listed: ReleaseFile, part: Path) -> ServerError | None:
    """Fetch what is missing; return what broke the connection, if anything did."""
    have, meant = _size(part), {"sha256": listed.sha256}
    try:
        with (
            client.stream("GET", url, whole=False, params=meant, headers=_ask(have, listed)) as answer,
            part.open("ab" if _goes_on_at(answer, have) else "wb") as file,
        ):
            _copy(answer, file, listed)
    except ServerError as error:
        return error
    except RequestError as error:
        if error.status != 416:
            raise
        part.unlink()
    return None


def _ask(have: int, listed: ReleaseFile) -> dict[str, str]:
    """Return the headers that ask for what is missing; a beginning may come as gzip, which is unpacked on arrival."""
    if not have:
        return {"Accept-Encoding": "gzip"}
    return {"Accept-Encoding": "identity", "Range": f"bytes={have}-", "If-Range": f'"{listed.sha256}"'}


def _goes_on_at(answer: Response, have: int) -> bool:
    """Whether the answer begins with the byte after those that are there, and not with the first."""
    start = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return answer.status_code == 206 and start is not None and int(start[1]) == have


def _copy(answer: Response, file: BinaryIO, listed: ReleaseFile) -> None:
    for block in answer.iter_bytes():  # as they arrive: blocks of a set size would be lost where the network breaks
        file.write(block)
        if file.tell() > listed.bytes:
            break
    file.flush()
    os.fsync(file.fileno())


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
