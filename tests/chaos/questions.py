"""What is asked, and what the answers must be: a question is a seed, and has the same answer at all times."""

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
NOT_OF_THE_ANSWER = ("name", "create_time", "cost", "requested_by", "sequence", "sequence_state")
"""What differs between two answers to the same question."""
ROUGHER = "ERROR_TARGET_RAISED"


async def ask(client: AsyncSequela, seed: int, dry_run: bool = False) -> Explanation:
    """Asks a question."""
    sequence = read_sequence(ALERT)
    return await client.explain(sequence, model=MODEL, seed=seed, dry_run=dry_run, timeout=TIMEOUT)


def fingerprint(found: Explanation) -> str:
    """Returns a digest of every number and word of an answer; two answers to a question have the same."""
    values = {key: value for key, value in found.to_dict().items() if key not in NOT_OF_THE_ANSWER}
    return hashlib.sha256(json.dumps(_untimed(values), sort_keys=True).encode()).hexdigest()


def _untimed(values: Any) -> Any:
    """Returns the values without measured times."""
    if isinstance(values, Mapping):
        return {key: _untimed(value) for key, value in values.items() if key != "seconds"}
    return [_untimed(value) for value in values] if isinstance(values, list) else values


def is_degraded(found: Explanation) -> bool:
    """Returns whether the answer says that it is cut short or rougher than usual."""
    return found.cut_short or any(warning.reason == ROUGHER for warning in found.warnings)


async def undisturbed(address: str, seeds: Iterable[int]) -> Mapping[int, str]:
    """Returns the fingerprints of the answers of a server that nothing disturbs."""
    slots, answers = asyncio.Semaphore(CALLS_AT_ONCE), dict[int, str]()

    async def work(client: AsyncSequela, seed: int) -> None:
        async with slots:
            answers[seed] = fingerprint(await ask(client, seed, dry_run=True))

    async with AsyncSequela(address) as client:
        await asyncio.gather(*(work(client, seed) for seed in set(seeds)))
    return answers


async def stored(address: str, names: Iterable[str]) -> Mapping[str, str]:
    """Returns the fingerprints of stored explanations by name; those that are not there are left out."""
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
