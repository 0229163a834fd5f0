"""Calls Sequela with its own client, in an environment with packages of other versions.

`ask_with_ours.py HOST:PORT MODEL.onnx SEQUENCE.npy BACKGROUND.npy MODULE…` first imports the modules, makes one call of
each kind, and prints the answers as JSON.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import warnings
from typing import Any

import numpy as np

for module in sys.argv[5:]:
    importlib.import_module(module)
warnings.simplefilter("error")  # our own modules must not cause warnings

from sequela_client import AsyncSequela, CallerError, NotFound, Sequela  # noqa: E402
from sequela_client.cli.main import main as command  # noqa: E402


def asked(address: str, model: str, sequence: Any, background: Any) -> dict[str, Any]:
    """Makes one call of each kind with the blocking client."""
    found: dict[str, Any] = {}
    with Sequela(address) as sequela:
        registered = sequela.register_model(model, name="beside")
        explained = sequela.explain(sequence, model=model, background=background, pruning_tolerance=0)
        sequela.average_background("usual", [sequence, sequence[1:]], model="beside")
        named = sequela.explain(sequence, model="beside", background="usual", levels=["event"])
        scores = sequela.score([sequence, sequence[1:]], model=registered.name)
        stream = sequela.explain_many(
            [sequence, sequence[1:]], model="beside", background="usual", levels=["event"]
        )
        found |= {
            "explained": told(explained),
            "csv": len(explained.to_csv().splitlines()),
            "kept": sequela.get_explanation(explained.name).score == explained.score,
            "named": told(named),
            "scores": scores.values.ravel().tolist(),
            "streamed": [told(each.unwrap()) for each in stream],
            "listed": sorted(each.name for each in sequela.models()),
        }
        for kind, change in ((CallerError, {"pruning_tolerance": -1}), (NotFound, {"model": "nobody"})):
            try:
                sequela.explain(sequence, **{"model": model, "background": background} | change)
            except kind as error:
                found[kind.__name__] = [error.reason, [each.field for each in error.violations]]
    return found


async def asked_in_turn(address: str, model: str, sequence: Any, background: Any) -> Any:
    """Makes the first of these calls with the asyncio client."""
    async with AsyncSequela(address) as sequela:
        return told(await sequela.explain(sequence, model=model, background=background, pruning_tolerance=0))


def told(explanation: Any) -> dict[str, Any]:
    """Returns the contents of an answer without its name and times."""
    answer = json.loads(explanation.to_json())
    levels = {name: answer[name] for name in ("event_level", "feature_level", "cell_level") if answer[name]}
    for level in levels.values():
        del level["quality"]["seconds"]
    return {"targets": answer["targets"], **levels}


def main(address: str, model: str, sequence: str, background: str) -> None:
    """Makes the calls, and prints the tables of one answer to standard error."""
    files = np.load(sequence), np.load(background)
    found = asked(address, model, *files)
    found["asynchronous"] = asyncio.run(asked_in_turn(address, model, *files))
    words = [
        "explain",
        "--server",
        address,
        "--model",
        model,
        "--sequence",
        sequence,
        "--background",
        background,
    ]
    with_tables, sys.stdout = sys.stdout, sys.stderr
    try:
        command(words, standalone_mode=False)
    finally:
        sys.stdout = with_tables
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:5])
