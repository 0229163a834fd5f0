"""Sends requests to a server and measures how long they take. It runs in its own process, so that it does not share
an event loop with anything that is measured.

    python -m benchmarks.generator address alert first_number (--arrivals times.npy | --closed workers seconds) \
        [--client arguments]

Open loop (`--arrivals`): each request is sent at its time, whether or not earlier ones were answered, and its latency
counts from that time. Closed loop (`--closed`): each worker sends its next request when it has its answer.
`--client` has further arguments of the client as JSON, such as a file with a token. Prints a JSON object: `latencies`
in seconds of the requests that were answered, `failures` by reason, and `seconds` from the first to the last answer.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from sequela_client import AsyncSequela, Retries, SequelaError, Sequence
from sequela_client.files import read_sequence

MODEL = "account_takeover"
TIMEOUT = 60.0
CHANGE = 1e-5  # standard deviation of the noise


@dataclass
class Load:
    """Sends requests about one alert.

    Each adds noise of `CHANGE` to its latest event, so that no stored answer is reused. All have the default seed, as
    requests of real callers do, since designs are kept by seed.
    """

    sequela: AsyncSequela
    alert: Sequence
    numbers: Iterator[int]
    latencies: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    async def send(self, since: float) -> None:
        """Sends one request. Its latency counts from `since` on the monotonic clock."""
        try:
            await self.sequela.explain(changed(self.alert, next(self.numbers)), model=MODEL, timeout=TIMEOUT)
        except SequelaError as error:
            self.failures[type(error).__name__] += 1
        else:
            self.latencies.append(time.monotonic() - since)

    async def open(self, arrivals: Path) -> None:
        """Sends requests at the times in the file."""
        started = time.monotonic()
        under_way = set()
        for at in np.load(arrivals):
            await asyncio.sleep(started + at - time.monotonic())
            under_way.add(asyncio.create_task(self.send(started + at)))
        await asyncio.gather(*under_way)

    async def closed(self, workers: int, seconds: float) -> None:
        """Sends requests from several workers, each one after another."""
        end = time.monotonic() + seconds

        async def work() -> None:
            while (now := time.monotonic()) < end:
                await self.send(now)

        await asyncio.gather(*(work() for _ in range(workers)))


def changed(alert: Sequence, number: int) -> Sequence:
    """Returns the alert with noise in the numbers of its latest event; each `number` gives other noise."""
    assert isinstance(alert.inputs, Mapping)
    numeric = np.array(alert.inputs["numeric"], dtype=np.float32)
    noise: np.ndarray = np.random.default_rng(number).normal(scale=CHANGE, size=numeric.shape[1:])
    numeric[-1] += noise.astype(np.float32)
    return replace(alert, inputs={**alert.inputs, "numeric": numeric})


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns the results, as they are printed."""
    # A refusal is a result here, not something to try again.
    once = Retries(attempts=1)
    async with AsyncSequela(arguments.address, retries=once, **arguments.client) as sequela:
        load = Load(sequela, read_sequence(arguments.alert), count(arguments.first_number))
        await load.send(time.monotonic())  # so that the connection is open before anything is measured
        load.latencies.clear()
        load.failures.clear()
        started = time.monotonic()
        if arguments.arrivals:
            await load.open(arguments.arrivals)
        else:
            await load.closed(int(arguments.closed[0]), arguments.closed[1])
        seconds = time.monotonic() - started
    return {"latencies": load.latencies, "failures": load.failures, "seconds": seconds}


def main() -> None:
    """Parses the arguments and sends the requests."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("address")
    parser.add_argument("alert", type=Path)
    parser.add_argument("first_number", type=int)
    parser.add_argument("--client", type=json.loads, default={})
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--arrivals", type=Path)
    how.add_argument("--closed", type=float, nargs=2)
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
