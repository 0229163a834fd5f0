"""Processes that are killed in the midst of writing: nothing that was acknowledged is lost, and the file is sound."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from adapters.store.record_samples import listed
from adapters.store.sqlite.files import execute, opened
from sequela.explain.explanation_query import CallerSelector, Filter

WRITER = """
import random, sys
from pathlib import Path
from adapters.store.record_samples import EVER, record
from sequela.adapters.store.sqlite.store import StoreLimits, file_store
from sequela.explain.explanation_query import CallerSelector

path, seed, first = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
store = file_store(path, limits=StoreLimits(1 << 30))
print("open", flush=True)
for number in range(first, first + 100_000):
    body = bytes([number % 5]) if chance.random() < 0.3 else number.to_bytes(8, "big")
    made = record(number, caller_id=f"c{number % 50}", labels={"k": str(number % 7)}, body=body)
    store.records.add(made, body * chance.randrange(1, 2000), f"key {number}")
    print("added", number, flush=True)
    if chance.random() < 0.05:
        caller = chance.randrange(50)
        store.records.delete(CallerSelector(f"c{caller}"), EVER)
        print("deleted", caller, number, flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(8))
def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path, seed: int) -> None:
    """Killed three times at random moments, each time opened again by the next."""
    path, chance = tmp_path / "store.db", random.Random(seed)
    expected: set[int] = set()
    for round_ in range(3):
        lines = _killed(path, seed * 10 + round_, round_ * 100_000, chance.uniform(0.0, 0.6))
        unsure: set[int] = set()
        for words in (line.split() for line in lines):
            match words:
                case ["added", number]:
                    expected.add(int(number))
                case ["deleted", caller, _]:
                    expected -= {number for number in expected if number % 50 == int(caller)}
        last = max(expected, default=round_ * 100_000 - 1)
        with opened(path) as store:
            found = {int(name[1:]) for name in listed(store.records)}
            # The last call may have been done though nobody was told: one record more, or one caller's records less.
            unsure = expected ^ found
            assert len({number % 50 for number in unsure}) <= 1, unsure
            assert not unsure - expected or unsure == {last + 1} or max(unsure) == last + 1
            for number in found:
                stored = store.records.get(f"explanations/e{number}")
                assert stored is not None
                assert store.records.answer(f"key {number}") == stored
            for caller in range(50):
                mine = listed(store.records, Filter(caller_id=f"c{caller}"))
                assert {int(name[1:]) for name in mine} == {n for n in found if n % 50 == caller}
        expected = found
        assert execute(path, "PRAGMA integrity_check") == [("ok",)]
        assert execute(path, "SELECT count(*) FROM body WHERE id NOT IN (SELECT body FROM record)") == [(0,)]
        assert execute(path, "SELECT count(*) FROM label WHERE record NOT IN (SELECT id FROM record)") == [
            (0,)
        ]
    with opened(path) as store:
        store.records.delete(CallerSelector("c1"), float("inf"))


def _killed(path: Path, seed: int, first: int, seconds: float) -> list[str]:
    """Runs a writer and kills it `seconds` after it has opened the store. Returns what it acknowledged."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WRITER, str(path), str(seed), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        reader_deadline = time.monotonic() + seconds
        lines = []
        while time.monotonic() < reader_deadline:
            lines.append(writer.stdout.readline())
        writer.kill()
        lines += writer.stdout.read().splitlines(keepends=True)
    return [line for line in lines if line.endswith("\n")]
