"""Sends many hostile requests and prints what became of them, and of the server's memory."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

from tests.server.hostile.requests import generate
from tests.server.hostile.sending import Outcome, send
from tests.server.live import Server, serving

WARM_UP = 1_000
_SENDERS = 8


def attack(url: str, first: int, count: int, seed: int = 0) -> list[Outcome]:
    """Send the requests `first` to `first + count` of a seed; return what became of them, in order."""
    with ThreadPoolExecutor(_SENDERS) as pool:
        return list(pool.map(partial(send, url), (generate(seed, index) for index in range(first, first + count))))


def main() -> None:
    """Run from the command line; exits with 1 where an answer was not as it should be, or memory grew."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder, _server(options, Path(folder)) as server:
        url = server.url if server else options.url
        began, outcomes, memory = time.monotonic(), [], []
        for first in range(0, options.requests, WARM_UP):
            outcomes += attack(url, first, min(WARM_UP, options.requests - first), options.seed)
            if server:
                memory.append(server.resident())
                print(f"{len(outcomes):6} sent, {memory[-1] / 2**20:.1f} MiB", flush=True)
        raise SystemExit(_report(outcomes, memory, time.monotonic() - began))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.server.hostile", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--url", help="a server of the bundle that runs; without it, the bundle is served")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--runtime", default="litert")
    return parser.parse_args()


@contextmanager
def _server(options: argparse.Namespace, state: Path) -> Iterator[Server | None]:
    with nullcontext() if options.url else serving(options.bundle, state, "--runtime", options.runtime) as server:
        yield server


def _report(outcomes: list[Outcome], memory: list[int], seconds: float) -> int:
    print(f"{len(outcomes)} requests in {seconds:.0f} s; by status: {dict(Counter(one.status for one in outcomes))}")
    for one in sorted(outcomes, key=lambda one: -one.seconds)[:10]:
        print(f"  {one.seconds:6.2f} s  {one.status}  {one.kind}")
    wrong = Counter(f"{one.kind}: {one.complaint}" for one in outcomes if one.complaint)
    for complaint, count in wrong.most_common():
        print(f"  WRONG {count} x {complaint}")
    grown = memory[-1] / memory[0] - 1 if memory else 0.0
    if memory:
        print(f"memory after the first {WARM_UP}: {memory[0] / 2**20:.1f} MiB, at the end: {grown:+.1%}")
    return int(bool(wrong) or abs(grown) > 0.05)


if __name__ == "__main__":
    main()
