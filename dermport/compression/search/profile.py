"""A device profile: what artifacts took on another machine, and the line through that for artifacts it never saw.

For each precision of a target, latency is taken as ``overhead + slope * multiply-accumulates``, fitted by least
squares of the relative errors, neither below 0; where all rows have the same size, the line goes through 0. It stands
for a device that is not here: what it gives is labelled "by profile" everywhere, with the error of the fit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError

from dermport.bundle.atomic import write_json
from dermport.bundle.benchmark_record import BenchmarkResult, ExportResult
from dermport.compression.search.candidate import LatencyRecord, MeasuredCandidate
from dermport.compression.search.latency import OpenArtifact
from dermport.contract import Contract
from dermport.errors import UsageError

SCHEMA: Literal["dermport-device-profile/1"] = "dermport-device-profile/1"


class ProfileRow(Contract):
    """One artifact that was measured on the device."""

    export: Annotated[str, Field(description="<target>-<precision>")]
    macs: Annotated[int, Field(gt=0, description="multiply-accumulates for one photo")]
    ms: Annotated[float, Field(gt=0, description="median latency at batch 1, milliseconds")]
    artifact_bytes: Annotated[int, Field(gt=0)]
    bundle: str = ""


class DeviceProfile(Contract):
    """What artifacts took on a device."""

    schema_version: Annotated[Literal["dermport-device-profile/1"], Field(alias="schema")] = SCHEMA
    device: Annotated[str, Field(min_length=1)]
    origin: Annotated[str, Field(description="how the rows were measured")]
    rows: Annotated[tuple[ProfileRow, ...], Field(min_length=1)]


@dataclass(frozen=True)
class LatencyModel:
    """``ms = overhead + slope * millions of multiply-accumulates``.

    Attributes:
        overhead: Milliseconds.
        slope: Milliseconds for a million.
        error: Mean |relative error| over the rows; None where a single size was measured, so that nothing tells it.
    """

    overhead: float
    slope: float
    error: float | None

    def at(self, macs: int) -> float:
        """Return milliseconds."""
        return self.overhead + self.slope * macs / 1e6


def fit(rows: Sequence[ProfileRow]) -> LatencyModel:
    """Return the line through the rows of one precision."""
    millions, ms = np.array([row.macs for row in rows]) / 1e6, np.array([row.ms for row in rows])
    if len(set(millions.tolist())) == 1:
        return LatencyModel(0.0, float(np.median(ms / millions)), None)
    columns = np.stack([1 / ms, millions / ms], axis=1)  # of relative errors: ms themselves would heed the slow alone
    (overhead, slope), *_ = np.linalg.lstsq(columns, np.ones(len(ms)), rcond=None)
    if overhead < 0:
        overhead, slope = 0.0, _through(columns[:, 1])
    elif slope < 0:
        overhead, slope = _through(columns[:, 0]), 0.0
    error = np.abs(columns @ (overhead, slope) - 1).mean()
    return LatencyModel(float(overhead), float(slope), float(error))


def _through(column: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Return the factor that brings a column closest to 1."""
    return float(column.sum() / (column @ column))


@dataclass(frozen=True)
class PredictedLatency:
    """A latency source that reads a profile."""

    profile: DeviceProfile

    @property
    def device(self) -> str:
        """The profile's device."""
        return self.profile.device

    @property
    def times_calls(self) -> bool:
        """It does not: nothing is timed."""
        return False

    @cached_property
    def lines(self) -> dict[str, LatencyModel]:
        """The line of each ``<target>-<precision>`` in the profile."""
        names = dict.fromkeys(row.export for row in self.profile.rows)
        return {name: fit([row for row in self.profile.rows if row.export == name]) for name in names}

    def latency(self, loaded: OpenArtifact, base: OpenArtifact) -> LatencyRecord:
        """Return what the lines give for both; see :class:`dermport.compression.search.latency.LatencySource`."""
        ms, of_base = (self._line(one.name).at(one.macs) for one in (loaded, base))
        return LatencyRecord(source="by profile", device=self.device, ms=round(ms, 4), ratio=round(ms / of_base, 4))

    def _line(self, name: str) -> LatencyModel:
        if name not in self.lines:
            raise UsageError(
                f"The profile of {self.device} has no row of {name}.",
                remedy=f"It knows {', '.join(self.lines)}: search those with --to and --precision, or measure more.",
            )
        return self.lines[name]


def load_profile(path: Path) -> DeviceProfile:
    """Return the profile that a file holds, or that a ``benchmark.json`` of `dermport benchmark` amounts to.

    Raises:
        UsageError: There is no such file, or it is neither.
    """
    try:
        document = json.loads(path.read_bytes())
        schema = document.get("schema") if isinstance(document, dict) else None
        if schema == SCHEMA:
            return DeviceProfile.model_validate(document)
        if str(schema).startswith("dermport-benchmark/"):
            return from_benchmark(BenchmarkResult.model_validate_json(path.read_bytes()), path)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{path} is not valid: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as JSON: {error}") from error
    raise UsageError(
        f"{path} is no device profile.",
        remedy="Take one that `dermport search --write-profile` wrote, or the benchmark.json of that device.",
    )


def from_benchmark(result: BenchmarkResult, path: Path) -> DeviceProfile:
    """Return the profile of the machine whose session a benchmark holds.

    Raises:
        UsageError: It holds several machines, or nothing that was timed.
    """
    machines = {session.machine.jetson or session.machine.processor for session in result.sessions}
    if len(machines) > 1:
        several = ", ".join(sorted(machines))
        raise UsageError(f"{path} holds several machines: {several}.", remedy="Name the file of one of them.")
    rows = [row for session in result.sessions for one in session.exports for row in _rows(one, result)]
    if not rows:
        raise UsageError(f"{path} holds no artifact with both its latency and its multiply-accumulates.")
    [device] = machines
    return DeviceProfile(device=device, origin=f"dermport benchmark, {path.name}", rows=tuple(rows))


def _rows(one: ExportResult, result: BenchmarkResult) -> Iterable[ProfileRow]:
    bundle, timing = result.bundle(one.bundle), one.speed.at(1) if one.speed else None
    if timing and bundle.macs:
        bytes_ = one.size.artifact_bytes
        yield ProfileRow(export=one.name, macs=bundle.macs, ms=timing.p50_ms, artifact_bytes=bytes_, bundle=bundle.name)


def from_search(measured: Sequence[MeasuredCandidate]) -> DeviceProfile:
    """Return the profile of the machine that timed the candidates of a search.

    Raises:
        UsageError: None was timed, or several machines timed them.
    """
    timed = [one for one in measured if one.latency.source == "measured"]
    if not timed:
        raise UsageError("This search timed nothing: its latencies are by profile.")
    if len(machines := dict.fromkeys(one.latency.device for one in timed)) > 1:
        raise UsageError(
            f"Several machines timed this search: {', '.join(machines)}.",
            remedy="Profile one of them: search on it alone, or `dermport benchmark` the structures there.",
        )
    rows = tuple(
        ProfileRow(
            export=one.export,
            macs=one.macs,
            ms=one.latency.ms,
            artifact_bytes=one.artifact_bytes,
            bundle=one.candidate.structure.name,
        )
        for one in timed
    )
    return DeviceProfile(device=timed[0].latency.device, origin=f"dermport search, {len(rows)} candidates", rows=rows)


def write_profile(path: Path, profile: DeviceProfile) -> None:
    """Write a profile as JSON, atomically."""
    write_json(path, profile.model_dump(mode="json", by_alias=True))
