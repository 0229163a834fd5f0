"""Models that were changed at random load, or are refused by a name: nothing counts as a failure of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from adapters.onnx import mutated_graphs
from adapters.onnx.mutated_graphs import LIMITS, mutated
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.errors import SequelaError

ROOT = Path(__file__).resolve().parents[3]
UNNAMED_BEFORE = (
    12,
    70,
    149,
    210,
    244,
    285,
    427,
    550,
    565,
    683,
    740,
    750,
    784,
    804,
    808,
    877,
    930,
    935,
    952,
    971,
    1129,
)
"""Seeds for which loading raised IndexError, KeyError, TypeError or ValueError."""
MANY, ENDS = 2_000, 10
"""The number of seeds, and how many of them may end the process, for which engines exist."""


@pytest.mark.parametrize("seed", UNNAMED_BEFORE)
def test_what_was_a_traceback_has_a_name(seed: int) -> None:
    with pytest.raises(SequelaError) as caught:
        Loader(LIMITS).load("m", ModelBytes(mutated(seed), b"", "onnx", "schema"))
    assert caught.value.reason == "MODEL_NOT_RUNNABLE"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_thousand_changed_models() -> None:
    """In a process of their own. If one ends or hangs, which is left to the engines, another goes on behind it."""
    first, ends, lines = 0, 0, list[str]()
    while first < MANY and ends < ENDS:
        found = _run(first, MANY - first)
        lines += [line for line in found if line.startswith("unnamed")]
        if any(line.startswith("reasons") for line in found):
            break
        first, ends = int([line for line in found if line.startswith("seed")][-1].split()[1]) + 1, ends + 1
    assert not lines
    assert ends < ENDS


def _run(first: int, count: int) -> list[str]:
    path = os.pathsep.join(
        str(ROOT / part) for part in ("service", "clients/python", "proto/python", "tests")
    )
    command = [sys.executable, str(mutated_graphs.__file__), str(first), str(count)]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, timeout=400, env={**os.environ, "PYTHONPATH": path}, check=False
        )
        return done.stdout.decode().splitlines()
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode().splitlines()
