"""The questions that callers ask. A question is a seed, and has the same answer whenever it is asked."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from demo_alert import ALERT, MODEL
from sequela_client import AsyncSequela, Explanation
from sequela_client.errors import NotFound
from sequela_client.files import read_sequence

TIMEOUT = 60.0
CALLS_AT_ONCE = 4
VARYING_FIELDS = ("name", "create_time", "cost", "requested_by", "sequence", "sequence_state")
"""The fields in which two answers to the same question differ."""
TARGET_RAISED = "ERROR_TARGET_RAISED"


async def ask(client: AsyncSequela, seed: int, dry_run: bool = False) -> Explanation:
    """Asks a question."""
    sequence = read_sequence(ALERT)
    return await client.explain(sequence, model=MODEL, seed=seed, dry_run=dry_run, timeout=TIMEOUT)


def fingerprint(found: Explanation) -> str:
    """Returns a digest of every number and word of an answer; two answers to a question have the same."""
    values = {key: value for key, value in found.to_dict().items() if key not in VARYING_FIELDS}
    return hashlib.sha256(json.dumps(_without_times(values), sort_keys=True).encode()).hexdigest()


def _without_times(values: Any) -> Any:
    """Returns the values without measured times."""
    if isinstance(values, Mapping):
        return {key: _without_times(value) for key, value in values.items() if key != "seconds"}
    return [_without_times(value) for value in values] if isinstance(values, list) else values


def is_degraded(found: Explanation) -> bool:
    """Returns whether the answer says that it is cut short or rougher than usual."""
    return found.cut_short or any(warning.reason == TARGET_RAISED for warning in found.warnings)


async def ask_all(address: str, seeds: Iterable[int]) -> Mapping[int, str]:
    """Asks a server without storing the answers. Returns their fingerprints by seed."""
    slots, answers = asyncio.Semaphore(CALLS_AT_ONCE), dict[int, str]()

    async def work(client: AsyncSequela, seed: int) -> None:
        async with slots:
            answers[seed] = fingerprint(await ask(client, seed, dry_run=True))

    async with AsyncSequela(address) as client:
        await asyncio.gather(*(work(client, seed) for seed in set(seeds)))
    return answers


async def fetch_all(address: str, names: Iterable[str]) -> Mapping[str, str]:
    """Fetches stored explanations. Returns the fingerprints of those that are there, by name."""
    slots, found = asyncio.Semaphore(CALLS_AT_ONCE), dict[str, str]()

    async def work(client: AsyncSequela, name: str) -> None:
        async with slots:
            try:
                found[name] = fingerprint(await client.get_explanation(name, timeout=TIMEOUT))
            except NotFound:
                return

    async with AsyncSequela(address) as client:
        await asyncio.gather(*(work(client, name) for name in set(names)))
    return found
