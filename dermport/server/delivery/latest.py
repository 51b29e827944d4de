"""Which version a phone should have: the live one, or the candidate of a roll-out that has reached it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.wire import Platform, Reason
from dermport.server.storage.rollouts import Rollout


@dataclass(frozen=True)
class DeviceInfo:
    """What a phone says of itself.

    Attributes:
        platform: What it runs.
        device: A name that stays the same; None where it gives none.
        app_version: Of the app that asks; None where it gives none.
        current: Name and version of the model that it has, ``<name>/<version>``; None for none.
    """

    platform: Platform
    device: str | None = None
    app_version: str | None = None
    current: str | None = None


@dataclass(frozen=True)
class Choice:
    """A version for a phone, and why."""

    version: str
    reason: Reason
    why: str


def choose(live: str, rollout: Rollout | None, phone: DeviceInfo) -> Choice:
    """Return the version for a phone.

    A phone that a roll-out has reached keeps the candidate while the percentage grows. One that is out of it again,
    because the percentage fell or it was paused, is led back to the live version.

    Args:
        live: The live version.
        rollout: The roll-out of the same model on the phone's platform; None where there is none.
        phone: Who asks.
    """
    if rollout is None or rollout.candidate == live:
        return Choice(live, "live", "It is the live version.")
    if rollout.paused:
        why = f": {rollout.pause_reason}" if rollout.pause_reason else "."
        return Choice(live, "paused", f"The roll-out of {rollout.candidate} is paused{why}")
    if not _is_new_enough(phone.app_version, rollout.minimum_app_version):
        why = f"Version {rollout.candidate} needs app {rollout.minimum_app_version} or newer."
        return Choice(live, "app-too-old", why)
    if rollout.percentage < 100 and not _is_reached(phone.device, rollout):
        why = f"Version {rollout.candidate} is rolled out to {rollout.percentage} % of the devices; not to this one."
        return Choice(live, "not-in-roll-out", why)
    why = f"It is rolled out to {rollout.percentage} % of the devices; this one is among them."
    return Choice(rollout.candidate, "roll-out", why)


def bucket(device: str, model: str, version: str) -> int:
    """Return the number from 0 to 99 that a device has in the roll-out of a version: another one in each."""
    return int(sha256_bytes(f"{model}\n{version}\n{device}".encode()), 16) % 100


def _is_reached(device: str | None, rollout: Rollout) -> bool:
    return bool(device) and bucket(device or "", rollout.model, rollout.candidate) < rollout.percentage


def _is_new_enough(version: str | None, minimum: str | None) -> bool:
    return minimum is None or (version is not None and _numbers(version) >= _numbers(minimum))


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with; 1.2 and 1.2.0 are one version, and what follows says nothing."""
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
